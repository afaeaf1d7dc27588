"""What trials write, return and leave in their working directory, on real clusters and storages."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution.files.keep_rules import FILES_VARIABLE
from hopsml_flows.execution.files.kept_files import KEPT_VARIABLE
from hopsml_flows.experiment import ClusterConfig
from hopsml_flows.storage import Project

STORAGES = ["local", "webhdfs", "s3"]
ONE = ClusterConfig(kind="local", n_workers=1)


@pytest.fixture
def remote_options(prefect_server, url_of):
    def options(storage, cluster=ONE, **more):
        return {"project": url_of(storage), "cluster": cluster, "progress": False, **more}

    return options


def log_of(options, result, trial):
    directory = "/".join(filter(None, ["Experiments", result.id, trial.directory]))
    return Project(options["project"]).read(f"{directory}/output.log").decode()


def commit_of(options, result, trial):
    directory = "/".join(filter(None, ["Experiments", result.id, trial.directory]))
    return json.loads(Project(options["project"]).read(f"{directory}/.outputs.json"))["_commit"]


def training(x):
    """The program of mlflow #530, ray #9571 and #29128, as users write it."""
    model = Path("saved_model/variables")
    model.mkdir(parents=True)
    (model / "weights").write_bytes(bytes([x]) * 1000)
    Path("saved_model/assets").mkdir()
    Path("saved_model/saved_model.pb").write_bytes(b"graph")
    Path("model.keras").write_bytes(b"keras" * 500)
    Path("plots").mkdir()
    Path("plots/curve.png").write_bytes(b"png")
    return {
        "accuracy": x / 10,
        "model": "saved_model",
        "absolute": os.path.abspath("saved_model/variables"),
        "plot": "plots/typo.png",
        "kind": "text/plain",
    }


@pytest.mark.parametrize("storage", STORAGES)
def test_a_returned_directory_is_on_storage_and_what_is_missing_or_left_is_said(
    remote_options, storage
):
    options = remote_options(storage)
    project = Project(options["project"])
    result = experiment.grid_search(training, {"x": [1, 2]}, optimization_key="accuracy", **options)
    for trial in result.trials:
        directory = f"Experiments/{result.id}/{trial.directory}"
        assert trial.outputs["model"] == f"{directory}/saved_model"
        assert trial.outputs["absolute"] == f"{directory}/saved_model/variables"
        weights = bytes([trial.params["x"]]) * 1000
        assert project.read(f"{trial.outputs['absolute']}/weights") == weights
        assert project.read(f"{trial.outputs['model']}/saved_model.pb") == b"graph"
        assert project.exists(f"{trial.outputs['model']}/assets") or storage == "s3"
        assert trial.outputs["plot"] == "plots/typo.png"
        (warning,) = trial.warnings
        assert "'plot' is plots/typo.png, and there is no such file" in warning
        commit = commit_of(options, result, trial)
        assert commit["warnings"] == [warning]
        names = {entry["name"] for entry in commit["files"]}
        assert {"saved_model/saved_model.pb", "saved_model/variables/weights"} < names
        assert not project.exists(f"{directory}/model.keras")
        log = log_of(options, result, trial)
        assert warning in log
        assert "not returned: 2 files (2.5 kB), removed now (keep_files=True keeps" in log
        lines = [line.partition("Z ")[2].split() for line in log.splitlines()]
        listed = [line for line in lines if line[-1:] in (["model.keras"], ["plots/curve.png"])]
        assert listed == [["2.5", "kB", "model.keras"], ["3", "bytes", "plots/curve.png"]]


@pytest.mark.parametrize("storage", STORAGES)
def test_kept_files_are_on_storage_also_of_trials_that_fail(remote_options, storage):
    def train(x):
        from pathlib import Path

        Path("checkpoints/deep").mkdir(parents=True)
        Path("checkpoints/deep/step").write_text(str(x))
        Path("model.keras").write_text(f"model {x}")
        Path("scratch.bin").write_text("not wanted")
        if x == 2:
            raise ValueError("after the checkpoint")
        return {"metric": x, "model": "model.keras"}

    options = remote_options(storage, keep_files=["*.keras", "checkpoints/**"])
    project = Project(options["project"])
    result = experiment.grid_search(train, {"x": [1, 2]}, **options)
    good, failed = result.trials
    assert (good.state, failed.state) == ("FINISHED", "FAILED")
    files = f"Experiments/{result.id}/{good.directory}/files"
    assert [file.name for file in project.walk_files(files)] == [f"{files}/checkpoints/deep/step"]
    names = {entry["name"] for entry in commit_of(options, result, good)["files"]}
    assert {"model.keras", "files/checkpoints/deep/step"} < names
    files = f"Experiments/{result.id}/{failed.directory}/files"
    found = {file.name.removeprefix(f"{files}/") for file in project.walk_files(files)}
    assert found == {"checkpoints/deep/step", "model.keras"}
    assert project.read(f"{files}/model.keras") == b"model 2"
    log = log_of(options, result, failed)
    assert "kept of the working directory, in files/: 2 files" in log
    assert "scratch.bin" in log
    record = json.loads(project.read(f"Experiments/{result.id}/experiment.json"))
    assert record["options"]["keep_files"] == ["*.keras", "checkpoints/**"]
    assert record["options"]["isolation"] == "worker"


def test_all_is_kept_of_a_single_run_and_of_the_users_files_only_what_changed(
    options, tmp_path, monkeypatch
):
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "data" / "train.csv").write_text("1,2")
    (work / "config.json").write_text("{}")
    (work / "notes.txt").write_text("as it was")
    monkeypatch.chdir(work)

    def train():
        from pathlib import Path

        Path("config.json").write_text('{"changed": true}')
        Path("new.txt").write_text("new")

    result = experiment.launch(train, keep_files=True, **options)
    kept = Path(result.path) / "files"
    found = {path.relative_to(kept).as_posix() for path in kept.rglob("*")}
    assert found == {"config.json", "new.txt"}
    assert (work / "config.json").read_text() == "{}"
    assert "not returned" not in log_of(options, result, result.trials[0])


def test_a_directory_beyond_the_limit_fails_its_trial_and_is_not_lost(
    prefect_server, project, tmp_path, monkeypatch
):
    monkeypatch.setenv(FILES_VARIABLE, "2")
    monkeypatch.setenv(KEPT_VARIABLE, str(tmp_path / "kept"))

    def train(files):
        from pathlib import Path

        Path("model").mkdir()
        for number in range(files):
            Path(f"model/{number}").write_text(str(number))
        return {"metric": files, "model": "model"}

    result = experiment.grid_search(
        train, {"files": [1, 3]}, project=str(project), cluster=ONE, progress=False
    )
    small, large = result.trials
    assert small.succeeded
    assert large.failure.kind == "InvalidOutputError"
    kept = tmp_path / "kept" / result.id / large.directory
    assert "is the directory model with 3 bytes in 3 files" in large.failure.message
    assert f"{FILES_VARIABLE}" in large.failure.message
    assert f"it is kept in {kept} on " in large.failure.message
    assert sorted(path.name for path in kept.iterdir()) == ["0", "1", "2"]


def test_kept_files_beyond_the_limit_are_a_warning_and_no_failure(
    prefect_server, project, monkeypatch
):
    monkeypatch.setenv(FILES_VARIABLE, "2")

    def train():
        from pathlib import Path

        for number in range(5):
            Path(f"file{number}").write_text("x" * number)
        return 1

    result = experiment.launch(
        train, project=str(project), cluster=ONE, keep_files=True, progress=False
    )
    (trial,) = result.trials
    assert trial.succeeded
    (warning,) = trial.warnings
    assert "not kept of the working directory: 3 files" in warning
    assert FILES_VARIABLE in warning
    assert sorted(path.name for path in Path(result.path, "files").iterdir()) == ["file0", "file1"]
    log = Path(result.path, "output.log").read_text()
    assert "file4" in log


def test_warnings_come_back_with_resume_and_are_one_line_of_the_report(options, capsys):
    def train(x):
        return {"metric": x, "plot": f"plots/{x}.png"}

    shown = {**options, "progress": True}
    first = experiment.grid_search(train, {"x": [1, 2]}, **shown)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Warnings:" in line]
    assert line.startswith("Warnings:    2 of 2 trials have warnings; trial 1: output 'plot' is")
    again = experiment.grid_search(train, {"x": [1, 2]}, resume=first.id, **options)
    assert [trial.warnings for trial in again.trials] == [t.warnings for t in first.trials]
    summary = json.loads(Path(first.path, ".summary.json").read_text())["combinations"]
    assert summary[0]["warnings"] == list(first.trials[0].warnings)


def test_odd_links_in_the_working_directory_cost_no_trial_and_are_in_its_log(
    options, tmp_path, monkeypatch
):
    work = tmp_path / "work"
    work.mkdir()
    (work / "data.csv").write_text("1,2,3")
    (work / "loop").symlink_to("loop")
    (work / "long").symlink_to("x" * 300)
    (work / os.fsdecode(b"\xff\xfe")).write_text("no text")
    os.mkfifo(work / "pipe")
    monkeypatch.chdir(work)

    def train(x):
        return x + len(Path("data.csv").read_text())

    result = experiment.grid_search(train, {"x": [1, 2]}, **options)
    assert [trial.metric for trial in result.trials] == [6.0, 7.0]
    for trial in result.trials:
        log = log_of(options, result, trial)
        for name in ("loop", "long"):
            assert f"{work}/{name} is not in the trial's working directory: " in log


def test_a_model_saved_at_logdir_plus_a_name_is_the_trials(options):
    def train():
        from hopsml_flows import tensorboard

        with open(tensorboard.logdir() + "mnist_cnn.pt", "wb") as file:
            file.write(b"weights")

    result = experiment.launch(train, **options)
    assert Path(result.path, "mnist_cnn.pt").read_bytes() == b"weights"


def test_of_a_distributed_trial_the_leaders_files_are_kept(options):
    def train(x):
        import os
        from pathlib import Path

        Path(f"rank{os.environ['RANK']}").write_text("written")
        Path("model").mkdir()
        Path("model/weights").write_text("w")
        return {"metric": x, "model": "model"}

    result = experiment.grid_search(
        train, {"x": [1]}, processes_per_trial=2, keep_files="rank*", **options
    )
    (trial,) = result.trials
    root = Path(options["project"])
    assert (root / trial.outputs["model"] / "weights").read_text() == "w"
    kept = Path(result.best_dir) / "files"
    assert [path.name for path in kept.iterdir()] == ["rank0"]
    record = json.loads((Path(result.path) / "experiment.json").read_text())
    assert record["options"]["isolation"] == "process"


@pytest.mark.parametrize(
    "wrong", [{"keep_files": "/etc/*"}, {"keep_files": 3}, {"isolation": "thread"}]
)
def test_wrong_options_are_errors_before_anything_is_written(options, project, wrong):
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        experiment.launch(lambda: 1, **options, **wrong)
    assert not project.exists()
