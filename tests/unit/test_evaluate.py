from __future__ import annotations

import asyncio
import math
import pickle
import sys
from pathlib import Path

import pytest

from hopsml_flows import tensorboard
from hopsml_flows.execution import Job, Place, Staging, evaluate, packed
from hopsml_flows.execution.report_link import Instruction
from hopsml_flows.execution.returned import Returned
from hopsml_flows.search.decisions import Why
from hopsml_flows.trials import State, Trial


@pytest.fixture
def run(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run_trial(
        function, params=None, *, key="metric", needs_metric=True, attempt=1, reporting=None
    ):
        job = Job(
            function=packed(function, by_value=True),
            project=project,
            experiment_id="e-1",
            optimization_key=key,
            needs_metric=needs_metric,
            local_logdir=False,
            directory=str(tmp_path),
        )
        job = pickle.loads(pickle.dumps(job))
        trial = Trial(1, "0001", params or {}, attempt=attempt, directory="0001")
        staging = Staging(job.project, job.paths, trial, local_logdir=job.local_logdir)
        result = evaluate(job, trial, staging, Place("tcp://worker", reporting=reporting))
        return result, (staging.path / "output.log").read_text()

    return run_trial


def test_a_good_trial_has_metric_outputs_times_and_worker(run):
    def training(rate):
        print("hello")
        return {"metric": rate * 2, "loss": 1}

    result, log = run(training, {"rate": 0.25})
    assert result.state is State.FINISHED
    assert result.metric == 0.5
    assert result.outputs == {"metric": 0.5, "loss": 1}
    assert result.params == {"rate": 0.25}
    assert result.failure is None
    assert 0 < result.started <= result.ended
    assert (result.worker, result.directory, result.attempt) == ("tcp://worker", "0001", 1)
    assert log.endswith("Z hello\n")


@pytest.mark.parametrize(
    ("value", "key", "outputs"),
    [
        (0.5, "metric", {"metric": 0.5, "parameters": 7}),
        (0.5, "accuracy", {"metric": 0.5, "parameters": 7}),
        ({"accuracy": 0.5}, "metric", {"accuracy": 0.5, "parameters": 7}),
        ({"metric": 0.5, "parameters": 3}, "metric", {"metric": 0.5, "parameters": 3}),
    ],
)
def test_outputs_beside_the_returned_value_do_not_change_which_one_is_the_metric(
    run, value, key, outputs
):
    result, _ = run(lambda: Returned(value, {"parameters": 7}), key=key)
    assert (result.metric, result.outputs) == (0.5, outputs)


def test_an_async_function_runs_to_its_end_with_output_and_context(run):
    async def training():
        await asyncio.sleep(0)
        print("async")
        tensorboard.logdir()
        return 1

    result, log = run(training)
    assert result.metric == 1.0
    assert log.endswith("async\n")


def test_the_function_finds_its_logdir(run, project):
    def training():
        Path(tensorboard.logdir(), "events").write_text("e")
        return 1

    result, _ = run(training)
    assert result.succeeded
    assert project.read("Experiments/e-1/0001/events") == b"e"


def test_a_file_it_returns_is_attached(run, project):
    def training():
        Path("plot.png").write_text("png")
        return {"metric": 1, "plot": "plot.png"}

    result, _ = run(training)
    assert project.read(result.outputs["plot"]) == b"png"


def test_a_function_that_raises_is_a_failure_with_a_traceback_of_the_users_code(run):
    def helper():
        raise LookupError("no data")

    def training():
        print("before")
        helper()

    result, log = run(training)
    assert result.state is State.FAILED
    assert (result.metric, result.outputs) == (None, {})
    assert str(result.failure) == "LookupError: no data"
    assert "in training" in result.failure.traceback
    assert "in helper" in result.failure.traceback
    assert "hopsml_flows" not in result.failure.traceback
    assert log.index("before") < log.index("Traceback") < log.index("LookupError: no data")


def test_a_failures_cause_is_in_its_traceback(run):
    def training():
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error

    result, _ = run(training)
    assert "KeyError: 'inner'" in result.failure.traceback
    assert "RuntimeError: outer" in result.failure.traceback


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (math.nan, "InvalidOutputError: the metric 'metric' is NaN; it must be a finite number"),
        ({"metric": math.inf, "x": 1}, "is Infinity; it must be a finite number"),
        (None, "returned NoneType None; it must return a number"),
        ({"a": 1, "b": 2}, "lacks the optimization key 'metric'; it has ['a', 'b']"),
        ({"metric": "0.9"}, "must be a number"),
    ],
)
def test_a_useless_return_value_is_a_failure_saying_what_was_expected(run, returned, reason):
    def training():
        return returned

    result, log = run(training)
    assert result.state is State.FAILED
    assert result.failure.kind == "InvalidOutputError"
    assert reason in str(result.failure)
    assert reason in log


def test_a_script_that_exits_is_a_failure(run):
    result, _ = run(lambda: sys.exit("bad flag"))
    assert str(result.failure) == "SystemExit: bad flag"


def test_an_error_whose_text_cannot_be_had_is_a_failure_all_the_same(run):
    def training():
        class Broken(Exception):  # noqa: N818 - a user's
            def __str__(self):
                raise OSError("no text")

        raise Broken

    result, _ = run(training)
    assert result.state is State.FAILED
    assert result.failure.kind == "Broken"


def test_an_error_that_cannot_be_pickled_is_a_failure_that_can(run):
    def training():
        raise ValueError(lambda: 0)

    result, _ = run(training)
    assert pickle.loads(pickle.dumps(result)) == result


def test_arguments_that_do_not_fit_are_a_failure(run):
    result, _ = run(lambda rate: rate, {"wrong": 1})
    assert result.failure.kind == "TypeError"
    assert "wrong" in result.failure.message


def test_a_function_that_does_not_unpack_is_a_failure(project, tmp_path):
    job = Job(
        function=b"not a pickle", project=project, experiment_id="e-1", optimization_key="metric",
        needs_metric=True, local_logdir=False, directory=str(tmp_path),
    )  # fmt: skip
    trial = Trial(1, "0001", {}, directory="0001")
    result = evaluate(job, trial, Staging(project, job.paths, trial, local_logdir=False), Place())
    assert result.failure.kind == "UnpicklingError"


def test_another_attempt_says_so_in_its_log(run):
    _, log = run(lambda: 1, attempt=2)
    assert "attempt 2: the worker of the attempt before was lost" in log


def test_a_single_run_needs_no_metric(run):
    result, _ = run(lambda: None, key=None, needs_metric=False)
    assert result.state is State.FINISHED
    assert (result.outputs, result.metric) == ({"metric": None}, None)


def test_an_output_that_json_cannot_hold_costs_no_trial_and_is_a_warning(run):
    result, log = run(lambda: {"metric": 0.5, "raw": b"\xff", "name": "caf\udce9"})
    assert result.state is State.FINISHED
    assert result.metric == 0.5
    assert result.outputs == {"metric": 0.5, "raw": "b'\\xff'", "name": "caf\udce9"}
    [warning] = result.warnings
    assert warning.startswith("outputs['raw'] is bytes b'\\xff'; it must be")
    assert warning in log


def test_what_an_exception_says_can_be_written_anywhere(run):
    def training():
        raise ValueError("caf\udce9 \x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 nul\0")

    result, log = run(training)
    assert result.failure.message == r"caf\udce9 red link nul\x00"
    assert r"ValueError: caf\udce9 red link nul\x00" in result.failure.traceback
    assert r"ValueError: caf\udce9 red link nul\x00" in log


def test_a_job_pickles_without_the_unpacked_function(run, project):
    job = Job(
        function=packed(lambda: 5, by_value=True), project=project, experiment_id="e-1",
        optimization_key=None, needs_metric=False, local_logdir=False, directory="/",
    )  # fmt: skip
    assert job.function() == 5
    assert job.function is job.function
    again = pickle.loads(pickle.dumps(job))
    assert again.function() == 5
    assert again.project.url == project.url
    assert again.paths == job.paths


def test_a_failure_names_the_line_of_the_users_code(run):
    def helper():
        return int("no number")

    def training():
        return helper()

    failure = run(training)[0].failure
    assert failure.place == f"{__file__}:{helper.__code__.co_firstlineno + 1}"


@pytest.mark.parametrize("returned", ["text", {"other": 1, "more": 2}])
def test_what_cannot_be_a_result_names_the_function_that_returned_it(run, returned):
    def training():
        return returned

    failure = run(training)[0].failure
    assert failure.kind == "InvalidOutputError"
    assert failure.place == f"{__file__}:{training.__code__.co_firstlineno}"


def test_a_function_that_cannot_be_unpacked_has_failed_without_a_place(run):
    failure = run(_Unloadable())[0].failure
    assert failure.kind == "LookupError"
    assert failure.place == ""


class _Unloadable:
    def __call__(self):
        return 1

    def __reduce__(self):
        return exec, ("raise LookupError('not here')",)


def stopping(link):
    """Tell a trial to stop as soon as it reports."""
    link.instruct(Instruction(link.number, link.attempt, stop=Why("a rule", 0.5, "too bad")))


@pytest.mark.parametrize("returned", [None, {}, {"model": "m"}, {"a": 1, "b": 2}])
def test_a_stopped_trial_that_returns_no_metric_has_its_last_report(run, returned):
    def training(reporter, returned):
        from hopsml_flows.errors import EarlyStopError

        try:
            reporter.broadcast(0.25)
        except EarlyStopError:
            return returned
        return 1

    result, _ = run(training, {"returned": returned}, key="loss", reporting=stopping)
    assert result.failure is None
    assert result.state is State.STOPPED
    assert result.metric == 0.25
    assert result.outputs == {**(returned or {}), "loss": 0.25}


def test_a_stopped_trial_that_returns_a_metric_has_that(run):
    def training(reporter):
        from hopsml_flows.errors import EarlyStopError

        try:
            reporter.broadcast(0.25)
        except EarlyStopError:
            return {"loss": 0.5, "more": 1}

    result, _ = run(training, key="loss", reporting=stopping)
    assert (result.state, result.metric) == (State.STOPPED, 0.5)
    assert result.outputs == {"loss": 0.5, "more": 1}


@pytest.mark.parametrize("reports", [[0.25], [math.nan]])
def test_a_trial_that_returns_nothing_fails_if_it_was_not_stopped_or_reported_only_nan(
    run, reports
):
    def training(reporter, reports):
        from hopsml_flows.errors import EarlyStopError

        try:
            for report in reports:
                reporter.broadcast(report)
        except EarlyStopError:
            pass

    reporting = None if math.isfinite(reports[0]) else stopping
    result, _ = run(training, {"reports": reports}, reporting=reporting)
    assert result.state is State.FAILED
    assert result.failure.kind == "InvalidOutputError"
    assert "returned NoneType None" in result.failure.message
