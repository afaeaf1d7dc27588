from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from hopsml_flows.cli import main
from hopsml_flows.trials import State
from tests.written import ID, WrittenExperiment

COMMAND = [sys.executable, "-c", "from hopsml_flows.cli import main; main()", "logs"]


@pytest.fixture
def ran(project):
    """An experiment that is over."""
    ran = WrittenExperiment(project)
    ran.log("0001-x=1", "one 1\ntwo 1\n")
    ran.log("0002-x=2", "one 2\nünd 2\n")
    ran.write(state=State.FINISHED)
    return ran


@pytest.fixture
def command(ran, capsysbinary):
    """Run the command in this process; returns what it printed and what it said."""

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["logs", *arguments, "--project", ran.project.url])
        assert (ended.value.code or 0) == code
        printed = capsysbinary.readouterr()
        return printed.out.decode(), printed.err.decode()

    return run


def test_a_trials_log_is_printed_as_it_is(command):
    assert command(ID, "2") == ("one 2\nünd 2\n", "")


def test_a_trial_that_confirms_the_winner_has_a_log_like_any_other(ran, command):
    ran.log("confirmation/1000001-x=2", "once more\n")
    assert command(ID, "1000001") == ("once more\n", "")
    assert command(ID)[0].splitlines()[-1] == "1000001 | once more"
    assert "1000001-x=2" in command(ID, "1000002", code=2)[1]


def test_logs_of_all_trials_are_printed_with_their_numbers(command):
    out, said = command("last")
    assert out == "0001 | one 1\n0001 | two 1\n0002 | one 2\n0002 | ünd 2\n"
    assert said == ""


def test_the_last_lines_are_printed(command):
    assert command("digits", "-n", "1")[0] == "0001 | two 1\n0002 | ünd 2\n"
    assert command("digits", "2", "--lines", "0")[0] == ""


def test_following_what_is_over_prints_it_and_says_so(command):
    assert command("last", "-f") == (command("last")[0], f"hopsml: {ID} is FINISHED\n")
    assert command("last", "1", "--follow")[1] == f"hopsml: {ID} is FINISHED\n"


def test_an_experiment_without_trial_directories_has_no_numbers(ran, command):
    ran.project.remove(ran.paths.root, recursive=True)
    ran.project.make_directory(ran.paths.root)
    ran.write()
    ran.log("", "one\ntwo\n")
    assert command("last")[0] == command("last", "1")[0] == "one\ntwo\n"


def test_lines_of_the_processes_of_a_distributed_trial_have_their_names(ran, command):
    for name in ("chief_0_output.log", "worker_1_output.log"):
        ran.log("0003-x=3", "one\ntwo\n", name=name)
    lines = ["chief-0 | one", "chief-0 | two", "worker-1 | one", "worker-1 | two"]
    assert command("last", "3")[0].splitlines() == lines
    assert command("last")[0].splitlines()[4:] == [f"0003 {line}" for line in lines]
    assert command("last", "3/worker-1")[0] == "one\ntwo\n"
    assert "0003-x=3 that has begun: chief-0, worker-1" in command("last", "3/ps-0", code=2)[1]
    assert "must be a trial of" in command("last", "worker-1", code=2)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], f"ID: must be an experiment of .*: last, {ID}; got 'nothing'"),
        ([ID, "7"], "TRIAL: must be a trial of .* has begun: 0001-x=1, 0002-x=2; got '7'"),
        ([ID, "7", "-f"], "TRIAL: must be a trial of .* has begun: 0001-x=1, 0002-x=2; got '7'"),
        ([ID, "-n", "-1"], "--lines: must be an integer of at least 0; got -1"),
    ],
)
def test_bad_input_is_an_error_that_says_what_there_is(command, arguments, message):
    out, said = command(*arguments, code=2)
    assert out == ""
    assert re.fullmatch(f"hopsml: {message}\n", said)


def test_the_project_is_the_default_one_where_none_is_named(ran, monkeypatch, capsysbinary):
    monkeypatch.setenv("HOPSML_PROJECT", ran.project.url)
    with pytest.raises(SystemExit):
        main(["logs", "last", "1"])
    assert capsysbinary.readouterr().out == b"one 1\ntwo 1\n"


def started(ran, *arguments, **streams):
    return subprocess.Popen(
        [*COMMAND, *arguments, "--project", ran.project.url],
        stdin=subprocess.DEVNULL,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


def test_ctrl_c_ends_the_following(ran):
    ran.write(state=State.RUNNING)
    with started(ran, "last", "-f") as process:
        assert process.stdout.readline() == b"0001 | one 1\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("closed", ["while it waits", "while it writes"])
def test_a_closed_pipe_ends_the_command(ran, closed):
    if closed == "while it waits":
        ran.write(state=State.RUNNING)
    else:
        ran.log("0001-x=1", "line\n" * 100_000)
    with started(ran, "last", "-f") as process:
        assert process.stdout.readline() == b"0001 | one 1\n"
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


def test_a_terminal_gets_nothing_that_moves_its_cursor(ran):
    text = "  5%\r 50%\r100%\nwindows\r\n\ttab\n\x1b]0;title\x07é\x9b2J\n"
    ran.log("0003-x=3", text)
    assert subprocess.run(
        [*COMMAND, "last", "3", "-p", ran.project.url], capture_output=True, check=True
    ).stdout.decode() == text  # fmt: skip
    controller, terminal = pty.openpty()
    with started(ran, "last", "3", stdout=terminal) as process:
        os.close(terminal)
        assert process.wait(30) == 0
    shown = os.read(controller, 10_000).decode()
    os.close(controller)
    assert shown == "100%\r\nwindows\r\n\ttab\r\n\\x1b]0;title\\x07é\\x9b2J\r\n"


def test_the_logs_of_a_distributed_training_are_printed_with_their_processes(project, capsysbinary):
    training = WrittenExperiment(project)
    for process in ("worker_10", "worker_2", "ps_0", "chief_0"):
        path = training.paths.trial("", f"{process}_output.log")
        project.replace(path, f"from {process}\n")
    training.write(state=State.FINISHED)
    everything = (
        "chief-0 | from chief_0\nworker-2 | from worker_2\n"
        "worker-10 | from worker_10\nps-0 | from ps_0\n"
    )
    for arguments, printed in (
        (["last"], everything),
        (["last", "1"], everything),
        (["last", "worker-2"], "from worker_2\n"),
        (["last", "1/worker-2"], "from worker_2\n"),
        (["last", "ps-0", "-f"], "from ps_0\n"),
    ):
        with pytest.raises(SystemExit):
            main(["logs", *arguments, "--project", project.url])
        assert capsysbinary.readouterr().out.decode() == printed
