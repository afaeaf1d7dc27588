"""Cancel and Retry as the UI's buttons do them, on what a worker runs and on what is served."""

from __future__ import annotations

import json
import sys
from collections import Counter

import httpx
import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.flows import records
from tests.servers.prefect import (
    CANCEL,
    RETRY,
    deployed,
    set_state,
    started,
    wait_for_state,
)
from tests.servers.processes import wait_until

from .training import product

# Two trials of the second generation hang, in a process of their own, until they are let.
TRAIN = """
import os, subprocess
from pathlib import Path

here = Path(__file__).parent

def told(line):
    file = os.open(here / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\\n".encode())
    os.close(file)

def train(x, y):
    told(f"start {x}-{y}")
    if (here / "diary").read_text().count("start") > 6 and not (here / "go").exists():
        child = subprocess.Popen(["sleep", "1000"])
        told("hangs")
        child.wait()
    told(f"end {x}-{y}")
    return x * y
"""

SERVE = """
from hopsml_flows import experiment

if __name__ == "__main__":
    experiment.differential_evolution.serve(name="served", pause_on_shutdown=False)
"""


@pytest.fixture
def here(tmp_path):
    (tmp_path / "training.py").write_text(TRAIN)
    return tmp_path


@pytest.fixture
def parameters(here):
    return {
        "train": f"{here}/training.py:train",
        "boundary_dict": {"x": [0.0, 1.0], "y": [1, 9]},
        "generations": 2,
        "population": 4,
        "seed": 3,
        "name": "cancelled",
        "project": f"{here}/project",
        "cluster": {"kind": "local", "n_workers": 2},
    }


def diary(here):
    return (here / "diary").read_text().splitlines() if (here / "diary").exists() else []


def record_of(here):
    (path,) = (here / "project" / "Experiments").glob("*/experiment.json")
    return json.loads(path.read_text())


def cancelled_in_its_middle(server, run, here):
    """Cancel a run while two trials hang; what it left."""
    wait_until(lambda: diary(here).count("hangs") == 2, 120, "the seventh and eighth trial")
    driver = psutil.Process(record_of(here)["driver"]["pid"])
    family = [driver, *driver.children(recursive=True)]
    assert sum(process.name() == "sleep" for process in family) == 2
    set_state(server, run, CANCEL)
    wait_for_state(server, run, "CANCELLED")
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [process for process in alive if process.status() != "zombie"] == []
    record = record_of(here)
    assert (record["state"], record["trials_succeeded"]) == ("KILLED", 6)
    return record


def test_a_cancelled_run_leaves_no_process_and_goes_on_when_it_is_retried(
    prefect_services, process_worker, here, parameters
):
    server = prefect_services
    deployment = deployed(server, "differential_evolution", here)
    run = started(server, deployment, parameters)
    killed = cancelled_in_its_middle(server, run, here)

    (here / "go").touch()
    set_state(server, run, RETRY)
    wait_until(lambda: record_of(here)["state"] != "KILLED", 120, "the second attempt")
    shown = wait_for_state(server, run, "COMPLETED", "FAILED", "CRASHED")
    assert (shown["state_type"], shown["run_count"]) == ("COMPLETED", 2)
    record = record_of(here)
    assert (record["state"], record["trials_succeeded"]) == ("FINISHED", 12)
    assert (record["id"], record["flow_run_id"]) == (killed["id"], run)
    starts, ends = (
        Counter(line.split()[1] for line in diary(here) if line.startswith(what))
        for what in ("start", "end")
    )
    assert set(ends.values()) == {1}  # nothing was evaluated twice
    assert len(ends) == 12
    assert sorted(starts.values()) == [1] * 10 + [2] * 2  # the two that hung

    body = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
    found = httpx.post(f"{server.api_url}/flow_runs/filter", json=body, timeout=30).json()
    generations = sorted((entry["name"], entry["state_type"]) for entry in found)
    assert generations == [
        ("generation-0", "COMPLETED"),
        ("generation-1", "CANCELLED"),
        ("generation-1", "COMPLETED"),
        ("generation-2", "COMPLETED"),
    ]
    body = {"flow_runs": {"id": {"any_": [run]}}}
    tasks = httpx.post(f"{server.api_url}/task_runs/filter", json=body, timeout=30).json()
    assert sorted((task["name"], task["dynamic_key"]) for task in tasks) == [
        ("generation-0", "0"),
        ("generation-1", "1"),
        ("generation-2", "2"),
    ]


def test_a_served_run_is_cancelled_in_the_same_way(prefect_services, here, parameters):
    server = prefect_services
    script = here / "serve.py"
    script.write_text(SERVE)
    serving = server.run(
        [sys.executable, str(script)],
        here / "serve.log",
        PREFECT_HOME=str(here / "prefect"),
        PREFECT_RUNNER_POLL_FREQUENCY="1",
    )
    try:
        path = f"{server.api_url}/deployments/name/differential-evolution/served"
        wait_until(lambda: httpx.get(path, timeout=30).is_success, 120, "the deployment")
        deployment = httpx.get(path, timeout=30).json()["id"]
        run = started(server, deployment, parameters)
        cancelled_in_its_middle(server, run, here)
    finally:
        serving.stop()


def test_a_run_that_is_stopped_while_it_begins_has_a_killed_record(
    options, experiments, monkeypatch
):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "environment_text", stopped)
    with pytest.raises(KeyboardInterrupt):
        experiment.grid_search(product, {"x": [1]}, **options)
    (record,) = experiments().values()
    assert (record["state"], record["trials_total"]) == ("KILLED", 1)
