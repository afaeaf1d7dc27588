"""Trials of several processes: how they start, what they know of each other, how they end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError, TooFewWorkersError
from hopsml_flows.storage import Project
from tests.servers import s3
from tests.servers.prefect import task_runs
from tests.waiting import wait_until


def _task_runs(flow_run_id, count):
    return sorted((run["name"], run["state_type"]) for run in task_runs(flow_run_id, count))


def _children():
    """Processes of groups on this machine that are this test run's."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "execution.process.training_program" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_search_over_groups_gives_each_trial_processes_that_know_each_other(
    options, experiments, task_run_logs
):
    def train(x):
        import json
        import os
        import socket
        import time

        from hopsml_flows import distributed, tensorboard

        print(f"{distributed.role()} {distributed.index()} works on {x}")
        config = json.loads(os.environ["TF_CONFIG"])
        if not distributed.is_chief():
            assert config["task"] == {"type": "worker", "index": 0}
            assert os.environ["RANK"] == "1"
            if x == 3:
                raise SystemExit(3)
            return "what a worker returns is its own affair: " + str(object)
        if x == 3:
            time.sleep(100)
        # What is kept for this process can be bound by it alone.
        port = int(config["cluster"]["chief"][0].rpartition(":")[2])
        assert port != int(os.environ["MASTER_PORT"])
        for number, option in ((port, socket.SO_REUSEPORT), (int(os.environ["MASTER_PORT"]), 2)):
            with socket.socket() as other:
                try:
                    other.bind(("127.0.0.1", number))
                except OSError:
                    pass
                else:
                    raise AssertionError("the port was free for everybody")
            with socket.socket() as own:
                own.setsockopt(socket.SOL_SOCKET, option, 1)
                own.bind(("", number))
                own.listen()
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR")
        return {
            "accuracy": x / 10,
            "cluster": {role: len(there) for role, there in config["cluster"].items()},
            "task": config["task"],
            "torch": [os.environ[name] for name in names],
            "events": tensorboard.logdir(),
            "pid": os.getpid(),
        }

    result = experiment.grid_search(
        train,
        {"x": [1, 2, 3]},
        optimization_key="accuracy",
        processes_per_trial=2,
        retries=0,
        **options,
    )
    assert [trial.state for trial in result.trials] == ["FINISHED", "FINISHED", "FAILED"]
    assert result.best_params == {"x": 2}
    best = result.best.outputs
    assert best["cluster"] == {"chief": 1, "worker": 1}
    assert best["task"] == {"type": "chief", "index": 0}
    assert best["torch"] == ["0", "2", "0", "127.0.0.1"]
    directory = Path(result.best_dir)
    assert best["events"] == f"Experiments/{result.id}/{result.best.name}/logdir"
    assert "chief 0 works on 2" in (directory / "output.log").read_text()
    assert "worker 0 works on 2" in (directory / "worker_0_output.log").read_text()
    assert not _children()
    (record,) = experiments().values()
    assert record["options"]["processes_per_trial"] == 2
    runs = dict(_task_runs(result.flow_run_id, 6))
    assert len(runs) == 6
    assert runs["0002-x=2/chief-0"] == runs["0002-x=2/worker-0"] == "COMPLETED"
    assert runs["0003-x=3/worker-0"] == "FAILED"
    logs = task_run_logs(result.flow_run_id, 6)
    for process in ("chief", "worker"):
        told = logs[f"0002-x=2/{process}-0"]
        assert told.count((logging.INFO, f"{process} 0 works on 2")) == 1, told
    assert any("SystemExit" in text for level, text in logs["0003-x=3/worker-0"] if level > 30)


def test_a_process_that_dies_takes_its_group_along_which_goes_on_from_what_it_left(
    options, tmp_path
):
    diary = str(tmp_path)

    def train(how):
        import os
        import time
        from pathlib import Path

        import psutil

        from hopsml_flows import distributed

        checkpoint = Path(distributed.checkpoint_dir(), "step")
        begin = int(checkpoint.read_text()) if checkpoint.exists() else 0
        me = f"{how}-{distributed.role()}-{begin}"
        Path(diary, me).write_text(str(os.getpid()))
        if begin == 0:
            if not distributed.is_chief():
                while not checkpoint.exists():
                    time.sleep(0.05)
                # This process alone, or the worker that looks after it, and no other.
                victim = psutil.Process() if how == "process" else psutil.Process().parent()
                line = " ".join(victim.cmdline())
                assert how == "process" or "fork_program" in line or "spawn_main" in line
                victim.kill()
                time.sleep(1000)
            while not Path(diary, f"{how}-worker-0").exists():  # it has seen that there is none
                time.sleep(0.05)
            checkpoint.write_text("7")
            time.sleep(1000)
        return begin

    result = experiment.grid_search(
        train, {"how": ["process", "worker"]}, processes_per_trial=2, **options
    )
    assert [trial.metric for trial in result.trials] == [7.0, 7.0]
    assert [trial.attempt for trial in result.trials] == [2, 2]
    for entry in tmp_path.iterdir():
        if entry.name.startswith(("process-", "worker-")):
            pid = int(entry.read_text())
            wait_until(lambda pid=pid: not psutil.pid_exists(pid), 30, "the end of a process")
    log = Path(result.trials[0].directory)
    log = Path(result.path) / log / "worker_0_output.log"
    assert "ended by signal 9 (SIGKILL)" in log.read_text()
    assert "attempt 2" in log.read_text()
    states = [state for _, state in _task_runs(result.flow_run_id, 8)]
    assert states.count("CRASHED") == 2
    assert states.count("CANCELLED") == 2
    assert states.count("COMPLETED") == 4


def test_an_exception_of_one_process_stops_the_others_and_names_it(options, tmp_path):
    def train(x):
        import time

        from hopsml_flows import distributed

        if distributed.role() == "worker":
            raise ValueError("no such thing")
        time.sleep(1000)  # it is ended: the test has less time

    with pytest.raises(ExperimentFailedError, match="worker-0: no such thing") as caught:
        experiment.grid_search(train, {"x": [1]}, processes_per_trial=2, **options)
    (trial,) = caught.value.result.trials
    assert trial.failure.kind == "ValueError"
    assert trial.attempt == 1
    assert not _children()


def test_too_few_workers_are_waited_for_as_long_as_told_and_counted(options, experiments):
    with pytest.raises(TooFewWorkersError, match=r"3 workers \(1 chief, 2 worker\), and 2 are"):
        experiment.mirrored(lambda: 1, num_workers=3, wait_for_workers=0.5, **options)
    (record,) = experiments().values()
    assert record["state"] == "FAILED"
    assert "3 workers" in record["error"]


def test_processes_that_cannot_start_are_an_error_that_says_how_they_ended(options):
    # The interpreter itself ends, before anything of the project runs in it.
    broken = {"PYTHONHOME": "/nowhere"}
    with pytest.raises(ExperimentFailedError, match=r"its process exited with code 1") as caught:
        experiment.mirrored(lambda: 1, num_workers=2, environment=broken, retries=1, **options)
    (trial,) = caught.value.result.trials
    assert trial.attempt == 2
    logs = "".join(log.read_text() for log in Path(caught.value.result.path).glob("*_output.log"))
    assert logs.count("its process exited with code 1") >= 2  # the first to end, of each attempt
    assert logs.count("No module named 'encodings'") >= 2
    assert not _children()


def test_what_a_process_starts_and_writes_ends_with_it_and_its_path_is_as_told(options, tmp_path):
    elsewhere, modules, diary = tmp_path / "tmp", tmp_path / "modules", tmp_path / "diary"
    for directory in (elsewhere, modules, diary):
        directory.mkdir()
    (modules / "only_here.py").write_text("VALUE = 5\n")
    path = str(diary)

    def train():
        import os
        import subprocess
        import time
        from pathlib import Path

        import only_here

        from hopsml_flows import distributed

        Path("relative").write_text("x")
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        name = distributed.role()
        Path(path, f".{name}").write_text(f"{child.pid} {os.getcwd()}")
        Path(path, f".{name}").rename(Path(path, name))
        while not Path(path, "worker").exists():
            time.sleep(0.05)
        if not distributed.is_chief():
            time.sleep(1000)
        raise RuntimeError(f"the value is {only_here.VALUE}")

    variables = {"PYTHONPATH": str(modules), "TMPDIR": str(elsewhere)}
    with pytest.raises(ExperimentFailedError, match="the value is 5") as caught:
        experiment.mirrored(train, num_workers=2, environment=variables, **options)
    assert list(elsewhere.iterdir()) == []
    assert not list(Path(tempfile.gettempdir()).glob(f"hopsml-group-{caught.value.result.id}-*"))
    assert {entry.name for entry in diary.iterdir()} == {"chief", "worker"}
    for entry in diary.iterdir():
        pid, _, directory = entry.read_text().partition(" ")
        wait_until(
            lambda pid=pid: not psutil.pid_exists(int(pid)), 30, "the end of what it started"
        )
        assert not Path(directory).exists()


def test_a_process_that_is_to_train_does_not_serve(options):
    def train():
        from hopsml_flows import distributed

        distributed.serve()

    with pytest.raises(ExperimentFailedError, match=r"NotServingError: .*a chief of 1 chief"):
        experiment.mirrored(train, num_workers=1, **options)


ENDLESS = """
import time
from pathlib import Path
from hopsml_flows import experiment
def train(x):
    from hopsml_flows import distributed
    (Path(distributed.checkpoint_dir()) / distributed.role()).touch()
    time.sleep(1000)
experiment.grid_search(train, {"x": [1]}, processes_per_trial=2, cluster=%r, project="project")
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_driver_that_is_gone_leaves_nothing_on_the_cluster(
    prefect_server, dask_address, tmp_path, stop
):
    driver = subprocess.Popen(
        [sys.executable, "-c", ENDLESS % dask_address],
        cwd=tmp_path,
        env={**os.environ, "PREFECT_API_URL": prefect_server},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while len(list(tmp_path.glob("project/Experiments/*/0*/checkpoints/*"))) < 2:
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        family = _children()
        assert len(family) == 2
        driver.send_signal(stop)
        driver.wait(60)
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []
        (experiment,) = (tmp_path / "project" / "Experiments").iterdir()
        shared = Path(tempfile.gettempdir()) / f"hopsml-group-{experiment.name}-1"
        wait_until(lambda: not shared.exists(), 30, f"the end of {shared}")
    finally:
        driver.kill()
        driver.wait()


def test_on_remote_storage_a_training_goes_on_from_the_checkpoint_that_was_brought(
    options, s3_server, monkeypatch
):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)

    def train():
        from pathlib import Path

        from hopsml_flows import distributed, tensorboard

        step = Path(distributed.checkpoint_dir(), "deep", "step")
        print(f"{distributed.role()} finds {step.exists()}")
        Path(tensorboard.logdir(), f"events.out.tfevents.1.{distributed.role()}").write_bytes(b"e")
        if step.exists():
            return int(step.read_text())
        if distributed.is_chief():
            step.parent.mkdir()
            step.write_text("7")
            raise RuntimeError("not yet")
        return None

    remote = {**options, "project": s3.new_url()}
    with pytest.raises(ExperimentFailedError, match="chief-0: not yet") as caught:
        experiment.mirrored(train, evaluator=True, num_workers=1, **remote)
    failed = caught.value.result
    assert not list(Path(tempfile.gettempdir()).glob(f"hopsml-group-{failed.id}-*"))
    result = experiment.mirrored(train, evaluator=True, num_workers=1, resume=failed.id, **remote)
    log = f"Experiments/{failed.id}/chief_0_output.log"
    assert result.outputs == {"metric": 7, "log": log}
    project = Project(result.path)
    assert b"finds False" in project.read("chief_0_output.log")
    for log in ("chief_0_output.log", "evaluator_0_output.log"):
        assert b"finds True" in project.read(log)
    files = {file.name for file in project.walk_files("")}
    assert "checkpoints/deep/step" in files
    assert "logdir/events.out.tfevents.1.chief" in files
    assert "logdir/evaluator/events.out.tfevents.1.evaluator" in files
    assert not list(Path(tempfile.gettempdir()).glob(f"hopsml-group-{failed.id}-*"))
