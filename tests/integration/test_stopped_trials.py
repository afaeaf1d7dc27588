"""The driver stops a trial that runs: its processes end, and its slot is free for another one."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.driver import driver, machine_log
from hopsml_flows.driver.process_groups import GroupRuns
from hopsml_flows.driver.single_processes import SingleRuns
from hopsml_flows.execution import argument_order
from hopsml_flows.trials import EndGroup, Gang, GiveUpTrial, TrialLoop, TrialStopped, replay
from tests.servers.prefect import task_runs


@contextmanager
def recorded():
    """What the driver's state machines handle meanwhile: events and instructions by machine."""
    logs = {}

    class Keep(logging.Handler):
        def emit(self, record):
            machine, event, instructions = record.args
            logs.setdefault(machine, []).append((event, list(instructions)))

    logger, keep = machine_log._logger, Keep()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(keep)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield logs
    finally:
        logger.propagate = propagate
        logger.setLevel(level)
        logger.removeHandler(keep)


def replays(machine, log):
    return replay(machine, [event for event, _ in log]) == [said for _, said in log]


@pytest.fixture
def training(tmp_path):
    """A training function that says which process it is in; up to some number it hangs."""
    here = str(tmp_path)

    def make(last_hanging):
        def train(x):
            import os
            import time
            from pathlib import Path

            Path(here, f"{x}-{os.getpid()}").touch()
            if x <= last_hanging:
                time.sleep(1000)
            return x

        return train

    return make


@pytest.fixture
def stopping(monkeypatch, tmp_path):
    """Makes the driver stop trials by number once files of others are there."""

    def make(kind, rules):
        class Stopping(kind):
            def __init__(self, *args, **options):
                super().__init__(*args, **options)
                self.trials = {}
                self.rules = dict(rules)

            def submit(self, trial, owner):
                self.trials[trial.number] = trial
                return super().submit(trial, owner)

            def next_done(self, seconds):
                for number, patterns in list(self.rules.items()):
                    if all(len(list(tmp_path.glob(p))) >= n for p, n in patterns.items()):
                        del self.rules[number]
                        self.stop(self.trials[number])
                return super().next_done(seconds)

        monkeypatch.setattr(driver, kind.__name__, Stopping)

    return make


def pids(tmp_path, x):
    return [int(path.name.partition("-")[2]) for path in Path(tmp_path).glob(f"{x}-*")]


def is_gone(pid):
    """Whether a process has ended; it may not have been waited for."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_stopped_trial_ends_and_another_one_runs_on_its_worker(
    options, training, stopping, tmp_path
):
    """Both workers hang. The second one is free only after a trial ran on that of the first."""
    stopping(SingleRuns, {1: {"1-*": 1, "2-*": 1}, 2: {"3-*": 1}})
    call = (training(2), {"x": [1, 2, 3]})
    options = {**options, "retries": 1, "seed": 4}
    with recorded() as logs:
        result = experiment.grid_search(*call, **options)
    states = [(trial.state, trial.attempt) for trial in result.trials]
    assert states == [("FAILED", 1), ("FAILED", 1), ("FINISHED", 1)]
    assert {trial.failure.kind for trial in result.failed} == {"TrialStoppedError"}
    assert all(len(pids(tmp_path, x)) == 1 for x in (1, 2, 3))
    assert all(is_gone(pid) for x in (1, 2) for pid in pids(tmp_path, x))
    ends = sorted((run["name"], run["state_type"]) for run in task_runs(result.flow_run_id, 3))
    assert ends == [
        ("0001-x=1", "CANCELLED"),
        ("0002-x=2", "CANCELLED"),
        ("0003-x=3", "COMPLETED"),
    ]

    log = logs["trial loop"]
    assert [event.number for event, _ in log if isinstance(event, TrialStopped)] == [1, 2]
    plan = experiment.grid_search.plan(*call, **options)
    fresh = TrialLoop(
        plan.search(),
        direction=plan.direction,
        retries=1,
        order=argument_order(plan.train.callable),
    )
    assert replays(fresh, log)


def test_a_stopped_group_ends_with_all_its_members_and_another_one_runs_on_its_workers(
    options, training, stopping, tmp_path
):
    stopping(GroupRuns, {1: {"1-*": 2}})
    call = (training(1), {"x": [1, 2]})
    with recorded() as logs:
        result = experiment.grid_search(*call, processes_per_trial=2, retries=1, **options)
    states = [(trial.state, trial.attempt) for trial in result.trials]
    assert states == [("FAILED", 1), ("FINISHED", 1)]
    assert result.trials[0].failure.kind == "TrialStoppedError"
    assert [len(pids(tmp_path, x)) for x in (1, 2)] == [2, 2]
    assert all(is_gone(pid) for pid in pids(tmp_path, 1))
    ends = {run["name"]: run["state_type"] for run in task_runs(result.flow_run_id, 4)}
    assert ends == {
        "0001-x=1/chief-0": "CANCELLED",
        "0001-x=1/worker-0": "CANCELLED",
        "0002-x=2/chief-0": "COMPLETED",
        "0002-x=2/worker-0": "COMPLETED",
    }

    said = [said for _, instructions in logs["trial loop"] for said in instructions]
    assert len([one for one in said if isinstance(one, GiveUpTrial)]) == 1
    gangs = {name: log for name, log in logs.items() if name.startswith("gang ")}
    assert len(gangs) == 2
    shape = experiment.grid_search.plan(*call, processes_per_trial=2, **options).group.shape
    for log in gangs.values():
        assert isinstance(log[-1][1][-1], EndGroup)
        assert replays(Gang(shape), log)
