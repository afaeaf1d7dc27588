"""The module that programs written for HopsML import as ``hops.model``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hopsml_flows import hdfs, model
from hopsml_flows.errors import InvalidArgumentError, ModelExistsError, NoSpaceError
from hopsml_flows.model import Metric, ModelNotFound
from hopsml_flows.storage import Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The default project, and a working directory with a model in it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOPSML_PROJECT", str(tmp_path / "demo"))
    Path("saved/variables").mkdir(parents=True)
    Path("saved/model.pb").write_bytes(b"graph")
    Path("saved/variables/index").write_bytes(b"weights")
    Path("iris.pkl").write_bytes(b"pickle")
    return Project(tmp_path / "demo")


def test_hopsml_s_own_example_runs(project):
    path = model.export(
        "iris.pkl", "irisFlowerClassifier", metrics={"accuracy": np.float32(0.5), "loss": 2}
    )
    assert path == project.full("Models/irisFlowerClassifier/1")
    model.export(b"saved", "irisFlowerClassifier", metrics={"accuracy": 0.75}, description="more")
    best = model.get_best_model("irisFlowerClassifier", "accuracy", Metric.MAX)
    assert (best["name"], str(best["version"])) == ("irisFlowerClassifier", "2")
    assert best["metrics"] == {"accuracy": 0.75}
    assert best["description"] == "more"
    assert hdfs.exists(f"Models/{best['name']}/{best['version']}/variables/index")
    assert model.get_best_model("irisFlowerClassifier", "accuracy", "min").version == 1
    assert model.get_model("irisFlowerClassifier", 1).metrics == {"accuracy": 0.5, "loss": 2}
    assert dict(model.get_model("irisFlowerClassifier"))["experimentId"] is None


def test_the_export_says_what_it_did(project, capsys):
    model.export("iris.pkl", 7)
    assert capsys.readouterr().out == "Exported model 7 as version 1\n"
    assert model.get_model("7").version == 1


def test_an_existing_version_is_a_value_error_as_in_hopsml(project):
    model.export("iris.pkl", "iris", model_version=2)
    with pytest.raises(ValueError, match="exists"):
        model.export("saved", "iris", 2)
    assert hdfs.load("Models/iris/2/iris.pkl") == b"pickle"
    model.export("saved", "iris", 2, overwrite=True)
    assert hdfs.ls("Models/iris/2", recursive=False)
    assert not hdfs.exists("Models/iris/2/iris.pkl")


def test_a_path_is_looked_up_in_the_project_too(project):
    hdfs.dump("w", "Resources/net/weights")
    hdfs.dump("b", "Resources/net/deep/bias")
    model.export("Resources/net", "net")
    model.export(hdfs.project_path() + "Resources/net/weights", "net")
    names = [[f.name for f in model.get_model("net", v).record.files] for v in (1, 2)]
    assert names == [["deep/bias", "weights"], ["weights"]]
    with pytest.raises(FileNotFoundError, match="model_path: there is no"):
        model.export("Resources/nothing", "net")


def test_a_remote_project_s_own_files_are_exported(project, monkeypatch):
    monkeypatch.setenv("HOPSML_PROJECT", "memory://models-of-remote-files")
    hdfs.dump("w", "Resources/net/weights")
    hdfs.dump("b", "Resources/net/deep/bias")
    model.export("Resources/net", "net")
    model.export("Resources/net/weights", "net")
    names = [[f.name for f in model.get_model("net", v).record.files] for v in (1, 2)]
    assert names == [["deep/bias", "weights"], ["weights"]]
    assert Path(model.download_model("net", 1), "deep/bias").read_bytes() == b"b"


def test_a_model_is_copied_to_the_working_directory_and_elsewhere(project, tmp_path):
    model.export("saved", "digits")
    copy = Path(model.download_model("digits"))
    assert copy == Path("digits/1").absolute()
    assert {path.name for path in copy.rglob("*")} == {"model.pb", "variables", "index"}
    assert model.download_model("digits", 1) == str(copy)
    (copy / "model.pb").write_bytes(b"mine")
    with pytest.raises(ModelExistsError, match=r"^local_path.*overwrite=True"):
        model.download_model("digits")
    model.download_model("digits", overwrite=True)
    assert (copy / "model.pb").read_bytes() == b"graph"
    other = model.download_model("digits", local_path=tmp_path / "served")
    assert (Path(other) / "model.pb").read_bytes() == b"graph"


def test_what_the_project_lacks_is_not_found(project):
    for call in (
        lambda: model.get_model("digits"),
        lambda: model.get_best_model("digits", "loss", Metric.MIN),
        lambda: model.download_model("digits", 3),
    ):
        with pytest.raises(ModelNotFound, match="has no version of a model"):
            call()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"model_name": "a/b"}, "model_name"),
        ({"model_version": 0}, "model_version"),
        ({"metrics": {"accuracy": "high"}}, r"metrics\['accuracy'\]"),
        ({"description": 7}, "description"),
        ({"input_signature": object()}, "input_signature"),
        ({"model_path": {"a": 1}}, "model_path: must be a path, or a model of Keras"),
        ({"project": "a b://"}, "project"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_written(project, wrong, told):
    with pytest.raises(InvalidArgumentError, match=f"^{told}"):
        model.export(**{"model_path": "iris.pkl", "model_name": "iris", **wrong})
    assert project.listdir() == []


def test_another_project_is_named_by_name_path_or_object(project, tmp_path):
    model.export("iris.pkl", "iris", project="other")
    assert model.get_model("iris", project_name=str(tmp_path / "other")).version == 1
    assert model.get_model("iris", project_name=Project(tmp_path / "other")).version == 1
    with pytest.raises(ModelNotFound):
        model.get_model("iris")
    with pytest.raises(InvalidArgumentError, match=r"^project_name"):
        model.get_model("iris", project_name="s3://")


def test_the_record_says_what_the_export_was_told(project):
    model.export("iris.pkl", "iris", input_signature={"x": np.zeros((2, 4), "float32")})
    text = hdfs.load("Models/iris/1/.model.json")
    told = json.loads(text)
    assert told["input_signature"] == {"x": {"shape": [None, 4], "dtype": "float32"}}
    assert told["library"] == "files"
    assert told["project"] == "demo"
    assert told["files"][0]["size"] == 6


def test_a_model_that_has_no_room_is_neither_exported_nor_copied(project, full_disk):
    Path("large").write_bytes(bytes(6 << 20))
    with pytest.raises(NoSpaceError):
        model.export("large", "large", project=str(full_disk.root / "demo"))
    assert not (full_disk.root / "demo").exists()
    model.export("large", "large")
    with pytest.raises(NoSpaceError, match=r"6\.3 MB to copy"):
        model.download_model("large", local_path=full_disk.root / "copy")
    assert not (full_disk.root / "copy").exists()


def test_two_views_of_one_version_are_equal(project):
    model.export("iris.pkl", "iris", metrics={"loss": 1})
    one, other = model.get_model("iris"), model.get_best_model("iris", "loss", Metric.MAX)
    assert one == other
    assert len({one, other}) == 1
    assert repr(one) == "<model iris, version 1: loss=1>"


def test_a_model_of_scikit_learn_is_saved_as_it_saves_itself(project):
    import joblib
    from sklearn.linear_model import LinearRegression

    trained = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    model.export(trained, "line", input_signature=np.zeros((1, 1)))
    record = model.get_model("line").record
    assert (record.library, [f.name for f in record.files]) == ("sklearn", ["model.joblib"])
    assert record.library_version[0].isdigit()
    again = joblib.load(Path(model.download_model("line"), "model.joblib"))
    assert again.predict([[2.0]]) == pytest.approx([5.0])
