"""Names, metrics, records and signatures of models; no storage is touched."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from hopsml_flows.errors import (
    DamagedFileError,
    HopsmlError,
    InvalidArgumentError,
    ModelExistsError,
    ModelNotFound,
)
from hopsml_flows.models import (
    Metric,
    ModelFile,
    ModelRecord,
    Origin,
    best_record,
    checked_metrics,
    model_name,
    split_version,
    version_number,
)
from hopsml_flows.models.input_signature import input_signature
from hopsml_flows.models.repository import keep_confirmed, read_record
from hopsml_flows.storage import ModelFiles, ModelPaths, Project

FILE = ModelFile("variables/index", 3, "a" * 64)
RECORD = ModelRecord(
    name="digits",
    version=2,
    created="2026-01-31T12:00:00+00:00",
    files=(FILE, ModelFile("model.pb", 0, "b" * 64)),
    metrics={"accuracy": 0.5, "loss": math.inf, "epochs": 3},
    description="two layers",
    input_signature={"shape": [None, 64]},
    library="keras",
    library_version="3.1",
    project="demo",
    user="alice",
    origin=Origin("digits-1", 7, "Experiments/digits-1/0007-x=1", {"x": 1}, "program.py"),
)


def of(version, **metrics):
    return ModelRecord("digits", version, "2026-01-31T12:00:00+00:00", metrics=metrics)


def changed(**changes):
    return json.dumps({**json.loads(RECORD.to_json()), **changes})


@pytest.mark.parametrize("name", ["digits", "Iris 2", "größe", "a.b-c_d=1", 7, np.int64(7)])
def test_names_that_every_storage_accepts_are_names(name):
    assert model_name("model_name", name) == str(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a/b", "..", ".hidden", "a\nb", "50%", "a#b", "a?b", "a ", "\udce9", "x" * 201),
        *(None, 1.5, True, b"digits"),
    ],
)
def test_other_names_are_refused_by_the_argument_s_name(name):
    with pytest.raises(InvalidArgumentError, match=r"^model_name: must be a text"):
        model_name("model_name", name)


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True, None, 10**18])
def test_a_version_is_an_integer_from_one(version):
    assert version_number("model_version", np.int32(3)) == 3
    with pytest.raises(InvalidArgumentError, match=r"^model_version: must be an integer"):
        version_number("model_version", version)


@pytest.mark.parametrize("text", ["digits/", "digits/x", "digits/0", "digits/01", "/1", "a/1/2"])
def test_only_a_name_or_a_name_with_its_version_is_understood(text):
    assert split_version("MODEL", "digits/12") == ("digits", 12)
    assert split_version("MODEL", "digits") == ("digits", None)
    with pytest.raises(InvalidArgumentError, match="NAME/VERSION"):
        split_version("MODEL", text)


def test_a_record_is_read_back_as_it_was_written():
    text = RECORD.to_json()
    assert ModelRecord.from_json("file", text) == RECORD
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["loss"] == "Infinity"
    assert RECORD.size == 3


def test_keys_of_a_newer_version_are_left_out():
    newer = changed(colour="red", schema=2)
    assert ModelRecord.from_json("file", newer).schema == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"name": "digits"}',
        changed(version=0),
        changed(name="../digits"),
        changed(metrics={"accuracy": "0.5"}),
        changed(metrics=[1]),
        changed(files=[{"name": "../../.bashrc", "size": 1, "sha256": "a" * 64}]),
        changed(files=[{"name": "/etc/passwd", "size": 1, "sha256": "a" * 64}]),
        changed(files=[{"name": "a//b", "size": 1, "sha256": "a" * 64}]),
        changed(files=[{"name": "a", "size": -1, "sha256": "a" * 64}]),
        changed(files=[{"name": "a", "size": 1, "sha256": "short"}]),
        changed(files=[7]),
        changed(origin=7),
        changed(origin={"trial": "seven"}),
        changed(origin={"program": "../../elsewhere/secrets.py"}),
        changed(origin={"program": "/etc/passwd"}),
        changed(origin={"trial_directory": "Experiments/../../elsewhere"}),
        changed(not_finite=[["nothing"]]),
        changed(description=7),
        '{"a":' * 500 + "1" + "}" * 500,
    ],
)
def test_what_is_no_record_is_a_damaged_file(text):
    with pytest.raises(DamagedFileError, match=r"^Models/digits/2"):
        ModelRecord.from_json("Models/digits/2/.model.json", text)


def test_metrics_become_numbers_of_python_s_own():
    made = checked_metrics({"a": np.float32(0.5), "b": np.array([2]), "c": float("nan")})
    assert made["a"] == 0.5
    assert type(made["a"]) is float
    assert made["b"] == 2
    assert math.isnan(made["c"])
    assert checked_metrics(None) == {}


@pytest.mark.parametrize("metrics", [{"a": "0.5"}, {"a": None}, {"a": True}, {1: 1}, [1], 0.5])
def test_metrics_that_are_no_numbers_are_refused(metrics):
    with pytest.raises(InvalidArgumentError, match=r"^metrics"):
        checked_metrics(metrics)


def test_the_best_version_is_the_largest_or_the_smallest():
    records = [of(1, loss=0.3), of(3, loss=0.1), of(2, loss=0.2), of(4)]
    assert best_record(records, "loss", Metric.MIN).version == 3
    assert best_record(records, "loss", Metric.MAX).version == 1
    assert best_record(records, "accuracy", Metric.MAX) is None


def test_a_corrected_metric_counts_in_place_of_the_lucky_one():
    lucky, honest = of(1, accuracy=0.99), of(2, accuracy=0.9)
    assert best_record([lucky, honest], "accuracy", Metric.MAX) == lucky
    corrected = replace(lucky, confirmed={"accuracy": {"mean": 0.8}})
    assert best_record([corrected, honest], "accuracy", Metric.MAX) == honest
    assert best_record([corrected, honest], "accuracy", Metric.MIN) == corrected
    other = replace(lucky, confirmed={"loss": {"mean": 0.8}})
    assert best_record([other, honest], "accuracy", Metric.MAX) == other


def test_what_fresh_seeds_say_keeps_what_the_search_found(tmp_path):
    project = Project(tmp_path)
    record = replace(
        of(1, accuracy=0.99), confirmed={"accuracy": {"mean": 0.8, "optimistic": 0.99}}
    )
    project.make_directory(ModelPaths("digits", 1).root)
    project.replace(ModelPaths("digits", 1).record, record.to_json())
    keep_confirmed(project, "digits", 1, {"accuracy": {"mean": 0.7, "optimistic": None}})
    found = read_record(project, "digits", 1)
    assert found.confirmed == {"accuracy": {"mean": 0.7, "optimistic": 0.99}}
    assert replace(found, confirmed=record.confirmed) == record
    keep_confirmed(project, "digits", 2, {"accuracy": {"mean": 0.7}})
    assert read_record(project, "digits", 2) is None
    assert project.listdir("Models/digits") == ["1"]
    assert project.listdir("Models/digits/1") == [ModelFiles.RECORD]


class Disturbed(Project):
    """A project in which something happens just before a version is claimed."""

    meanwhile = None

    def create(self, path, data):
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        super().create(path, data)


def test_a_version_that_changes_meanwhile_is_not_said_to_be_confirmed(tmp_path):
    project, paths = Disturbed(tmp_path / "project"), ModelPaths("digits", 1)
    first = of(1, accuracy=0.99)
    second = replace(first, created="2026-02-01T12:00:00+00:00")
    told = {"accuracy": {"mean": 0.7}}

    def keep(meanwhile=None):
        project.make_directory(paths.root)
        project.replace(paths.record, first.to_json())
        project.meanwhile = meanwhile
        keep_confirmed(project, "digits", 1, told)
        return read_record(project, "digits", 1)

    # An export replaces it: before the claim, or now.
    assert keep(lambda: project.replace(paths.record, second.to_json())) == second
    assert project.listdir(paths.root) == [ModelFiles.RECORD]
    project.create(paths.claim, "another process")
    assert keep() == first
    assert project.read(paths.claim) == b"another process"
    # It is removed: no directory of it comes back.
    project.remove(paths.claim)
    assert keep(lambda: project.remove(paths.root, recursive=True)) is None
    assert project.listdir("Models/digits") == []
    assert keep().value("accuracy") == 0.7


def test_all_negative_metrics_have_a_best_one():
    assert best_record([of(1, r2=-2.0), of(2, r2=-1.0)], "r2", Metric.MAX).version == 2


def test_of_equal_versions_the_earliest_is_the_best():
    assert best_record([of(3, loss=0), of(2, loss=0.0)], "loss", Metric.MIN).version == 2


@pytest.mark.parametrize("direction", Metric)
def test_a_metric_that_is_not_finite_is_never_the_best(direction):
    odd = [of(1, loss=math.nan), of(2, loss=math.inf), of(3, loss=-math.inf)]
    assert best_record(odd, "loss", direction) is None
    assert best_record([*odd, of(4, loss=1.0)], "loss", direction).version == 4


def test_directions_are_hopsml_s():
    assert Metric.parse("max") is Metric.MAX
    assert Metric.parse(Metric.MIN) == "MIN"
    for wrong in ("best", None, 1):
        with pytest.raises(InvalidArgumentError, match=r"^direction: must be Metric\.MAX"):
            Metric.parse(wrong)


def test_errors_of_models_are_in_the_hierarchy_and_travel():
    missing = ModelNotFound("name", "digits", because="the project has no model of this name")
    there = ModelExistsError("model_version", 2, because="it exists")
    assert isinstance(missing, HopsmlError)
    assert isinstance(missing, LookupError)
    assert isinstance(there, HopsmlError)
    assert isinstance(there, ValueError)
    assert isinstance(there, FileExistsError)
    for error in (missing, there):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
    assert str(there) == "model_version: 2 cannot be used, because it exists"


def test_a_signature_is_taken_from_an_example():
    import pandas as pd

    assert input_signature(None) is None
    assert input_signature({"x": {"shape": [None, 4]}}) == {"x": {"shape": [None, 4]}}
    assert input_signature([np.zeros((3, 4), "int8")]) == [{"shape": [None, 4], "dtype": "int8"}]
    frame = pd.DataFrame({"a": [1], "b": [0.5]})
    assert input_signature(frame) == {"columns": {"a": "int64", "b": "float64"}}
    with pytest.raises(InvalidArgumentError, match=r"^input_signature"):
        input_signature(object())
