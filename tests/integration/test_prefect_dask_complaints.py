"""Open complaints about ``prefect-dask``, and what happens here instead, as Prefect's API tells it.

Each test names the issue. ``docs/how-to/beside-prefect-dask.md`` is the page about them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client

from hopsml_flows import experiment
from hopsml_flows.cluster import TrialTaskRunner
from hopsml_flows.experiment import ClusterConfig
from tests.servers.prefect import task_runs

ONE = ClusterConfig(kind="local", n_workers=1)
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def flow_state(flow_run_id):
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(str(flow_run_id))).state_type.value


def kill_the_worker():
    """End the Dask worker that runs the calling trial, without a word."""
    import os
    import signal
    import time

    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(1000)  # the training process ends with its worker


def test_5925_retries_survive_a_dead_worker(prefect_server, project):
    """prefect#5925, "task decorator retries dont work when dask worker dies"."""

    def train(x):
        from pathlib import Path

        first = Path(diary, f"{x}")
        if x == 2 and not first.exists():
            first.touch()
            kill_the_worker()
        return x

    diary = str(project.parent / "diary")
    Path(diary).mkdir()
    result = experiment.grid_search(
        train, {"x": [1, 2, 3]}, project=str(project), cluster=ONE, retries=1, progress=False
    )
    runs = task_runs(result.flow_run_id, 4)
    states = {trial.params["x"]: [] for trial in result.trials}
    names = {trial.name: trial.params["x"] for trial in result.trials}
    for run in runs:
        states[names[run["name"]]].append(run["state_type"])
    assert {x: sorted(s) for x, s in states.items()} == {
        1: ["COMPLETED"],
        2: ["COMPLETED", "CRASHED"],  # the attempt that lost its worker, and the one after it
        3: ["COMPLETED"],
    }
    assert flow_state(result.flow_run_id) == "COMPLETED"


def test_15442_finished_tasks_are_not_run_again(prefect_server, project):
    """prefect#15442, "Completed tasks are re-computed when workers die": its example as trials."""

    def train(x):
        from pathlib import Path

        with Path(diary).open("a") as file:
            file.write(f"{x}\n")
        if x == 9:
            kill_the_worker()
        return x

    diary = str(project.parent / "diary")
    result = experiment.grid_search(
        train, {"x": list(range(10))}, project=str(project), cluster=ONE, retries=0, progress=False
    )
    assert Counter(Path(diary).read_text().split()) == {str(x): 1 for x in range(10)}
    runs = task_runs(result.flow_run_id, 10)
    assert Counter(run["state_type"] for run in runs) == {"COMPLETED": 9, "CRASHED": 1}
    assert {run["run_count"] for run in runs if run["state_type"] == "COMPLETED"} == {1}


def test_15442_finished_tasks_of_anybodys_flow_are_not_run_again(prefect_server, tmp_path):
    """The issue's own example, with this package's task runner."""

    @task
    def my_task(number, diary):
        import os
        import signal
        import time

        with open(diary, "a") as file:
            file.write(f"{number}\n")
        if number == 9:
            # What a worker has not reported when it dies is lost with it: the others are finished
            # for all when the flow knows.
            while not os.path.exists(f"{diary}-go"):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(1000)

    diary = str(tmp_path / "diary")

    @flow(task_runner=TrialTaskRunner(ONE))
    def my_flow():
        futures = [my_task.submit(number, diary) for number in range(10)]
        for future in futures[:9]:
            future.wait()
        Path(f"{diary}-go").touch()
        futures[9].wait()
        return [future.state.type.value for future in futures]

    state = my_flow(return_state=True)
    assert state.result() == ["COMPLETED"] * 9 + ["CRASHED"]
    assert Counter(Path(diary).read_text().split()) == {str(x): 1 for x in range(10)}
    runs = task_runs(state.state_details.flow_run_id, 10)
    assert Counter(run["state_type"] for run in runs) == {"COMPLETED": 9, "CRASHED": 1}
    assert flow_state(state.state_details.flow_run_id) == "COMPLETED"


def test_12968_a_killed_worker_does_not_fail_the_flow(prefect_server, project):
    """prefect#12968, "Flow run fails when dask scheduler raises KilledWorker"."""

    def train(x):
        if x == 1:
            kill_the_worker()
        return x

    result = experiment.grid_search(
        train, {"x": [1, 2, 3]}, project=str(project), cluster=ONE, retries=1, progress=False
    )
    assert flow_state(result.flow_run_id) == "COMPLETED"
    runs = task_runs(result.flow_run_id, 4)
    crashed = [run for run in runs if run["state_type"] == "CRASHED"]
    assert len(crashed) == 2
    # It says why, where prefect-dask's says KilledWorker.
    assert all("signal 9 (SIGKILL)" in run["state"]["message"] for run in crashed)
    assert not any("KilledWorker" in run["state"]["message"] for run in crashed)
    assert [trial.params["x"] for trial in result.failed] == [1]


@pytest.mark.parametrize("ends", ["its worker", "its process"])
def test_21638_no_task_run_stays_running(prefect_server, project, ends):
    """prefect#21638, "Task not marked as Failed when task fails consistently in Dask Cluster"."""

    def train(x):
        import os

        if x in (1, 3) and ends == "its worker":
            kill_the_worker()
        if x in (1, 3):
            os._exit(1)
        return x

    result = experiment.grid_search(
        train, {"x": [1, 2, 3, 4]}, project=str(project), cluster=ONE, retries=2, progress=False
    )
    runs = task_runs(result.flow_run_id, 8)
    assert {run["state_type"] for run in runs} <= FINAL
    assert Counter(run["state_type"] for run in runs) == {"COMPLETED": 2, "CRASHED": 6}
    assert all(run["end_time"] is not None for run in runs)
    with get_client(sync_client=True) as client:
        left = client.request(
            "POST",
            "/task_runs/count",
            json={
                "flow_runs": {"id": {"any_": [str(result.flow_run_id)]}},
                "task_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}},
            },
        ).json()
    assert left == 0
