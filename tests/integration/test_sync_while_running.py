"""What of a running trial is on storage, and what storage failures cost; against real servers."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError
from hopsml_flows.experiment import ClusterConfig
from hopsml_flows.storage import Project, TrialFiles
from hopsml_flows.storage.retries import persistently

ONE = ClusterConfig(kind="local", n_workers=1)
TWO = ClusterConfig(kind="local", n_workers=2)
REMOTE = ["hopsfs", "webhdfs", "s3"]


def run_with(url, cluster, **options):
    return {"project": url, "cluster": cluster, "progress": False, "sync_interval": 0.5, **options}


def files_of(result):
    """The trial's own files, below the experiment's directory."""
    project = Project(result.path)
    return {file.name: file.size for file in project.walk_files(result.trials[0].directory)}


@pytest.mark.parametrize("storage", REMOTE)
def test_log_and_events_are_there_while_the_trial_runs_and_the_commit_comes_last(
    prefect_server, url_of, storage
):
    def train(x):
        import time
        from pathlib import Path

        from hopsml_flows import hdfs, tensorboard

        def there(name):
            return hdfs.glob(f"Experiments/*/*/{name}")

        print("hello from the trial")
        events = Path(tensorboard.logdir(), "events.out.tfevents.1.host")
        events.write_bytes(b"e" * 100)
        until = time.monotonic() + 60
        names = ("output.log", "events.out.tfevents.0.hparams", events.name)
        while not all(there(name) for name in names):
            assert time.monotonic() < until, "nothing came"
            time.sleep(0.1)
        seen = hdfs.load(there("output.log")[0]).decode()
        events.write_bytes(b"e" * 200)
        while hdfs.stat(there(events.name)[0]).st_size < 200:
            assert time.monotonic() < until, "the events did not grow"
            time.sleep(0.1)
        return {"metric": x, "seen": seen, "committed": len(there(".outputs.json"))}

    result = experiment.grid_search(train, {"x": [1]}, **run_with(url_of(storage), ONE))
    assert "hello from the trial" in result.outputs["seen"]
    assert result.outputs["committed"] == 0
    assert files_of(result)[f"{result.best.directory}/events.out.tfevents.1.host"] == 200


@pytest.mark.parametrize("storage", REMOTE)
def test_a_trial_leaves_six_files_besides_the_users(prefect_server, url_of, storage):
    result = experiment.grid_search(
        lambda x: print("hello") or x, {"x": [1]}, **run_with(url_of(storage), ONE)
    )
    [trial] = result.trials
    # One that took half a second has a curve of its devices, too.
    sampled = {f"{trial.directory}/{TrialFiles.SCALARS}"} if trial.devices.samples > 1 else set()
    assert set(files_of(result)) - sampled == {
        f"{trial.directory}/{name}"
        for name in (
            ".hparams.json", ".metric", ".outputs.json", "output.log",
            "events.out.tfevents.0.hparams", "events.out.tfevents.9.hparams",
        )
    }  # fmt: skip


def test_with_a_local_logdir_the_log_is_there_while_the_trial_runs_and_the_events_at_the_end(
    prefect_server, tmp_path
):
    def train(x):
        import time
        from pathlib import Path

        from hopsml_flows import hdfs, tensorboard

        print("hello from the trial")
        Path(tensorboard.logdir(), "events.out.tfevents.1.host").write_bytes(b"e" * 100)
        until = time.monotonic() + 60
        for name in ("output.log", "events.out.tfevents.0.hparams"):
            while not hdfs.glob(f"Experiments/*/*/{name}"):
                assert time.monotonic() < until, "nothing came"
                time.sleep(0.1)
        time.sleep(1.5)
        return {"metric": x, "seen": len(hdfs.glob("Experiments/*/*/events.out.tfevents.1.host"))}

    options = run_with(str(tmp_path / "project"), ONE, local_logdir=True)
    result = experiment.grid_search(train, {"x": [1]}, **options)
    assert result.outputs["seen"] == 0
    assert files_of(result)[f"{result.best.directory}/events.out.tfevents.1.host"] == 100


@pytest.mark.parametrize("storage", REMOTE)
def test_the_log_of_a_killed_worker_stays_and_the_next_attempt_goes_on_with_it(
    prefect_server, url_of, storage, tmp_path
):
    def train(x):
        import os
        import signal
        import time
        from pathlib import Path

        from hopsml_flows import hdfs, tensorboard

        if Path(marker).exists():
            print("last words")
            return x
        Path(marker).touch()
        print("first words")
        Path(tensorboard.logdir(), "events.out.tfevents.1.killed").write_bytes(b"e" * 100)
        until = time.monotonic() + 60
        while not hdfs.glob("Experiments/*/*/events.out.tfevents.1.killed"):
            assert time.monotonic() < until, "nothing came"
            time.sleep(0.1)
        return os.kill(os.getpid(), signal.SIGKILL)

    marker = str(tmp_path / "marker")
    result = experiment.grid_search(train, {"x": [1]}, **run_with(url_of(storage), ONE))
    assert result.best.attempt == 2
    log = Project(result.path).read(f"{result.best.directory}/output.log").decode()
    assert log.index("first words") < log.index("attempt 2") < log.index("last words")
    assert not [name for name in files_of(result) if "killed" in name]


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["webhdfs"])
def test_a_datanode_that_is_gone_for_twenty_seconds_costs_nothing(
    prefect_server, url_of, storage, hdfs_server, tmp_path
):
    marker = tmp_path / "marker"

    def train(x):
        import time
        from pathlib import Path

        from hopsml_flows import tensorboard

        marker.touch()
        until = time.monotonic() + 8
        events = Path(tensorboard.logdir(), "events.out.tfevents.1.host")
        while time.monotonic() < until:
            print("step of", x)
            with events.open("ab") as file:
                file.write(b"e" * 1000)
            time.sleep(0.05)
        return x

    def outage():
        while not marker.exists() and not over.is_set():
            time.sleep(0.1)
        time.sleep(2)
        hdfs_server.stop_data_node()
        time.sleep(20)
        hdfs_server.start_data_node()
        over.wait()  # the server dies with the thread that started it

    url = url_of(storage)
    over = threading.Event()
    thread = threading.Thread(target=outage)
    thread.start()
    try:
        options = run_with(url, TWO)
        result = experiment.grid_search(train, {"x": [1, 2, 3, 4]}, **options)
        check_complete(result)
    finally:
        over.set()
        thread.join()
        hdfs_server.stop_data_node()
        hdfs_server.start_data_node()
        # The NameNode believes in the dead one for a while; other tests must not.
        project = Project(url)
        persistently(lambda: project.replace("probe", b"x"), limit=10)
        persistently(lambda: project.read("probe"), limit=10)


def check_complete(result):
    assert [trial.metric for trial in result.trials] == [1.0, 2.0, 3.0, 4.0]
    project = Project(result.path)
    assert json.loads(project.read("experiment.json"))["state"] == "FINISHED"
    assert len(json.loads(project.read(".summary.json"))["combinations"]) == 4
    for trial in result.trials:
        committed = json.loads(project.read(f"{trial.directory}/.outputs.json"))["_commit"]
        for file in committed["files"]:
            assert project.info(f"{trial.directory}/{file['name']}").size == file["size"]


def test_when_the_storage_takes_no_files_they_are_kept_and_the_failure_says_where(
    prefect_server, url_of, tmp_path, monkeypatch
):
    """Another user's directory takes the place of the trial's."""
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "kept"))

    def train(x):
        import time
        from contextlib import suppress

        from hopsml_flows import hdfs
        from hopsml_flows.execution import current_trial
        from hopsml_flows.storage import TrialFiles

        context = current_trial()
        print("hours of work")
        place = f"Experiments/{context.experiment_id}/{context.trial.directory}"
        until = time.monotonic() + 120
        while not hdfs.exists(f"{place}/{TrialFiles.EVENTS_START}"):  # sent soon after the start
            assert time.monotonic() < until, "nothing came"
            time.sleep(0.1)
        while not hdfs.isfile(place):  # a round of sending makes the directory anew
            assert time.monotonic() < until, "it stays a directory"
            with suppress(OSError):
                hdfs.rmr(place)
            with suppress(OSError):
                hdfs.dump("in the way", place)
        return x

    url = url_of("webhdfs")
    with pytest.raises(ExperimentFailedError, match="storage did not take the trial's files"):
        experiment.grid_search(train, {"x": [1]}, **run_with(url, ONE, sync_interval=60))
    [log] = (tmp_path / "kept").rglob("output.log")
    assert "hours of work" in log.read_text()
    assert os.path.exists(log.parent / ".outputs.json")
