from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from hopsml_flows.execution import Job, Place, Staging, evaluate, packed
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.trials import Trial
from hopsml_flows.trials.logged_attempts import logged_attempts


@pytest.fixture
def run(project, tmp_path, monkeypatch):
    """Runs an attempt at trial 1; returns its result and the log."""
    monkeypatch.chdir(tmp_path)

    def attempt(function, number=1, worker="tcp://10.0.0.7:40001"):
        job = Job(
            function=packed(function, by_value=True), project=project, experiment_id="e-1",
            optimization_key="metric", needs_metric=True, local_logdir=False,
            directory=str(tmp_path),
        )  # fmt: skip
        trial = Trial(1, "0001", {}, attempt=number, directory="0001")
        staging = Staging(job.project, job.paths, trial, local_logdir=False)
        result = evaluate(job, trial, staging, Place(worker))
        return result, (staging.path / "output.log").read_text()

    return attempt


def note(project, text):
    log = OutputLog(Path(project.local_root, "Experiments/e-1/0001/output.log"))
    log.note(text)
    log.close()


def test_each_attempt_has_its_worker_its_times_and_its_end(run, project):
    run(lambda: 1)
    note(project, "its process was ended by signal 9 (SIGKILL)")
    result, text = run(lambda: 1, 2, "tcp://10.0.0.8:40001")
    first, second = logged_attempts(text)
    assert [each.worker for each in (first, second)] == [
        "tcp://10.0.0.7:40001", "tcp://10.0.0.8:40001",
    ]  # fmt: skip
    assert {first.host, second.host} == {socket.gethostname()}
    assert (first.is_retry, second.is_retry) == (False, True)
    assert first.end == "its process was ended by signal 9 (SIGKILL)"
    assert second.end == ""
    assert first.started <= first.ended <= second.started <= second.ended
    assert second.started == pytest.approx(result.started, abs=1)


def test_an_attempt_in_the_drivers_process_has_a_machine_and_no_worker(run):
    _, text = run(lambda: 1, worker="")
    (attempt,) = logged_attempts(text)
    assert (attempt.worker, attempt.host) == ("", socket.gethostname())


def test_a_traceback_has_the_exceptions_that_led_to_it_and_nothing_else(run):
    def train():
        import logging

        print("before it")
        try:
            [][1]
        except IndexError:
            logging.exception("an earlier one")
        try:
            {}["rate"]
        except KeyError as error:
            raise ValueError("no rate\nin two lines") from error

    result, text = run(train)
    (attempt,) = logged_attempts(text)
    found = attempt.traceback("ValueError")
    assert found == result.failure.traceback.rstrip()
    assert "KeyError" in found
    assert "IndexError" not in found
    assert attempt.traceback("OSError") == ""
    assert "an earlier one" in text


def test_the_traceback_of_an_exception_group_is_whole(run):
    def train():
        raise ExceptionGroup("two of them", [ValueError("a"), KeyError("b")])

    result, text = run(train)
    (attempt,) = logged_attempts(text)
    assert attempt.traceback("ExceptionGroup") == result.failure.traceback.rstrip()


def test_the_stack_of_a_crash_is_found(run, project):
    _, text = run(lambda: 1)
    text += (
        "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n"
    )
    text += '  File "a.py", line 3 in train\n'
    stamp = text[: len("2026-01-02T03:04:05.000Z")]
    text += f"{stamp} its process was ended by signal 11 (SIGSEGV)\n"
    (attempt,) = logged_attempts(text)
    assert attempt.stack.splitlines()[0] == "Fatal Python error: Segmentation fault"
    assert attempt.stack.splitlines()[-1] == '  File "a.py", line 3 in train'
    assert attempt.end.endswith("(SIGSEGV)")


@pytest.mark.parametrize("text", ["", "no log\n", "9999-99-99T99:99:99.999Z on h: 1 CPU core\n"])
def test_what_is_no_log_has_no_attempts(text):
    assert logged_attempts(text) == []


def test_a_time_that_is_none_is_no_fault():
    (attempt,) = logged_attempts("9999-99-99T99:99:99.999Z on h: 1 CPU core, 1.0 GiB of memory\n")
    assert replace(attempt, text="").started == 0.0
