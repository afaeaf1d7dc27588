from __future__ import annotations

import json
from pathlib import Path

from hopsml_flows import experiment
from tests.logs import without_log

from .training import product


def test_one_run_writes_into_the_experiment_directory(options):
    def train():
        from hopsml_flows import devices, hdfs, tensorboard

        print("hello from", tensorboard.logdir())
        return {
            "accuracy": [0.1, 0.9],
            "logdir": tensorboard.logdir() + "!",
            "project": hdfs.project_path(),
            "gpus": devices.get_num_gpus(),
        }

    result = experiment.launch(train, name="single", description="no arguments", **options)
    path, outputs = result
    root = Path(path)
    assert root == Path(options["project"]) / "Experiments" / result.id
    assert outputs["accuracy"] == [0.1, 0.9]
    assert outputs["project"] == options["project"] + "/"
    assert outputs["logdir"] == f"{root}/!"
    assert outputs["gpus"] == 0
    assert f"hello from {root}/" in (root / "output.log").read_text()
    assert json.loads((root / ".outputs.json").read_text())["accuracy"] == [0.1, 0.9]
    assert json.loads((root / "experiment.json").read_text())["experiment_type"] == "EXPERIMENT"


def test_argument_lists_are_zipped_not_multiplied(options):
    result = experiment.launch(product, {"x": [1, 2], "y": [5, 3]}, **options)
    assert [(t.params["x"], t.params["y"], t.metric) for t in result.trials] == [
        (1, 5, 5.0),
        (2, 3, 6.0),
    ]
    path, outputs = result
    assert outputs is None
    assert (Path(path) / "0002-x=2-y=3" / ".outputs.json").exists()


def test_a_run_that_returns_nothing_has_no_metric_and_a_log(options):
    path, outputs = experiment.launch(lambda: None, **options)
    stored = json.loads((Path(path) / ".outputs.json").read_text())
    stored.pop("_commit")
    assert outputs == stored
    assert without_log(outputs) == {"metric": None}


def test_metric_key_names_the_metric(options, experiments):
    result = experiment.launch(lambda: {"a": 1, "loss": 0.25}, metric_key="loss", **options)
    assert experiments()[result.id]["metric"] == 0.25


def test_returned_files_are_copied_into_the_trial_and_never_moved(options, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")

    def train(shade):
        from pathlib import Path

        Path("image_file.png").write_bytes(bytes([shade]) * 8)
        return {"accuracy": shade, "plot": "image_file.png", "table": str(table), "note": "a/b"}

    result = experiment.launch(train, {"shade": [1, 2, 3]}, **options)
    assert table.read_text() == "a,b\n1,2\n"
    for trial in result.trials:
        directory = f"Experiments/{result.id}/{trial.name}"
        assert trial.outputs["plot"] == f"{directory}/image_file.png"
        assert trial.outputs["note"] == "a/b"
        root = Path(options["project"])
        # Trials side by side wrote the same file name: each kept its own.
        assert (root / trial.outputs["plot"]).read_bytes() == bytes([trial.params["shade"]]) * 8
        assert (root / trial.outputs["table"]).read_text() == table.read_text()


def test_trials_read_files_relative_to_the_working_directory(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2,3")

    def train():
        from pathlib import Path

        Path("scratch.txt").write_text("stays with the trial")
        return len(Path("data/train.csv").read_text())

    _, outputs = experiment.launch(train, **options)
    assert without_log(outputs) == {"metric": 5}
    assert not (tmp_path / "scratch.txt").exists()


def test_local_logdir_is_brought_to_the_project_at_the_end(options):
    def train():
        from pathlib import Path

        from hopsml_flows import tensorboard

        (Path(tensorboard.logdir()) / "curves").mkdir()
        (Path(tensorboard.logdir()) / "curves" / "events").write_text("points")
        return {"logdir": tensorboard.logdir() + "!"}

    path, outputs = experiment.launch(train, local_logdir=True, **options)
    assert (Path(path) / "curves" / "events").read_text() == "points"
    assert not outputs["logdir"].startswith(path)
    assert not Path(outputs["logdir"].removesuffix("/!")).exists()
