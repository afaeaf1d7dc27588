from __future__ import annotations

import subprocess
import sys

import pytest

from hopsml_flows.errors import NotFoundError
from hopsml_flows.service import trial_directories
from hopsml_flows.service.logs.follower import (
    Lines,
    Pause,
    follow_trial,
    follow_trials,
    read_logs,
)
from hopsml_flows.storage import this_process
from hopsml_flows.trials import State
from tests.written import ID, WrittenExperiment

FINISHED = f"{ID} is FINISHED"


@pytest.fixture(params=["local", "memory"])
def ran(request):
    """An experiment that runs."""
    name = "project" if request.param == "local" else "memory_project"
    return WrittenExperiment(request.getfixturevalue(name), trials=3)


def text_of(lines):
    whose = (lines.trial.number, lines.process) if lines.process else (lines.trial.number,)
    return (*whose, lines.text.decode())


def seen(events):
    """What comes until there is nothing more for now: lines by trial, and what is said."""
    found = []
    for event in events:
        if isinstance(event, Pause):
            break
        found.append(text_of(event) if isinstance(event, Lines) else event)
    else:
        found.append("end")
    return found


def test_all_that_there_is_is_read_in_the_order_of_the_trials(ran, monkeypatch):
    monkeypatch.setattr("hopsml_flows.service.logs.follower._AHEAD", 2)
    for number in (3, 1, 2, 12, 5):
        ran.log(f"{number:04d}-x={number}", f"one {number}\ntwo {number}\n")
    ran.project.make_directory(ran.paths.trial("0004-x=4"))
    ran.log("0005-x=5", "par")
    trials = trial_directories(ran.project, ran.paths)
    found = [(e.trial.number, e.text) for e in read_logs(ran.project, ran.paths, trials, lines=1)]
    assert found == [
        (1, b"two 1\n"), (2, b"two 2\n"), (3, b"two 3\n"), (5, b"par\n"), (12, b"two 12\n")
    ]  # fmt: skip


def test_a_trial_is_followed_until_it_is_done(ran):
    ran.log("0001-x=1", "one\ntw")
    events = follow_trial(ran.project, ran.paths, "1")
    assert seen(events) == [(1, "one\n")]
    assert seen(events) == []
    ran.log("0001-x=1", "o\nthree\n")
    assert seen(events) == [(1, "two\nthree\n")]
    ran.log("0001-x=1", "last\nno end")
    ran.end("0001-x=1")
    assert seen(events) == [(1, "last\n"), (1, "no end\n"), "0001-x=1 has finished", "end"]


def test_a_trial_is_followed_until_it_has_failed(ran):
    ran.log("0001-x=1", "one\ntwo\n")
    events = follow_trial(ran.project, ran.paths, "0001-x", lines=1)
    assert seen(events) == [(1, "two\n")]
    ran.log("0001-x=1", "Traceback\n")
    ran.end("0001-x=1", done=False)
    assert seen(events) == [(1, "Traceback\n"), "0001-x=1 has failed", "end"]


@pytest.mark.parametrize("follow", ["one", "all"])
@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.KILLED])
def test_a_trial_that_says_no_end_is_followed_until_the_experiments(ran, follow, state):
    ran.log("0001-x=1", "one\n")
    events = follow_trial(ran.project, ran.paths, "1")
    if follow == "all":
        events = follow_trials(ran.project, ran.paths)
    assert seen(events) == [(1, "one\n")]
    ran.log("0001-x=1", "last\npart")
    ran.write(state=state)
    assert seen(events) == [(1, "last\n"), (1, "part\n"), f"{ID} is {state}", "end"]


@pytest.mark.parametrize("follow", ["one", "all"])
def test_that_the_process_of_an_experiment_is_gone_is_said(ran, follow):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ran.log("0001-x=1", "one\n")
    events = follow_trial(ran.project, ran.paths, "1")
    if follow == "all":
        events = follow_trials(ran.project, ran.paths)
    assert seen(events) == [(1, "one\n")]
    ran.write(driver={**this_process(), "pid": process.pid})
    *_, said, end = seen(events)
    assert end == "end"
    assert f"RUNNING by its record, but the process that ran it ({process.pid}) is gone" in said


def test_the_process_on_another_machine_is_believed_to_run(ran):
    ran.write(driver={**this_process(), "pid": 1 << 22, "host": "elsewhere"})
    ran.log("0001-x=1", "one\n")
    assert seen(follow_trials(ran.project, ran.paths)) == [(1, "one\n")]


def test_an_end_that_is_written_just_before_its_process_goes_is_believed(ran, monkeypatch):
    def lives(driver):
        ran.write(state=State.FINISHED)
        return False

    monkeypatch.setattr("hopsml_flows.service.logs.follower.process_lives", lives)
    assert seen(follow_trials(ran.project, ran.paths)) == [FINISHED, "end"]


def test_a_trial_that_has_not_begun_is_waited_for(ran):
    ran.log("0001-x=1", "one\n")
    events = follow_trial(ran.project, ran.paths, "3", lines=0)
    assert seen(events) == ["trial 3 has not begun yet"]
    assert seen(events) == []
    ran.log("0003-x=3", "")
    assert seen(events) == []
    ran.log("0003-x=3", "three\n")
    assert seen(events) == [(3, "three\n")]


@pytest.mark.parametrize("text", ["4", "0", "-1", "0003-x", ""])
def test_a_trial_that_there_will_never_be_is_an_error(ran, text):
    ran.log("0001-x=1", "one\n")
    with pytest.raises(NotFoundError, match="0001-x=1"):
        seen(follow_trial(ran.project, ran.paths, text))


def test_a_trial_that_never_began_is_an_error_when_the_experiment_is_over(ran):
    events = follow_trial(ran.project, ran.paths, "3")
    assert seen(events) == ["trial 3 has not begun yet"]
    ran.write(state=State.KILLED)
    with pytest.raises(NotFoundError, match="no trial of"):
        seen(events)


def test_all_trials_are_followed_and_those_that_begin_later(ran):
    events = follow_trials(ran.project, ran.paths)
    assert seen(events) == ["no trial has begun yet"]
    ran.log("0001-x=1", "one 1\n")
    assert seen(events) == ["0001-x=1 has begun", (1, "one 1\n")]
    ran.log("0001-x=1", "two 1\n")
    ran.end("0001-x=1")
    ran.log("0002-x=2", "one 2\n")
    ran.log("generation.1/0003-x=3", "one 3\n")
    ran.end("generation.1/0003-x=3")  # begun and over between two looks
    assert seen(events) == [
        (1, "two 1\n"),
        "0001-x=1 has finished",
        "0002-x=2 has begun",
        (2, "one 2\n"),
        "0003-x=3 has begun",
        (3, "one 3\n"),
        "0003-x=3 has finished",
    ]
    assert seen(events) == []
    ran.log("0002-x=2", "two 2\n")
    ran.end("0002-x=2", done=False)
    ran.write(state=State.FINISHED)
    assert seen(events) == [(2, "two 2\n"), "0002-x=2 has failed", FINISHED, "end"]


def test_of_trials_that_are_over_before_only_the_number_is_said(ran):
    ran.log("0001-x=1", "one 1\n")
    ran.end("0001-x=1")
    ran.log("0002-x=2", "one 2\n")
    ran.end("0002-x=2", done=False)
    ran.log("0003-x=3", "one 3\ntwo 3\n")
    events = follow_trials(ran.project, ran.paths, lines=1)
    assert seen(events) == [
        (3, "two 3\n"), f"trials already over: 2; hopsml logs {ID} prints them"
    ]  # fmt: skip
    assert seen(events) == []


def test_a_failed_trial_that_is_run_again_is_followed_from_there_on(ran):
    ran.log("0002-x=2", "one 2\n")
    ran.end("0002-x=2", done=False)
    events = follow_trials(ran.project, ran.paths)
    assert len(seen(events)) == 1
    ran.project.remove(ran.paths.trial("0002-x=2", "events.out.tfevents.9.hparams"))
    ran.log("0002-x=2", "again 2\n")
    assert seen(events) == ["0002-x=2 has begun", (2, "again 2\n")]
    ran.end("0002-x=2")
    assert seen(events) == ["0002-x=2 has finished"]


def test_a_log_that_begins_anew_says_so(ran):
    ran.log("0001-x=1", "one\ntwo\n")
    events = follow_trials(ran.project, ran.paths)
    assert seen(events) == [(1, "one\ntwo\n")]
    ran.project.replace(ran.paths.trial("0001-x=1", "output.log"), "new\n")
    assert seen(events) == ["the log of 0001-x=1 begins again", (1, "new\n")]


def test_an_experiment_that_is_over_is_read_whole(ran):
    ran.log("0001-x=1", "one 1\n")
    ran.end("0001-x=1")
    ran.log("0002-x=2", "one 2\n")
    ran.write(state=State.FINISHED)
    assert seen(follow_trials(ran.project, ran.paths)) == [
        (1, "one 1\n"), (2, "one 2\n"), FINISHED, "end"
    ]  # fmt: skip


def test_an_experiment_without_trial_directories_is_followed(ran):
    events = follow_trials(ran.project, ran.paths)
    assert seen(events) == ["no trial has begun yet"]
    ran.log("", "one\n")
    assert seen(events) == ["the trial has begun", (1, "one\n")]
    ran.log("", "two\n")
    ran.end("")
    assert seen(events) == [(1, "two\n"), "the trial has finished"]


def test_a_record_that_cannot_be_read_ends_the_following(ran):
    ran.log("0001-x=1", "one\n")
    ran.project.replace(ran.paths.record, "no JSON")
    events = follow_trials(ran.project, ran.paths)
    assert seen(events) == [(1, "one\n"), f"{ID} has no record that can be read", "end"]


def test_a_pause_lasts_longer_where_looking_takes_long(ran, monkeypatch):
    now = [0.0]

    def read(path, start=0, stop=None, really=ran.project.read):
        now[0] += 5.0
        return really(path, start, stop)

    ran.log("0001-x=1", "one\n")
    monkeypatch.setattr("hopsml_flows.service.logs.follower.time.monotonic", lambda: now[0])
    quick = next(e for e in follow_trials(ran.project, ran.paths) if isinstance(e, Pause))
    monkeypatch.setattr(ran.project, "read", read)
    slow = next(e for e in follow_trials(ran.project, ran.paths) if isinstance(e, Pause))
    assert quick.seconds <= 2.0
    assert slow.seconds >= 20.0


def test_the_logs_of_a_distributed_training_are_told_apart(ran):
    events = follow_trials(ran.project, ran.paths)
    assert seen(events) == ["no trial has begun yet"]
    ran.log("", "one\n", name="chief_0_output.log")
    assert seen(events) == ["the trial has begun", (1, "chief-0", "one\n")]
    ran.log("", "one\ntw", name="worker_0_output.log")
    ran.log("", "two\n", name="chief_0_output.log")
    ran.log("", "one\n", name="my_output.log")  # the user's
    assert seen(events) == [(1, "chief-0", "two\n"), (1, "worker-0", "one\n")]
    ran.end("")
    assert seen(events) == [(1, "worker-0", "tw\n"), "the trial has finished"]
    ran.log("", "stopped with its group\n", name="worker_0_output.log")  # after the leader's end
    assert seen(events) == [(1, "worker-0", "stopped with its group\n")]
    ran.write(state=State.FINISHED)
    assert seen(events) == [FINISHED, "end"]


def test_one_distributed_trial_is_followed_until_all_its_processes_are_over(ran):
    for name in ("chief_0_output.log", "worker_0_output.log"):
        ran.log("0001-x=1", "one\ntwo\n", name=name)
    events = follow_trial(ran.project, ran.paths, "1", lines=1)
    assert seen(events) == [(1, "chief-0", "two\n"), (1, "worker-0", "two\n")]
    ran.end("0001-x=1")
    assert seen(events) == []
    ran.log("0001-x=1", "stopped\n", name="worker_0_output.log")
    assert seen(events) == [(1, "worker-0", "stopped\n"), "0001-x=1 has finished", "end"]


def test_one_process_of_a_distributed_trial_is_followed_until_it_is_over_too(ran):
    ran.log("0001-x=1", "one\n")  # the chief's is the trial's
    ran.log("0001-x=1", "two\n", name="worker_0_output.log")
    events = follow_trial(ran.project, ran.paths, "0001-x=1/worker-0")
    assert seen(events) == [(1, "worker-0", "two\n")]
    ran.log("0001-x=1", "more\n")
    ran.end("0001-x=1")
    assert seen(events) == []
    ran.log("0001-x=1", "stopped\n", name="worker_0_output.log")
    assert seen(events) == [(1, "worker-0", "stopped\n"), "0001-x=1 has finished", "end"]
