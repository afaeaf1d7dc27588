"""A worker ends a trial of one process whose function swallows every request to stop early."""

from __future__ import annotations

import json
import math
import time

import pytest

from hopsml_flows.execution import EventMakers, Job, packed, packed_values
from hopsml_flows.execution.addressees import instruct
from hopsml_flows.execution.process import Order, Supervisor, handle
from hopsml_flows.execution.process.messages import Listener
from hopsml_flows.execution.report_link import Instruction
from hopsml_flows.search.decisions import Why
from hopsml_flows.trials import State, Trial

STOP = Instruction(1, 1, stop=Why("a rule", 0.5, "too bad", step=0))


def no_events(*_):
    return b""


@pytest.fixture
def swallowing(project, tmp_path, monkeypatch):
    """Run a trial whose function reports metrics, the last one without end; STOP soon comes."""
    monkeypatch.setattr(handle, "HEED_SECONDS", 0.3)
    monkeypatch.setattr(handle, "GRACE_SECONDS", 0.2)

    def train(reporter, metrics):
        step = 0
        while True:
            try:
                reporter.broadcast(metrics[min(step, len(metrics) - 1)], step=step)
            except BaseException as error:
                print("swallowed", type(error).__name__)
            step += 1
            time.sleep(0.02)

    job = Job(
        function=packed(train, by_value=True),
        project=project,
        experiment_id="e-1",
        optimization_key="score",
        needs_metric=True,
        local_logdir=False,
        directory=str(tmp_path),
        scratch=str(tmp_path),
        reports="a topic",
    )
    supervisor = Supervisor(job, "tcp://w", None, EventMakers(no_events, no_events))

    def run(*metrics):
        trial = Trial(1, "0001", {"metrics": list(metrics)}, directory="0001")
        order = Order(trial, packed_values(trial.params, by_value=False))
        listener = Listener(reports=lambda _: instruct("a topic", STOP))
        return supervisor.run(order, abandoned=lambda: False, listener=listener)

    yield run
    supervisor.close()


def test_it_keeps_its_last_finite_report(swallowing, project):
    result = swallowing(0.25, 0.5, math.nan)
    assert (result.state, result.step, result.metric) == (State.STOPPED, 1, 0.5)
    assert result.outputs == {"score": 0.5}
    assert result.why_stopped == STOP.stop
    assert json.loads(project.read("Experiments/e-1/0001/.outputs.json"))["score"] == 0.5
    assert b"swallowed EarlyStopError" in project.read("Experiments/e-1/0001/output.log")


@pytest.mark.parametrize("metric", [math.nan, -math.inf])
def test_it_has_failed_if_it_reported_nothing_finite(swallowing, project, metric):
    result = swallowing(metric)
    assert (result.state, result.failure.kind) == (State.FAILED, "EarlyStopError")
    said = "a rule at step 0: too bad; the training function swallowed every request to stop"
    assert result.failure.message == f"{said} early, and reported no finite number"
    assert not project.exists("Experiments/e-1/0001/.outputs.json")
    log = project.read("Experiments/e-1/0001/output.log").decode()
    assert log.endswith("the training function swallowed every request to stop early\n")
