"""What a training function may report, where it goes, and who is given the reporter."""

from __future__ import annotations

import asyncio
import math
import pickle
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

from hopsml_flows import reporter
from hopsml_flows.errors import InvalidReportError, NotInTrialError, SignatureMismatchError
from hopsml_flows.execution import (
    Job,
    Place,
    Staging,
    argument_order,
    check_names,
    evaluate,
    packed,
    running_trial,
)
from hopsml_flows.execution.scalars import BURST
from hopsml_flows.execution.signature import call
from hopsml_flows.trials import Reports, Trial, trial_name
from tests import events
from tests.logs import printed
from tests.running import context_of


class Tensor:
    """As TensorFlow's: ``numpy()`` and no ``item()``."""

    def __init__(self, value):
        self._value = np.asarray(value)
        self.ndim = self._value.ndim

    def numpy(self):
        return self._value


# Metrics and steps.


def test_steps_count_from_zero_follow_the_last_one_and_may_repeat():
    reports = Reports()
    steps = [reports.add(0.5, step).step for step in (None, None, 5, None, 6, 6, None)]
    assert steps == [0, 1, 5, 6, 6, 6, 7]


@pytest.mark.parametrize(
    ("metric", "number"),
    [
        (3, 3.0), (0.5, 0.5), (np.float32(0.5), 0.5), (np.int8(3), 3.0), (np.array(0.5), 0.5),
        (np.array([0.5]), 0.5), (np.longdouble(0.5), 0.5), (Tensor(0.5), 0.5),
        (Fraction(1, 2), 0.5), (-math.inf, -math.inf),
    ],
)  # fmt: skip
def test_numbers_of_any_library_are_metrics(metric, number):
    assert Reports().add(metric).metric == number


def test_a_metric_that_is_not_a_number_any_more_is_reported_too():
    assert math.isnan(Reports().add(math.nan).metric)


@pytest.mark.parametrize(
    "metric",
    ["0.5", None, True, np.bool_(True), np.array([1.0, 2.0]), np.array([]), 1j, [0.5], {}, 10**400],
)
def test_what_is_no_number_is_a_typed_error_that_names_the_metric(metric):
    reports = Reports()
    with pytest.raises(InvalidReportError, match=r"^metric: must be a number.*; got "):
        reports.add(metric)
    assert reports.last is None


@pytest.mark.parametrize("step", [3, 3.0, np.int64(3), np.float32(3), np.array([3]), Tensor(3)])
def test_whole_numbers_of_any_library_are_steps(step):
    assert Reports().add(1, step).step == 3


@pytest.mark.parametrize("step", ["3", 0.5, True, np.array([1, 2]), math.nan, math.inf, [3]])
def test_what_is_no_whole_number_is_a_typed_error_that_names_the_step(step):
    with pytest.raises(InvalidReportError, match=r"^step: must be a whole number; got "):
        Reports().add(0.5, step)


@pytest.mark.parametrize("step", [-1, 2**63])
def test_a_step_that_tensorboard_cannot_hold_is_a_typed_error(step):
    with pytest.raises(InvalidReportError, match=r"^step: must be from 0 to "):
        Reports().add(0.5, step)


def test_a_step_below_the_last_one_is_a_typed_error_and_changes_nothing():
    reports = Reports()
    reports.add(0.5, 7)
    with pytest.raises(InvalidReportError, match=r"^step: .*the previous step 7; got 6$"):
        reports.add(0.9, 6)
    assert (reports.last.metric, reports.add(0.6).step) == (0.5, 8)


# Who is given the reporter.


def only_reporter(reporter):
    return reporter


def with_reporter(rate, reporter=None):
    return rate, reporter


def positional_reporter(rate, reporter, /):
    return rate, reporter


def open_ended(**others):
    return others


async def asynchronous(rate, *, reporter):
    await asyncio.sleep(0)
    return rate, reporter


def test_a_function_is_given_the_reporter_only_if_its_signature_has_it():
    assert call(only_reporter, {}, "r") == "r"
    for function in (with_reporter, positional_reporter, asynchronous):
        assert call(function, {"rate": 1}, "r") == (1, "r")
    assert call(open_ended, {"rate": 1}, "r") == {"rate": 1}


def test_the_reporter_is_no_hyperparameter():
    check_names(only_reporter, [], argument="args_dict")
    check_names(with_reporter, ["rate"], argument="grid_dict")
    order = argument_order(lambda reporter, b, a: None)
    assert trial_name(1, {"a": 1, "b": 2}, order) == "0001-b=2-a=1"


@pytest.mark.parametrize("function", [with_reporter, open_ended, max])
def test_a_search_space_that_names_the_reporter_is_a_typed_error(function):
    with pytest.raises(SignatureMismatchError, match="must not name 'reporter'"):
        check_names(function, ["rate", "reporter"], argument="grid_dict")


# Inside a trial.


@pytest.fixture
def run(project, tmp_path):
    def run_trial(function, params=None, *, key="accuracy", attempt=1):
        job = Job(
            function=packed(function, by_value=True), project=project, experiment_id="e-1",
            optimization_key=key, needs_metric=False, local_logdir=False, directory=str(tmp_path),
        )  # fmt: skip
        trial = Trial(1, "0001", params or {}, attempt=attempt, directory="0001")
        staging = Staging(project, job.paths, trial, local_logdir=False)
        result = evaluate(job, trial, staging, Place())
        log = (staging.path / "output.log").read_text()
        return result, events.scalars(staging.path), log

    return run_trial


def test_what_a_function_reports_is_a_curve_under_the_optimization_key(run):
    def training(rate, reporter):
        for epoch in range(3):
            reporter.broadcast(rate * epoch, epoch)
        reporter.log("all epochs\nare done")
        reporter.log({"rate": rate}, jupyter=True)
        reporter.scalar("learning_rate", 0.5, 2)
        return {"accuracy": 1}

    result, curves, log = run(training, {"rate": 0.5})
    assert (result.succeeded, result.step) == (True, 2)
    assert curves == {
        "outputs/accuracy": [(0, 0.0), (1, 0.5), (2, 1.0)],
        "learning_rate": [(2, 0.5)],
    }
    assert printed(log) == ["all epochs", "are done", "{'rate': 0.5}"]


def test_the_modules_functions_find_the_reporter_also_from_a_thread(run):
    def training():
        from hopsml_flows import reporter

        reporter.broadcast(0.25)
        thread = threading.Thread(target=lambda: reporter.broadcast(0.5))
        thread.start()
        thread.join()
        reporter.log("found")

    result, curves, log = run(training, key=None)
    assert result.succeeded, result.failure
    assert curves == {"outputs/metric": [(0, 0.25), (1, 0.5)]}
    assert log.endswith("Z found\n")


def test_a_wrong_report_fails_the_trial_and_keeps_what_was_reported(run):
    def training(reporter):
        reporter.broadcast(0.5, 4)
        reporter.broadcast("0.6")

    result, curves, _ = run(training)
    assert result.failure.kind == "InvalidReportError"
    assert (result.step, curves) == (4, {"outputs/accuracy": [(4, 0.5)]})


def test_the_last_of_many_reports_is_there(run):
    def training(reporter):
        for step in range(5 * 1000):
            reporter.broadcast(step)

    _, curves, _ = run(training)
    assert curves["outputs/accuracy"][-1] == (4999, 4999.0)
    assert BURST <= len(curves["outputs/accuracy"]) < 5000


def test_what_interrupts_a_report_may_report_itself(run):
    """As a signal handler does, in the thread that holds the reporter."""

    def training(reporter):
        class Interrupted:
            ndim = 0

            def item(self):
                reporter.broadcast(1)
                return 2

        reporter.broadcast(Interrupted())

    _, curves, _ = run(training)
    assert curves["outputs/accuracy"] == [(0, 1.0), (1, 2.0)]


def test_a_trial_that_reports_nothing_has_no_event_file_of_its_own(run, project):
    result, curves, _ = run(lambda: 1, key=None)
    assert (result.step, curves) == (None, {})


def test_a_later_attempt_reports_into_another_file(run, project):
    def training(reporter):
        reporter.broadcast(1)

    run(training, attempt=2)
    names = project.listdir("Experiments/e-1/0001")
    assert len([name for name in names if name.startswith("events.out.tfevents.1.hopsml.")]) == 1


def test_outside_a_trial_each_function_is_a_typed_error_naming_itself():
    for name, arguments in (("current", ()), ("broadcast", (1,)), ("log", ("x",))):
        with pytest.raises(NotInTrialError, match=rf"^reporter\.{name}\(\) works only inside"):
            getattr(reporter, name)(*arguments)


def test_a_reporter_that_outlives_its_trial_says_so(project, tmp_path):
    with context_of(project, tmp_path) as context, running_trial(context):
        kept = reporter.current()
    for act in (lambda: kept.broadcast(1), lambda: kept.log("x")):
        with pytest.raises(NotInTrialError, match="the trial of this reporter is over"):
            act()


def test_a_report_error_survives_pickling():
    error = InvalidReportError("metric", threading.Lock(), "must be a number")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_importing_the_reporter_brings_no_tensorboard():
    code = "import sys, hopsml_flows.reporter; print('tensorboard' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
