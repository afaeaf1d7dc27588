"""What the Prefect server has of trials that end within a second, and of longer ones."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster.short_states import STATES_VARIABLE
from hopsml_flows.driver import driver
from hopsml_flows.driver.single_processes import SingleRuns
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.experiment import ClusterConfig
from hopsml_flows.prefect_internals import first_states
from tests.servers.prefect import Client, task_runs

ALL = ["Pending", "Running", "Completed"]
INPUTS = {"job": [], "name": [], "packed": []}


def train(x):
    import os
    import signal
    import time

    print("line of", x)
    if x == 1:
        time.sleep(2.5)
    if x in (2, 102, 202):
        raise ValueError("no")
    if x == 3:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1000)
    return x


def of_server(result, count):
    """Task runs of an experiment by trial and attempt, each with the names of its states."""
    runs = {}
    with Client() as client:
        for run in sorted(task_runs(result.flow_run_id, count), key=lambda run: run["start_time"]):
            answer = client.get("/task_run_states/", params={"task_run_id": run["id"]})
            states = sorted(answer.json(), key=lambda state: state["timestamp"])
            first, last = (datetime.fromisoformat(states[i]["timestamp"]) for i in (0, -1))
            run["history"] = (last - first).total_seconds()
            runs.setdefault(run["name"], []).append((run, [state["name"] for state in states]))
    return runs


def check(run, state):
    """That a task run has all that the server stores of a task run."""
    assert (run["state_type"], run["run_count"]) == (state, 1)
    assert run["task_key"].startswith("trial-")
    assert run["task_inputs"] == INPUTS
    assert (run["flow_run_run_count"], run["tags"]) == (1, [])
    begin, started, ended = (
        datetime.fromisoformat(run[name])
        for name in ("expected_start_time", "start_time", "end_time")
    )
    assert begin <= started < ended
    assert run["total_run_time"] == pytest.approx((ended - started).total_seconds())


def fails(name):
    return name.endswith(("x=2", "x=102", "x=202"))


def check_states(run, states, final):
    """That a run has its final state only, or all if it ended later than a second after Pending."""
    if len(states) == 1:
        assert states == [final]
        assert run["total_run_time"] < 2
    else:
        assert states == [*ALL[:2], final]
        assert run["history"] > 0.9


def test_short_trials_send_their_end_with_all_that_the_server_stores(options, task_run_logs):
    """A worker's first trial also waits for its training process, which may take a second."""
    xs = [10, 1, *range(11, 19), 2, 102, 202]
    result = experiment.grid_search(train, {"x": xs}, **options)
    short = set()
    for name, ((run, states),) in of_server(result, len(xs)).items():
        state = "Failed" if fails(name) else "Completed"
        check(run, state.upper())
        check_states(run, states, state)
        if len(states) == 1:
            short.add(state)
    assert short == {"Completed", "Failed"}
    logs = task_run_logs(str(result.flow_run_id), len(xs))
    assert any("line of 1" in text for _, text in logs["0002-x=1"])


def test_a_worker_that_dies_in_a_trials_first_second_leaves_times_and_inputs(
    prefect_server, project
):
    one = ClusterConfig(kind="local", n_workers=1)
    result = experiment.grid_search(
        train, {"x": [3, 0]}, project=str(project), cluster=one, retries=1, progress=False
    )
    runs = of_server(result, 3)
    assert len(runs["0001-x=3"]) == 2  # it was tried again
    for run, states in runs["0001-x=3"]:
        check(run, "CRASHED")
        assert states[-1] == "Crashed"
    ((run, states),) = runs["0002-x=0"]
    check(run, "COMPLETED")


def test_a_trial_that_is_stopped_in_its_first_second_has_its_times(options, monkeypatch, tmp_path):
    begun = tmp_path / "begun"

    def train(x):
        import time
        from pathlib import Path

        if x == 9:
            Path(begun).touch()
            time.sleep(1000)
        time.sleep(0.2)
        return x

    class Stopping(SingleRuns):
        def submit(self, trial, owner):
            if trial.params["x"] == 9:
                self.trial = trial
            return super().submit(trial, owner)

        def next_done(self, seconds):
            if begun.exists():
                begun.unlink()
                self.stop(self.trial)
            return super().next_done(seconds)

    monkeypatch.setattr(driver, "SingleRuns", Stopping)
    result = experiment.grid_search(train, {"x": [0, 1, 2, 3, 9]}, **options)
    ((run, states),) = of_server(result, 5)["0005-x=9"]
    assert states[-1] == "Cancelled"
    check(run, "CANCELLED")


@pytest.mark.parametrize("where", ["running cluster", "debug"])
def test_all_states_are_sent_where_that_is_asked_for(options, monkeypatch, where):
    monkeypatch.setenv(STATES_VARIABLE, "all")
    if where == "debug":
        options["cluster"] = "debug"
    result = experiment.grid_search(train, {"x": [0, 4]}, **options)
    assert [states for ((_, states),) in of_server(result, 2).values()] == [ALL] * 2


@pytest.mark.parametrize(("seconds", "first"), [(60.0, []), (0.3, ALL[:2])])
def test_debug_runs_send_the_end_of_short_trials_only(options, monkeypatch, seconds, first):
    monkeypatch.setattr(first_states, "HOLD_SECONDS", seconds)
    options["cluster"] = "debug"

    def train(x):
        time.sleep(1)
        if x == 2:
            raise ValueError("no")
        return x

    runs = of_server(experiment.grid_search(train, {"x": [0, 1, 2]}, **options), 3)
    for name, ((_, states),) in runs.items():
        assert states == [*first, "Failed" if fails(name) else "Completed"]


def test_another_word_is_refused_before_anything_starts(monkeypatch, project):
    monkeypatch.setenv(STATES_VARIABLE, "some")
    with pytest.raises(InvalidArgumentError, match=rf'{STATES_VARIABLE}: must be "final" or "all"'):
        experiment.grid_search(train, {"x": [0]}, project=str(project))
    assert not project.exists()
