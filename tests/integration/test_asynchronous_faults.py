"""Asynchronous searches whose workers are killed, and whose trials report without pause."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import distributed
import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster.scheduler_client import SchedulerClient
from hopsml_flows.experiment import ClusterConfig
from hopsml_flows.service.replay import replay
from hopsml_flows.storage import ExperimentPaths, Project
from tests import events
from tests.waiting import wait_until
from tests.workers import workers_of

SPACE = {"x": [0.0, 1.0]}
KILLS = 20


@contextmanager
def killer(project, kills):
    """Kills a worker of this process's own clusters every second, once a trial has reported."""
    others = {worker.pid for worker in workers_of()}  # of the cluster that tests share
    over = threading.Event()

    def has_reports():
        journals = project.glob("Experiments/*/journal.jsonl")
        return any('"report"' in journal.read_text() for journal in journals)

    def kill():
        choose = random.Random(5)
        while not has_reports() and not over.wait(0.2):
            pass
        while len(kills) < KILLS and not over.wait(1.0):
            alive = [w.pid for w in workers_of() if w.pid not in {*kills, *others}]
            if alive:
                kills.append(choose.choice(alive))
                os.kill(kills[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_killed_workers_cost_a_search_no_rung_and_no_checkpoint(prefect_server, project):
    def train(x, budget, reporter):
        import json
        from pathlib import Path

        from hopsml_flows import checkpoint

        state = Path(checkpoint.dir(), "steps.json")
        steps = json.loads(state.read_text()) if state.exists() else []
        begins_with = len(steps)
        while len(steps) < budget:
            time.sleep(0.25)
            steps.append(x)
            written = state.with_suffix(".new")
            written.write_text(json.dumps(steps))
            written.replace(state)
            reporter.broadcast(x, step=len(steps))
        return {
            "metric": x,
            "begins_with": begins_with,
            "steps": len(steps),
            "kept": len(set(steps)),
        }

    kills: list[int] = []
    with killer(project, kills):
        result = experiment.optimize(
            train,
            SPACE,
            num_trials=60,
            optimizer={"optimizer": "asha", "reduction_factor": 2, "max_budget": 8},
            seed=3,
            retries=10,
            project=str(project),
            cluster=ClusterConfig(kind="local", n_workers=2),
            progress=False,
        )
    assert len(kills) == KILLS
    assert result.failed == ()
    assert len(result.trials) == 60
    rungs = defaultdict(list)
    for trial in result.trials:
        rungs[trial.budget].append(trial)
        assert trial.outputs["steps"] == trial.budget
        assert trial.outputs["kept"] == 1  # steps of this configuration alone
        if trial.continues is not None:  # its checkpoint has at least all of the rung before
            assert trial.outputs["begins_with"] >= trial.budget // 2
    assert set(rungs) == {1, 2, 4, 8}
    assert max(trial.attempt for trial in result.trials) > 1
    done = replay(Project(str(project)), ExperimentPaths(result.id))
    assert not done.mismatches
    assert done.proposals == 60


@pytest.fixture
def asked(monkeypatch):
    """The questions to schedulers how many threads their workers have."""
    questions, nthreads = [], SchedulerClient.nthreads

    def counted(client, *args, **kwargs):
        questions.append(time.monotonic())
        return nthreads(client, *args, **kwargs)

    monkeypatch.setattr(SchedulerClient, "nthreads", counted)
    return questions


def test_trials_that_report_without_pause_lose_no_report(options, asked):
    def train(x, reporter):
        for step in range(1000):
            reporter.broadcast(x, step=step)
            time.sleep(0.002)
        return x

    result = experiment.optimize(train, SPACE, num_trials=4, optimizer="random", **options)
    assert result.failed == ()
    told = defaultdict(list)
    for line in Path(result.path, "journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "report":
            told[entry["trial"]].extend(step for step, _ in entry["reports"])
    for trial in result.trials:
        assert told[trial.number] == list(range(1000))
        curve = events.scalars(Path(result.path, trial.directory))["outputs/metric"]
        assert {step for step, _ in curve} >= set(range(1000))
    # The scheduler was asked for free workers at intervals, not for each of the 4,000 reports.
    assert len(asked) <= 10 + (asked[-1] - asked[0]) / 0.4


def test_a_search_runs_on_a_cluster_of_its_own(prefect_server, project):
    def train(x, reporter):
        for step in range(20):
            reporter.broadcast(x, step=step)
            time.sleep(0.05)
        return x

    result = experiment.optimize(
        train,
        SPACE,
        num_trials=6,
        optimizer="random",
        early_stop={"rule": "median", "min_finished": 1},
        seed=1,
        project=str(project),
        cluster=ClusterConfig(kind="local", n_workers=2),
        progress=False,
    )
    assert result.failed == ()
    stopped = [trial for trial in result.trials if trial.why_stopped is not None]
    assert stopped
    assert all(trial.why_stopped.rule == "median" for trial in stopped)


class Raising:
    """A rule that fails at the second trial's report, as a user's own may."""

    def judge(self, trial, curve):
        if trial == 2:
            raise ZeroDivisionError("of the rule")

    def end(self, trial, curve):
        pass


def report_twice(x, reporter):
    for step in range(2):
        reporter.broadcast(x, step=step)
        time.sleep(0.1)
    return x


@pytest.mark.parametrize("rule", ["none", Raising])
def test_a_search_leaves_no_reports_on_a_running_scheduler(options, rule):
    def topics(dask_scheduler):
        return {name for name in dask_scheduler._broker._topics if "hopsml-reports" in name}

    with distributed.Client(options["cluster"], set_as_default=False) as client:
        before = client.run_on_scheduler(topics)
        call = {"num_trials": 3, "optimizer": "random", "early_stop": rule, **options}
        if rule == "none":
            experiment.optimize(report_twice, SPACE, **call)
            # What a worker sends after its trial's result is deleted a minute later.
            wait_until(lambda: client.run_on_scheduler(topics) <= before, 90, "the deletion")
            return
        with pytest.raises(ZeroDivisionError, match="of the rule"):
            experiment.optimize(report_twice, SPACE, **call)
        # A trial that was being ended may have reported once more: later, that is deleted, too.
        for name in client.run_on_scheduler(topics) - before:
            later = [said for _, said in client.get_events(name) if said["trial"] == 2]
            assert all(step > 0 for said in later for step, _ in said["reports"])


def test_a_search_that_fails_removes_what_ended_distributed_trials_shared(options, project):
    call = {"num_trials": 2, "optimizer": "random", "early_stop": Raising, **options}
    with pytest.raises(ZeroDivisionError, match="of the rule"):
        experiment.optimize(report_twice, SPACE, processes_per_trial=2, **call)
    (directory,) = project.glob("Experiments/*")
    # The workers of a running cluster may be on machines where the driver removes nothing.
    assert not Path(tempfile.gettempdir(), f"hopsml-group-{directory.name}-1").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_connection_that_breaks_does_not_count_against_the_retries(options, project, processes):
    """Dask's client cancels all that it waits for, and connects again."""

    def cut(dask_scheduler, spared):
        for name, connection in dask_scheduler.client_comms.items():
            if name != spared:
                connection.abort()

    def train(x):
        time.sleep(3)
        return x

    def act():
        wait_until(lambda: list(project.glob("Experiments/*/*/.hparams.json")), 60, "a trial")
        client.run_on_scheduler(cut, spared=client.id)

    with distributed.Client(options["cluster"], set_as_default=False) as client:
        thread = threading.Thread(target=act)
        thread.start()
        result = experiment.optimize(
            train,
            SPACE,
            num_trials=4,
            optimizer="random",
            seed=3,
            retries=0,
            processes_per_trial=processes,
            **options,
        )
        thread.join()
    assert result.failed == ()
    attempts = [trial.attempt for trial in result.trials]
    assert set(attempts) == {1, 2}
    journal = Path(result.path, "journal.jsonl").read_text()
    assert journal.count('"again": true, "cut_off": true') == attempts.count(2)
    assert replay(Project(str(project)), ExperimentPaths(result.id)).mismatches == []
