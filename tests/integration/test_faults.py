from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import TrialTaskRunner
from hopsml_flows.errors import ExperimentFailedError, ResourceUnavailableError
from hopsml_flows.experiment import ClusterConfig
from tests import events
from tests.servers.homes import used_home
from tests.servers.prefect import answers, task_runs
from tests.servers.processes import free_ports, gone, left
from tests.waiting import eventually, wait_until
from tests.workers import running, workers_of

from .training import product

TWO = ClusterConfig(kind="local", n_workers=2)


def tensorboard_shows(result):
    """Status of each trial in TensorBoard's HPARAMS tab."""
    return [events.status(Path(result.path) / trial.directory) for trial in result.trials]


def test_killed_workers_cost_one_attempt_of_the_trial_they_ran(prefect_server, project, tmp_path):
    def train(x):
        import os
        import time
        from pathlib import Path

        from hopsml_flows import tensorboard

        def told(what):
            line = os.open(Path(diary), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(line, f"{what} {x}\n".encode())
            if what == "start":
                os.write(line, f"worker {os.getppid()}\n".encode())
            os.close(line)

        # The file that marks a finished trial; only a kill before it may cost another attempt.
        told("again" if (Path(tensorboard.logdir()) / ".outputs.json").exists() else "start")
        time.sleep(0.4)  # ten kills take eleven seconds, and workers are back at once
        told("end")
        return x

    diary = str(tmp_path / "diary")
    kills: list[int] = []
    others = {worker.pid for worker in workers_of()}  # of the cluster that tests share
    over = threading.Event()

    def any_worker(choose):
        workers = [w.pid for w in workers_of() if w.pid not in {*kills, *others}]
        return choose.choice(workers) if workers else None

    def worker_that_trains():
        """Of the trial that began last, as soon as it begins."""

        def newest():
            told = Path(diary).read_text().splitlines()
            workers = [int(line.split()[1]) for line in told if line.startswith("worker")]
            return len(workers), (workers or [0])[-1]

        seen, _ = newest()
        count, worker = eventually(newest, lambda now: now[0] > seen or over.is_set(), pause=0.02)
        return worker if count > seen and worker not in kills else None

    def murder():
        choose = random.Random(5)
        while not Path(diary).exists() and not over.is_set():
            time.sleep(0.1)
        while len(kills) < 10 and not over.is_set():
            time.sleep(1.1)
            # One that may only have started, and one that surely costs a trial an attempt.
            victim = any_worker(choose) if len(kills) % 2 else worker_that_trains()
            if victim is not None:
                os.kill(victim, signal.SIGKILL)
                kills.append(victim)

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        result = experiment.grid_search(
            train,
            {"x": list(range(100))},
            project=str(project),
            cluster=TWO,
            retries=10,
            progress=False,
        )
    finally:
        over.set()
        thread.join()

    assert len(kills) == 10
    assert [trial.metric for trial in result.trials] == [float(x) for x in range(100)]
    assert set(tensorboard_shows(result)) == {"SUCCESS"}  # whatever happened to earlier attempts
    lines = Path(diary).read_text().splitlines()
    starts = {x: lines.count(f"start {x}") for x in range(100)}
    assert not any(line.startswith("again") for line in lines)  # finished trials never run again
    assert all(f"end {x}" in lines for x in range(100))
    attempts = [trial.attempt for trial in result.trials]
    # A kill costs the trial that ran one attempt, and no other trial anything; an attempt may be
    # lost before its first line.
    assert sum(starts.values()) <= sum(attempts) <= 100 + 10
    assert max(attempts) >= 2

    runs = task_runs(result.flow_run_id, sum(attempts))
    assert {run["state_type"] for run in runs} == {"COMPLETED", "CRASHED"}
    completed = Counter(run["name"] for run in runs if run["state_type"] == "COMPLETED")
    crashed = [run for run in runs if run["state_type"] == "CRASHED"]
    # Each attempt is one task run. All but a trial's last one crashed; the last one, too, where the
    # worker was killed between the trial's commit and its report.
    assert set(completed.values()) == {1}
    assert Counter(run["name"] for run in runs) == {t.name: t.attempt for t in result.trials}
    assert sum(completed.values()) >= 100 - len(kills)
    assert all("died" in run["state"]["message"] for run in crashed)
    for trial in result.trials:
        log = (Path(result.path) / trial.directory / "output.log").read_text()
        told = re.findall(r"attempt (\d+): the worker of the attempt before was lost", log)
        # An attempt may be lost before its first line; the last one is not.
        assert told[-1:] == ([str(trial.attempt)] if trial.attempt > 1 else [])


def test_a_trial_that_always_kills_its_process_fails_and_the_others_go_on(prefect_server, project):
    def train(x):
        import os
        import signal

        if x == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    result = experiment.grid_search(
        train, {"x": [1, 2, 3]}, project=str(project), cluster=TWO, retries=1, progress=False
    )
    assert [trial.state.value for trial in result.trials] == ["FINISHED", "FAILED", "FINISHED"]
    assert result.trials[1].attempt == 2
    assert "its process was ended by signal 9 (SIGKILL)" in str(result.trials[1].failure)
    assert tensorboard_shows(result) == ["SUCCESS", "FAILURE", "SUCCESS"]
    runs = task_runs(result.flow_run_id, 4)
    assert sorted(run["state_type"] for run in runs) == [
        "COMPLETED",
        "COMPLETED",
        "CRASHED",
        "CRASHED",
    ]


def test_a_trial_past_its_time_is_stopped(prefect_server, project):
    def train(how):
        import ctypes
        import subprocess
        import time

        if how == "listens":
            while True:
                time.sleep(0.01)
        if how == "swallows":
            while True:
                try:
                    time.sleep(0.01)
                except Exception:
                    continue
        if how == "sleeps in C":
            child = subprocess.Popen(["sleep", "1000"])
            print("child", child.pid, flush=True)
            # With the interpreter's lock held: no other thread of the process can run.
            ctypes.PyDLL(None).sleep(1000)
        return 1.0

    kinds = ["listens", "swallows", "sleeps in C", "behaves"]
    began = time.monotonic()
    result = experiment.grid_search(
        train,
        {"how": kinds},
        project=str(project),
        cluster=TWO,
        trial_timeout=6,  # one that behaves may be slow to load
        progress=False,
    )
    assert time.monotonic() - began < 100  # without the limit it would never end
    states = {trial.params["how"]: trial for trial in result.trials}
    assert states["behaves"].state.value == "FINISHED"
    for how in kinds[:3]:
        assert states[how].state.value == "FAILED", how
        assert states[how].attempt == 1
        assert states[how].failure.kind == "TrialTimeoutError"
        assert "trial_timeout of 6 s" in states[how].failure.message

    assert tensorboard_shows(result) == ["FAILURE", "FAILURE", "FAILURE", "SUCCESS"]

    def log(how):
        return (Path(result.path) / states[how].directory / "output.log").read_text()

    assert "past trial_timeout of 6 s: asked to stop" in log("listens")
    assert "asked to stop" in log("swallows")
    assert "Timeout (0:00:11)!" in log("sleeps in C")  # asked for 6 s, ended 5 s later
    assert "in train" in log("sleeps in C")
    pid = int(log("sleeps in C").split("child ")[1].split()[0])
    wait_until(lambda: gone(pid), 30, "the end of what it started")
    assert {run["state_type"] for run in task_runs(result.flow_run_id, 4)} <= {
        "COMPLETED",
        "FAILED",
        "CRASHED",
    }


def test_a_resource_that_nobody_has_is_an_error_and_no_endless_wait(options):
    began = time.monotonic()
    with pytest.raises(ResourceUnavailableError, match=r"no worker has {'GPU': 1}"):
        experiment.grid_search(
            product,
            {"x": [1]},
            project=options["project"],
            cluster=ClusterConfig(address=options["cluster"], gpus_per_trial=1),
            progress=False,
        )
    assert time.monotonic() - began < 30


def test_annotated_resources_are_checked_in_anybodys_flow(prefect_server, dask_address):
    import dask
    from prefect import flow, task

    @task
    def one():
        return 1

    @flow(task_runner=TrialTaskRunner(ClusterConfig(address=dask_address)))
    def asks():
        with dask.annotate(resources={"memory-of-an-elephant": 1}):
            return one.submit().result()

    with pytest.raises(ResourceUnavailableError, match="memory-of-an-elephant"):
        asks()


LONG = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in background
from hopsml_flows import experiment
def train(x):
    if x == 0:
        return 7.0
    child = subprocess.Popen(["sleep", "1000"])
    print("working")
    open(f"started-{x}", "w").close()
    os.rename(f"started-{x}", os.path.join(%(here)r, f"started-{x}"))
    time.sleep(1000)
experiment.grid_search(train, {"x": [0, 1, 2, 3]}, name="long",
                       cluster=experiment.ClusterConfig(kind="local", n_workers=2))
"""


@pytest.mark.parametrize(
    ("server", "stop"),
    [
        ("embedded", "sigterm"),
        ("embedded", "ctrl-c"),
        ("running", "sigterm"),
        ("running", "ctrl-c"),
        ("running", "terminal closed"),
        ("running", "connection lost"),
    ],
)
def test_a_stopped_driver_leaves_no_process_and_a_killed_record(
    prefect_server, tmp_path, stop, server
):
    script = tmp_path / "program.py"
    script.write_text(LONG % {"here": str(tmp_path)})
    environment = {
        **os.environ,
        "PREFECT_HOME": str(used_home(tmp_path / "prefect")),
        "HOPSML_TENSORBOARD": "true",
    }
    if server == "running":
        environment["PREFECT_API_URL"] = prefect_server
    terminal, theirs = os.openpty()
    in_terminal = stop == "terminal closed"
    driver = subprocess.Popen(
        # setsid --ctty: the terminal is the driver's controlling one, whose end it is told.
        [*(["setsid", "--ctty"] if in_terminal else []), sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        stdin=theirs,
        stdout=theirs if in_terminal else subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=None if in_terminal else 0,
    )
    os.close(theirs)
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("started-*"))) < 2 and time.monotonic() < deadline:
            assert driver.poll() is None, driver.stdout.read()
            if in_terminal and select.select([terminal], [], [], 0)[0]:
                os.read(terminal, 65536)
            time.sleep(0.1)
        family = psutil.Process(driver.pid).children(recursive=True)
        assert len(family) >= 4  # two workers and what their trials started
        assert any(
            "hopsml_flows.board.tensorboard_program" in process.cmdline() for process in family
        )
        if stop == "ctrl-c":
            os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
        elif stop == "connection lost":
            os.killpg(driver.pid, signal.SIGHUP)  # as a shell does
        elif stop == "sigterm":
            driver.send_signal(signal.SIGTERM)
        else:
            os.close(terminal)
        output, _ = driver.communicate(timeout=90)
    finally:
        if not in_terminal:
            os.close(terminal)
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode != 0
    assert left(family) == [], output
    (root,) = (tmp_path / "hopsml_project" / "Experiments").iterdir()
    if stop == "ctrl-c":
        sentence = f"Stopped. To go on: the same call with resume='{root.name}'"
        assert output.splitlines().count(sentence) == 1, output
        assert "KeyboardInterrupt" not in output  # no traceback of one
        assert driver.returncode == -signal.SIGINT
    record = json.loads((root / "experiment.json").read_text())
    assert record["state"] == "KILLED"
    assert record["tensorboard"] is None
    assert not (root / "TensorBoard.task0").exists()
    assert (record["trials_succeeded"], record["metric"]) == (1, 7.0)
    assert record["best_trial"] == "0001-x=0"
    shown = {entry.name: events.status(entry) for entry in root.iterdir() if entry.is_dir()}
    assert shown.pop("0001-x=0") == "SUCCESS"
    assert set(shown.values()) == {"FAILURE"}
    if server == "running":
        runs = task_runs(record["flow_run_id"], 3)
        states = {run["name"]: run["state_type"] for run in runs}
        assert states.pop("0001-x=0") == "COMPLETED"
        assert len(states) >= 2
        assert set(states.values()) <= {"CANCELLED", "CRASHED"}


def test_a_server_that_goes_away_for_a_while_costs_nothing(project, tmp_path):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/api"
    gate = str(tmp_path / "back")

    def start():
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            env={**os.environ, "PREFECT_HOME": str(used_home(tmp_path / "prefect"))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def stop(server):
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(20)

    def healthy():
        wait_until(lambda: answers(url), 120, "the start of the server")

    servers = [start()]
    healthy()
    outages: list[float] = []

    def interrupt():
        def trials(what=""):
            return len(list(project.glob(f"Experiments/*/0*{what}")))

        try:
            wait_until(lambda: trials("/.outputs.json") >= 4, 120, "the first trials")
            stop(servers[0])
            outages.append(time.time())
            begun = trials()
            time.sleep(4)
            wait_until(lambda: trials() >= begun + 4, 60, "work without the server")
            outages.append(time.time())
            servers.append(start())
            healthy()
        finally:
            Path(gate).touch()

    def train(x):
        import time
        from pathlib import Path

        time.sleep(0.5)
        while x >= 40 and not Path(gate).exists():  # the end comes when the server is back
            time.sleep(0.05)
        return x

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            result = experiment.grid_search(
                train, {"x": list(range(60))}, project=str(project), cluster=TWO, progress=False
            )
            thread.join()
            assert outages
            down, up = outages
            meanwhile = [trial for trial in result.trials if down < trial.started < up]
            assert len(meanwhile) >= 2  # work went on while the server was away
            assert [trial.metric for trial in result.trials] == [float(x) for x in range(60)]
            runs = task_runs(result.flow_run_id, 60)
            assert sorted(run["name"] for run in runs) == sorted(t.name for t in result.trials)
            assert {run["state_type"] for run in runs} == {"COMPLETED"}
    finally:
        thread.join()
        stop(servers[-1])


@pytest.mark.slow
def test_a_server_that_never_comes_back_costs_no_result(project):
    """The driver returns the result although it cannot report the end of the flow run."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from hopsml_flows.errors import HopsmlWarning
    from hopsml_flows.server.embedded import embedded_server

    with temporary_settings(restore_defaults={PREFECT_API_URL}), embedded_server() as url:
        program = "hopsml_flows.server.embedded_program"
        servers = running(program, psutil.Process().children())
        assert url is not None

        def interrupt():
            wait_until(
                lambda: bool(list(project.glob("Experiments/*/0*/.outputs.json"))),
                120,
                "the first trial",
            )
            max(servers, key=psutil.Process.create_time).kill()  # numbers may begin anew

        def train(x):
            import time

            print("before")
            time.sleep(0.5)
            print("after")
            return x

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.warns(HopsmlWarning, match="Prefect server"):
            result = experiment.grid_search(
                train, {"x": [1, 2, 3, 4]}, project=str(project), cluster=TWO, progress=False
            )
        thread.join()
    assert [trial.metric for trial in result.trials] == [1.0, 2.0, 3.0, 4.0]
    for trial in result.trials:  # lines that the server did not take have left no trace here
        log = (Path(result.path) / trial.directory / "output.log").read_text()
        assert re.findall("Z (.*)", log)[1:] == ["before", "after"]
    (root,) = (project / "Experiments").iterdir()
    assert json.loads((root / "experiment.json").read_text())["state"] == "FINISHED"


def test_an_experiment_that_fails_in_the_driver_says_so_in_its_record(options, experiments):
    with pytest.raises(ExperimentFailedError):
        experiment.launch(lambda: 1 / 0, **options)
    (record,) = experiments().values()
    assert record["state"] == "FAILED"
    assert "ZeroDivisionError" in record["error"]
