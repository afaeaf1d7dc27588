"""Models that trials export, and versions that several processes take at once."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hopsml_flows import experiment, model
from hopsml_flows.errors import InvalidArgumentError, ModelNotFound
from hopsml_flows.storage import ModelPaths, Project
from tests.waiting import wait_until

PROCESSES = 8

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("s3", "hopsfs", "webhdfs")]

EXPORTER = """
import sys
from pathlib import Path
from hopsml_flows import model

number, url = int(sys.argv[1]), sys.argv[2]
Path("weights").write_text(f"weights of {number}")
ready = sys.stdin.readline()  # all begin together
model.export("weights", "shared", metrics={"number": number}, project=url)
"""

KILLED = """
import sys, threading, time
from pathlib import Path
from hopsml_flows import model
from hopsml_flows.storage import Project

lock = threading.Lock()

class StopsHalfway(Project):
    count = 0
    def upload(self, *arguments):
        with lock:  # several threads upload
            StopsHalfway.count += 1
            if StopsHalfway.count > 3:
                print("halfway", flush=True)
                time.sleep(600)
        super().upload(*arguments)

Path("saved").mkdir()
for number in range(20):
    Path(f"saved/{number}").write_text("weights")
model.export("saved", "shared", metrics={"number": 1}, project=StopsHalfway(sys.argv[1]))
"""


def started(directory, code, *arguments):
    directory.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("storage", ["local", *SLOW])
def test_processes_that_export_one_model_at_once_get_a_version_each(storage, url_of, tmp_path):
    url = url_of(storage)
    processes = [
        started(tmp_path / f"exporter-{number}", EXPORTER, str(number), url)
        for number in range(PROCESSES)
    ]
    try:
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * PROCESSES, told

    found = [model.get_model("shared", version, url) for version in range(1, PROCESSES + 1)]
    assert {each.metrics["number"] for each in found} == set(range(PROCESSES))
    for number, text in enumerate(told):
        [mine] = [each for each in found if each.metrics["number"] == number]
        assert f"Exported model shared as version {mine.version}\n" in text
        content = Project(url).read(ModelPaths("shared", mine.version).file("weights"))
        assert content.decode() == f"weights of {number}"
    best = model.get_best_model("shared", "number", model.Metric.MAX, url)
    copy = Path(model.download_model("shared", best.version, url, local_path=tmp_path / "copy"))
    assert (copy / "weights").read_text() == f"weights of {PROCESSES - 1}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("storage", ["local", "s3", "hopsfs", SLOW[-1]])
def test_an_export_that_is_killed_leaves_no_version(storage, url_of, tmp_path):
    url = url_of(storage)
    process = started(tmp_path / "killed", KILLED, url)
    try:
        # Libraries and storages may print before.
        told = iter(process.stdout.readline, "")
        assert "halfway\n" in told, "it ended before"
        # It has taken its version, and written files of it.
        project = Project(url)
        wait_until(lambda: len(project.listdir("Models/shared/1")) > 1, 60, "its first files")
        with pytest.raises(ModelNotFound):
            model.get_model("shared", 1, url)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    for call in (
        lambda: model.get_model("shared", project_name=url),
        lambda: model.get_best_model("shared", "number", "MAX", url),
        lambda: model.download_model("shared", project_name=url, local_path=tmp_path / "copy"),
    ):
        with pytest.raises(ModelNotFound):
            call()
    (tmp_path / "weights").write_text("whole")
    model.export(tmp_path / "weights", "shared", project=url)
    assert model.get_model("shared", project_name=url).version == 2


def train_and_export(lr):
    from hopsml_flows import model

    with open("weights.txt", "w") as file:
        file.write(f"weights for {lr}")
    accuracy = 1 - lr
    model.export("weights.txt", "exported", metrics={"accuracy": accuracy})
    return accuracy


def train_and_save(units):
    import os

    from hopsml_flows import tensorboard

    os.makedirs("saved_model/variables")
    for name in ("saved_model.pb", "variables/index"):
        with open(f"saved_model/{name}", "w") as file:
            file.write(f"{name} of {units}")
    with open(tensorboard.logdir() + "best.pt", "w") as file:
        file.write(f"state of {units}")
    return {"accuracy": units / 10, "model": "saved_model", "kind": "dense"}


def train_without_model(units):
    for name in ("a.keras", "b.keras"):
        with open(name, "w") as file:
            file.write("weights")
    return {"accuracy": units, "a": "a.keras", "b": "b.keras"}


def test_models_exported_in_trials_know_their_trials(options, tmp_path):
    project = options["project"]
    result = experiment.grid_search(
        train_and_export, {"lr": [0.25, 0.5]}, name="exporting", **options
    )
    best = model.get_best_model("exported", "accuracy", model.Metric.MAX, project)
    assert best.metrics == {"accuracy": 0.75}
    assert best["experimentId"] == result.id
    origin = best.record.origin
    assert (origin.trial, origin.params) == (result.best.number, {"lr": 0.25})
    assert origin.trial_directory == f"Experiments/{result.id}/{result.best.directory}"
    assert (Path(project) / origin.trial_directory / "output.log").exists()
    assert "def train_and_export" in (Path(project) / origin.program).read_text()
    copy = model.download_model("exported", best.version, project, local_path=tmp_path / "copy")
    assert Path(copy, "weights.txt").read_text() == "weights for 0.25"
    log = (Path(project) / origin.trial_directory / "output.log").read_text()
    assert f"Exported model exported as version {best.version}" in log


def test_the_best_trial_s_saved_model_is_exported_from_a_result(options, tmp_path, capsys):
    project = options["project"]
    result = experiment.grid_search(
        train_and_save, {"units": [1, 2]}, optimization_key="accuracy", name="saving", **options
    )
    path = result.export_model("dense", description="the best", input_signature={"units": "int"})
    assert path == f"{project}/Models/dense/1"
    best = model.get_model("dense", project_name=project)
    assert best.metrics == {"accuracy": 0.2}
    assert best.record.description == "the best"
    assert best.record.origin.trial == result.best.number == 2
    assert Path(path, "variables/index").read_text() == "variables/index of 2"
    assert "Exported model dense as version 1" in capsys.readouterr().out

    # Another process may have only the pickled result.
    again = pickle.loads(pickle.dumps(result))
    path = again.export_model("dense", file="best.pt", trial=1, metrics={"size": 1})
    assert Path(path, "best.pt").read_text() == "state of 1"
    assert model.get_model("dense", 2, project).metrics == {"size": 1}

    for wrong, told in (
        ({"file": "kind"}, "file: 'kind' cannot be used"),
        ({"file": "nothing.pt"}, "file: 'nothing.pt' cannot be used"),
        ({"trial": 3}, "trial: must be the number of a trial that succeeded"),
        ({"version": 0}, "version: must be an integer"),
    ):
        with pytest.raises(InvalidArgumentError, match=f"^{told}"):
            result.export_model("dense", **wrong)


def test_a_result_with_several_models_asks_which_one(options):
    result = experiment.launch(train_without_model, {"units": [3]}, name="several", **options)
    with pytest.raises(InvalidArgumentError, match=r"^file: must say which output"):
        result.export_model("dense")
    path = result.export_model("dense", file="b")
    assert sorted(os.listdir(path)) == [".model.json", "b.keras"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("storage", [pytest.param("s3", marks=pytest.mark.slow)])
def test_a_result_of_a_remote_project_exports_its_model(storage, options, url_of, tmp_path):
    url = url_of(storage)
    result = experiment.grid_search(
        train_and_save,
        {"units": [1, 2]},
        optimization_key="accuracy",
        **{**options, "project": url},
    )
    assert result.export_model("dense") == f"{url}/Models/dense/1"
    copy = model.download_model("dense", project_name=url, local_path=tmp_path / "copy")
    assert Path(copy, "saved_model.pb").read_text() == "saved_model.pb of 2"
