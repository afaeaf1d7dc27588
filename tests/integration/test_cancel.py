"""Cancel and Retry as the UI's buttons do them, on what a worker runs and on what is served."""

from __future__ import annotations

import json
import sys
from collections import Counter

import psutil
import pytest

from tests.servers.homes import used_home
from tests.servers.prefect import (
    CANCEL,
    RETRY,
    Client,
    deployed,
    set_state,
    started,
    task_runs,
    wait_for_state,
)
from tests.servers.processes import left
from tests.waiting import wait_until

# From the seventh trial on they hang, in a process of their own, until they are let.
TRAIN = """
import os, subprocess
from pathlib import Path

here = Path(__file__).parent

def told(line):
    file = os.open(here / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\\n".encode())
    os.close(file)

def train(x=0, y=0, first=7):
    told(f"start {x}-{y}")
    starts = [line for line in (here / "diary").read_text().splitlines() if "start" in line]
    if starts.index(f"start {x}-{y}") + 1 >= first and not (here / "go").exists():
        child = subprocess.Popen(["sleep", "1000"])
        told("hangs")
        child.wait()
    told(f"end {x}-{y}")
    return x * y
"""

SERVE = """
from hopsml_flows import experiment

if __name__ == "__main__":
    experiment.launch.serve(name="served", pause_on_shutdown=False)
"""


class Cancelled:
    """An experiment that is cancelled in its middle, in a directory of its own."""

    def __init__(self, directory, hanging):
        directory.mkdir()
        (directory / "training.py").write_text(TRAIN)
        self.directory = directory
        self.hanging = hanging
        self.parameters = {
            "train": f"{directory}/training.py:train",
            "name": "cancelled",
            "project": f"{directory}/project",
            "cluster": {"kind": "local", "n_workers": hanging},
        }

    def diary(self):
        path = self.directory / "diary"
        return path.read_text().splitlines() if path.exists() else []

    def record(self):
        (path,) = (self.directory / "project" / "Experiments").glob("*/experiment.json")
        return json.loads(path.read_text())

    def cancel(self, server, run):
        """Ask for it once trials hang; the processes that it has by then."""
        wait_until(lambda: self.diary().count("hangs") == self.hanging, 120, "the last trials")
        driver = psutil.Process(self.record()["driver"]["pid"])
        family = [driver, *driver.children(recursive=True)]
        assert sum(process.name() == "sleep" for process in family) == self.hanging
        set_state(server, run, CANCEL)
        return family

    def check(self, server, run, family, *, succeeded):
        wait_for_state(server, run, "CANCELLED")
        assert left(family) == []
        record = self.record()
        assert (record["state"], record["trials_succeeded"]) == ("KILLED", succeeded)


@pytest.fixture
def serving(prefect_services, tmp_path):
    """A script that serves launches; called, it gives the deployment's identifier."""
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    process = prefect_services.run(
        [sys.executable, str(script)],
        tmp_path / "serve.log",
        PREFECT_HOME=str(used_home(tmp_path / "prefect")),
        PREFECT_RUNNER_POLL_FREQUENCY="1",
    )

    def deployment():
        path = "/deployments/name/launch/served"
        with Client(prefect_services.api_url) as client:
            wait_until(lambda: client.get(path).is_success, 120, "the deployment")
            return client.get(path).json()["id"]

    yield deployment
    process.stop()


def test_a_cancelled_run_leaves_no_process_and_goes_on_when_it_is_retried(
    prefect_services, process_worker, serving, tmp_path
):
    """On what a worker runs, and on what is served; side by side, as most of it is waiting."""
    server = prefect_services
    worked, served = Cancelled(tmp_path / "worked", 2), Cancelled(tmp_path / "served", 1)
    search = {
        "boundary_dict": {"x": [0.0, 1.0], "y": [1, 9]},
        "generations": 2,
        "population": 4,
        "seed": 3,
    }
    deployment = deployed(server, "differential_evolution", worked.directory)
    run = started(server, deployment, {**worked.parameters, **search})
    other = started(server, serving(), {**served.parameters, "args_dict": {"first": [1]}})
    family = worked.cancel(server, run)
    other_family = served.cancel(server, other)
    worked.check(server, run, family, succeeded=6)
    served.check(server, other, other_family, succeeded=0)
    killed = worked.record()

    (worked.directory / "go").touch()
    set_state(server, run, RETRY)
    wait_until(lambda: worked.record()["state"] != "KILLED", 120, "the second attempt")
    shown = wait_for_state(server, run, "COMPLETED", "FAILED", "CRASHED")
    assert (shown["state_type"], shown["run_count"]) == ("COMPLETED", 2)
    record = worked.record()
    assert (record["state"], record["trials_succeeded"]) == ("FINISHED", 12)
    assert (record["id"], record["flow_run_id"]) == (killed["id"], run)
    starts, ends = (
        Counter(line.split()[1] for line in worked.diary() if line.startswith(what))
        for what in ("start", "end")
    )
    assert set(ends.values()) == {1}  # nothing was evaluated twice
    assert len(ends) == 12
    assert sorted(starts.values()) == [1] * 10 + [2] * 2  # the two that hung

    with Client(server.api_url) as client:
        found = client.found("flow_runs", {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}})
    generations = sorted((entry["name"], entry["state_type"]) for entry in found)
    assert generations == [
        (f"{record['id']}-generation-0", "COMPLETED"),
        (f"{record['id']}-generation-1", "CANCELLED"),
        (f"{record['id']}-generation-1 attempt 2", "COMPLETED"),
        (f"{record['id']}-generation-2 attempt 2", "COMPLETED"),
    ]
    assert shown["name"] == record["id"]  # one flow run, which keeps its name
    tasks = task_runs(run, 3, server.api_url)
    assert sorted((task["name"], task["dynamic_key"]) for task in tasks) == [
        ("generation-0", "0"),
        ("generation-1", "1"),
        ("generation-2", "2"),
    ]
