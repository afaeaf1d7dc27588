"""Storage that refuses in the middle of an experiment: an expired token, a full disk."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import (
    ExperimentFailedError,
    ExperimentInterruptedError,
    StorageUnavailableError,
)
from hopsml_flows.experiment import ClusterConfig
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.storage import retries as patience
from tests import events
from tests.servers import s3
from tests.waiting import wait_until

TWO = ClusterConfig(kind="local", n_workers=2)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def refusing(request, monkeypatch):
    """URL of a project, and what makes its storage refuse and take files again."""
    if request.param == "s3":
        server = request.getfixturevalue("strict_s3_server")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return s3.new_url(), server.revoke, server.restore
    disk = request.getfixturevalue("full_disk")
    return str(disk.root / "project"), disk.fill, disk.free


BOTH = pytest.mark.parametrize("refusing", ["s3", "full disk"], indirect=True)


@pytest.fixture
def train(tmp_path):
    """A training function that writes a diary, and waits for a word from trial 3 on."""
    diary, go = tmp_path / "diary", tmp_path / "go"

    class Train:
        def __call__(self, x):
            import os
            import time

            line = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(line, f"{x}\n".encode())
            os.close(line)
            until = time.monotonic() + 180
            while x >= 3 and not go.exists() and time.monotonic() < until:
                time.sleep(0.05)
            return x

    def begun():
        return diary.read_text().split() if diary.exists() else []

    made = Train()
    return made, begun, go


def run(train, url, **options):
    def function(x):
        return train(x)

    return experiment.grid_search(
        function, {"x": [1, 2, 3, 4, 5, 6]}, project=url, cluster=TWO, retries=0, name="refused",
        sync_interval=60, **{"progress": False, **options},
    )  # fmt: skip


def _meanwhile(action):
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@BOTH
def test_a_run_whose_storage_refuses_ends_in_order_and_goes_on_with_what_is_kept(
    prefect_server, refusing, train, kept, monkeypatch
):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 3.0)
    url, refuse, accept = refusing
    function, begun, go = train

    def act():
        wait_until(lambda: len(begun()) == 4, 120, "the first four trials")
        project = Project(url)
        wait_until(
            lambda: len(project.glob(f"Experiments/*/*/{TrialFiles.OUTPUTS}")) == 2, 60, "commits"
        )
        refuse()
        go.touch()

    thread = _meanwhile(act)
    with pytest.raises(ExperimentInterruptedError, match="storage took nothing") as caught:
        run(function, url)
    thread.join()
    error = caught.value
    assert isinstance(error, StorageUnavailableError)
    assert f'resume="{error.experiment_id}"' in str(error)
    assert len(error.kept) == 2
    for place in error.kept:
        host, _, directory = place.partition(":")
        assert host == socket.gethostname()
        assert place in str(error)
        assert (Path(directory) / ".outputs.json").exists()
    assert set(Counter(begun()).values()) == {1}

    accept()
    paths = ExperimentPaths(error.experiment_id)
    result = run(function, url, resume=error.experiment_id)
    assert [trial.metric for trial in result.trials] == [1, 2, 3, 4, 5, 6]
    assert Counter(begun()) == {str(x): 1 for x in range(1, 7)}  # what was kept was not run again
    assert [file for file in kept.rglob("*") if file.is_file()] == []
    project = Project(url)
    assert json.loads(project.read(paths.record))["state"] == "FINISHED"
    for trial in result.trials:
        commit = json.loads(project.read(paths.trial(trial.directory, ".outputs.json")))["_commit"]
        for file in commit["files"]:
            assert project.info(paths.trial(trial.directory, file["name"])).size == file["size"]


@BOTH
def test_storage_that_takes_files_again_in_time_costs_nothing(
    prefect_server, refusing, train, kept, capsys
):
    url, refuse, accept = refusing
    function, begun, go = train

    def act():
        wait_until(lambda: len(begun()) == 4, 120, "the first four trials")
        project = Project(url)
        wait_until(
            lambda: len(project.glob(f"Experiments/*/*/{TrialFiles.OUTPUTS}")) == 2, 60, "commits"
        )
        refuse()
        go.touch()
        wait_until(lambda: len(list(kept.rglob(".outputs.json"))) == 2, 60, "what is kept")
        time.sleep(2)  # the driver starts none meanwhile
        accept()

    thread = _meanwhile(act)
    result = run(function, url, progress=True)
    thread.join()
    assert [trial.metric for trial in result.trials] == [1, 2, 3, 4, 5, 6]
    assert Counter(begun()) == {str(x): 1 for x in range(1, 7)}
    printed = capsys.readouterr().out
    assert "storage does not take what the driver writes" in printed
    assert "storage takes files again" in printed
    assert [file for file in kept.rglob("*") if file.is_file()] == []


def test_a_file_that_finds_no_room_is_kept_and_leaves_no_half(
    prefect_server, full_disk, tmp_path, kept, monkeypatch
):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 1.0)
    url = str(full_disk.root / "project")
    disk, marker = str(full_disk.root), str(tmp_path / "marker")

    def train(x):
        import os
        from pathlib import Path

        if Path(marker).exists():
            raise AssertionError("trained again")
        Path(marker).touch()
        Path("model.bin").write_bytes(b"m" * 2_000_000)
        filler = os.path.join(disk, "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        os.truncate(filler, os.path.getsize(filler) - 1_000_000)
        return {"metric": x, "model": "model.bin"}

    # The driver's own small files find room: it is the trial that has failed.
    with pytest.raises(ExperimentFailedError, match="StorageUnavailableError") as caught:
        experiment.grid_search(train, {"x": [7]}, project=url, cluster=TWO, progress=False)
    [name] = Project(url).listdir("Experiments")
    paths = ExperimentPaths(name)
    [model] = kept.rglob("model.bin")
    assert model.stat().st_size == 2_000_000
    assert str(model.parent) in str(caught.value)
    assert list(full_disk.root.rglob("*.tmp")) == list(full_disk.root.rglob("model.bin")) == []

    full_disk.free()
    result = experiment.grid_search(
        train, {"x": [7]}, project=url, cluster=TWO, progress=False, resume=name
    )
    assert result.best_metric == 7
    assert (Path(url) / result.outputs["model"]).stat().st_size == 2_000_000
    assert result.outputs["model"].startswith(paths.root)
    assert events.status(Path(url) / paths.trial(result.best.directory)) == "SUCCESS"
