"""Two drivers and one experiment: one goes on, the other ends with an error before it starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentRunningError, ExperimentTakenOverError
from hopsml_flows.storage import ExperimentPaths, Project, lease, this_process
from tests.servers.homes import used_home
from tests.waiting import wait_until

from .training import product

DRIVER = """
import sys, time
from pathlib import Path
from hopsml_flows import experiment

def train(x):
    import os
    line = os.open(DIARY, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(line, f"{x}\\n".encode())
    os.close(line)
    while x > 1 and not os.path.exists(GO):
        time.sleep(0.05)
    return x

if __name__ == "__main__":
    DIARY, GO, resume = sys.argv[1], sys.argv[2], (sys.argv[3:] or [None])[0]
    experiment.grid_search(
        train, {"x": [1, 2, 3, 4]}, name="leased", resume=resume, progress=True, retries=0,
        cluster=experiment.ClusterConfig(kind="local", n_workers=1),
    )
"""


class Drivers:
    """Starts driver processes of one experiment."""

    def __init__(self, directory, url):
        self._script = directory / "driver.py"
        self._script.write_text(DRIVER)
        self._directory = directory
        self._url = url
        self.diary = directory / "diary"
        self.go = directory / "go"
        self.started = []

    def start(self, *arguments):
        number = len(self.started)
        log = (self._directory / f"driver-{number}.log").open("w")
        driver = subprocess.Popen(
            [sys.executable, str(self._script), str(self.diary), str(self.go), *arguments],
            cwd=self._directory,
            env={
                **os.environ,
                "HOPSML_PROJECT": self._url,
                "PREFECT_HOME": str(used_home(self._directory / f"prefect-{number}")),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        log.close()
        self.started.append(driver)
        return driver

    def output(self, driver):
        number = self.started.index(driver)
        return (self._directory / f"driver-{number}.log").read_text()

    def begun(self):
        return self.diary.read_text().split() if self.diary.exists() else []

    def kill(self, driver):
        """As a machine does that loses its power."""
        family = psutil.Process(driver.pid).children(recursive=True)
        os.killpg(driver.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        driver.wait(30)


@pytest.fixture
def drivers(request, tmp_path, url_of):
    made = Drivers(tmp_path, url_of(getattr(request, "param", "local")))
    yield made
    for driver in made.started:
        if driver.poll() is None:
            made.kill(driver)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "drivers",
    [
        "local",
        pytest.param("s3", marks=pytest.mark.slow),
        pytest.param("hopsfs", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_of_two_drivers_that_resume_an_experiment_at_once_one_goes_on(drivers):
    first = drivers.start()
    wait_until(lambda: drivers.begun() == ["1", "2"], 120, "the second trial")
    project = Project(drivers._url)
    [name] = project.listdir("Experiments")
    paths = ExperimentPaths(name)
    drivers.kill(first)  # its lease stays, and costs those that resume no time
    assert project.exists(paths.lease(1))

    both = [drivers.start(name) for _ in range(2)]
    wait_until(lambda: any(d.poll() is not None for d in both), 180, "the end of one of them")
    [loser] = [driver for driver in both if driver.poll() is not None]
    [winner] = [driver for driver in both if driver is not loser]
    assert loser.returncode != 0
    said = drivers.output(loser)
    running = f"because it is still running (process {winner.pid} on {socket.gethostname()})"
    assert f"ExperimentRunningError: resume: '{name}' cannot be used, {running}" in said
    drivers.go.touch()
    winner.wait(180)
    assert winner.returncode == 0, drivers.output(winner)

    # The second trial was running when the first driver was killed; each other one ran once.
    assert Counter(drivers.begun()) == {"1": 1, "2": 2, "3": 1, "4": 1}
    record = json.loads(project.read(paths.record))
    assert (record["state"], record["trials_succeeded"]) == ("FINISHED", 4)
    assert [n for n in project.listdir(paths.root) if n.startswith(".lease")] == []


@pytest.fixture
def stopped(options, project):
    """An experiment that was run, and a lease that another machine's driver left there."""
    result = experiment.grid_search(product, {"x": [1, 2]}, **options)
    paths = ExperimentPaths(result.id)
    process = {**this_process(), "host": "elsewhere", "pid": 17}
    text = json.dumps({"token": "other", "process": process, "seconds": 0.5})
    there = Project(project)
    there.replace(paths.lease(1), text)
    there.replace(paths.beat(1), '{"beat": 1}')
    record = json.loads(there.read(paths.record))
    there.replace(paths.record, json.dumps({**record, "state": "RUNNING"}))
    return there, paths


def test_an_experiment_that_another_machine_runs_is_not_resumed(stopped, options):
    project, paths = stopped
    over = threading.Event()

    def beat():
        number = 1
        while not over.wait(0.1):
            number += 1
            project.replace(paths.beat(1), json.dumps({"beat": number}))

    thread = threading.Thread(target=beat)
    thread.start()
    before = project.read(paths.record)
    try:
        with pytest.raises(ExperimentRunningError, match=r"still running \(process 17 on elsewh"):
            experiment.grid_search(product, {"x": [1, 2]}, resume=paths.id, **options)
    finally:
        over.set()
        thread.join()
    assert project.read(paths.record) == before


def test_an_experiment_whose_driver_on_another_machine_is_silent_goes_on(stopped, options, capsys):
    project, paths = stopped
    result = experiment.grid_search(
        product, {"x": [1, 2]}, resume=paths.id, **{**options, "progress": True}
    )
    assert [trial.metric for trial in result.trials] == [2, 4]
    assert "was last run by process 17 on elsewhere: waiting up to 2 s" in capsys.readouterr().out
    assert not project.exists(paths.lease(1))


def test_an_experiment_of_an_older_version_goes_on(options, experiments, project):
    result = experiment.grid_search(product, {"x": [1, 2]}, **options)
    path = project / "Experiments" / result.id / "experiment.json"
    record = json.loads(path.read_text())
    driver = {"host": "elsewhere", "pid": 1, "created": 1.0}
    path.write_text(json.dumps({**record, "state": "KILLED", "driver": driver}))
    again = experiment.grid_search(product, {"x": [1, 2]}, resume=result.id, **options)
    assert [trial.metric for trial in again.trials] == [2, 4]


@pytest.mark.parametrize("when", ["while a trial runs", "at its end"])
def test_a_driver_that_lost_its_experiment_writes_nothing_more(
    options, project, tmp_path, when, monkeypatch
):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.2 if when == "while a trial runs" else 1000)
    go, begun = tmp_path / "go", tmp_path / "begun"

    def train(x):

        begun.touch()
        until = time.monotonic() + 120
        while x == 2 and not go.exists() and time.monotonic() < until:
            time.sleep(0.05)
        return x

    there = Project(project)

    def take_over():
        wait_until(begun.exists, 120, "the first trial")
        [name] = there.listdir("Experiments")
        paths = ExperimentPaths(name)
        wait_until(lambda: there.exists(paths.lease(1)), 30, "its lease")
        process = {**this_process(), "host": "elsewhere", "pid": 17}
        text = json.dumps({"token": "other", "process": process, "seconds": 1000})
        there.create(paths.lease(2), text)
        there.remove(paths.lease(1))
        taken.append((paths, there.read(paths.record)))
        if when == "at its end":
            go.touch()  # else the run ends with a beat, and its trial with it

    taken = []
    thread = threading.Thread(target=take_over)
    thread.start()
    try:
        with pytest.raises(ExperimentTakenOverError, match="process 17 on elsewhere"):
            experiment.grid_search(train, {"x": [1, 2]}, **options)
    finally:
        go.touch()
        thread.join()
    [(paths, record)] = taken
    assert there.read(paths.record) == record
    assert json.loads(record)["state"] == "RUNNING"
    assert there.exists(paths.lease(2))
