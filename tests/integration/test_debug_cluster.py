"""Trials of ``cluster="debug"`` run where the verb was called, under a debugger perhaps."""

from __future__ import annotations

import os
import pty
import random
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidArgumentError, InvalidClusterError
from hopsml_flows.trials import State
from tests.servers.homes import used_home
from tests.servers.prefect import task_runs
from tests.waiting import eventually

PROGRAM = """
import logging
import sys
from hopsml_flows import experiment

def train(lr):
    if lr == 0.25:
        breakpoint()
    logging.warning("logged at %s", lr)
    return lr * 2

if __name__ == "__main__":
    result = experiment.grid_search(
        train, {"lr": [0.25, 0.5]}, cluster="debug", project=sys.argv[1], tensorboard=False
    )
    print("best is", result.best_metric)
"""


@pytest.fixture
def debug(prefect_server, project):
    return {"project": str(project), "cluster": "debug", "progress": False, "tensorboard": False}


def dask_threads():
    """Threads of Dask in this process; earlier tests may have left some of its pools."""
    return sum(thread.name.startswith("Dask") for thread in threading.enumerate())


def where(x):
    """Say where the trial runs."""
    os.environ["HOPSML_TEST_LEFT"] = "1"
    random.random()
    (Path.cwd() / "written.txt").write_text("x")
    return {
        "metric": x,
        "pid": os.getpid(),
        "is_main": threading.current_thread() is threading.main_thread(),
        "directory": os.getcwd(),
        "seed": int(os.environ["HOPSML_SEED"]),
        "dask_threads": dask_threads(),
        "children": len(psutil.Process().children(recursive=True)),
    }


def test_trials_run_in_the_callers_thread_and_leave_it_as_it_was(debug):
    before = dict(os.environ)
    directory, children = os.getcwd(), len(psutil.Process().children(recursive=True))
    streams, threads = (sys.stdout, sys.stderr), dask_threads()
    result = experiment.grid_search(
        where, {"x": [1, 2]}, optimization_key="metric", keep_files=True, **debug
    )
    assert [trial.metric for trial in result.trials] == [1, 2]
    for trial in result.trials:
        outputs = trial.outputs
        assert (outputs["pid"], outputs["is_main"]) == (os.getpid(), True)
        assert (outputs["dask_threads"], outputs["children"]) == (threads, children)
        assert outputs["directory"] != directory
        kept = Path(result.path) / trial.name / "files" / "written.txt"
        assert kept.read_text() == "x"
    assert len({trial.outputs["seed"] for trial in result.trials}) == 2
    assert (dict(os.environ), os.getcwd()) == (before, directory)
    drawn = random.Random(result.trials[-1].outputs["seed"])
    assert random.random() not in [drawn.random() for _ in range(100)]
    assert (sys.stdout, sys.stderr) == streams


def test_a_trial_that_fails_does_not_end_the_experiment(debug, experiments):
    def train(x):
        print("about", x)
        if x == 2:
            raise ValueError("no")
        if x == 3:
            sys.exit(3)
        return x

    result = experiment.grid_search(train, {"x": [1, 2, 3, 4]}, **debug)
    assert [trial.state for trial in result.trials] == [
        State.FINISHED, State.FAILED, State.FAILED, State.FINISHED,
    ]  # fmt: skip
    failure = result.trials[1].failure
    assert (failure.kind, failure.message) == ("ValueError", "no")
    assert 'raise ValueError("no")' in failure.traceback
    assert "about 2" in (Path(result.path) / result.trials[1].name / "output.log").read_text()
    assert experiments()[result.id]["state"] == "FINISHED"
    states = sorted(run["state"]["type"] for run in task_runs(result.flow_run_id, 4))
    assert states == ["COMPLETED", "COMPLETED", "FAILED", "FAILED"]


class Raising:
    """A rule that fails, as a user's own may."""

    def judge(self, trial, curve):
        raise ZeroDivisionError("of the rule")

    def end(self, trial, curve):
        pass


@pytest.mark.parametrize("swallows", [False, True])
def test_a_rule_that_fails_ends_the_experiment_and_not_each_trial(debug, experiments, swallows):
    begun = []

    def train(x, reporter):
        begun.append(x)
        try:
            reporter.broadcast(x)
        except BaseException:
            if not swallows:
                raise
        return x

    call = {"num_trials": 3, "optimizer": "random", "early_stop": Raising}
    with pytest.raises(ZeroDivisionError, match="of the rule"):
        experiment.optimize(train, {"x": [0.0, 1.0]}, **call, **debug)
    assert len(begun) == 1
    (record,) = experiments().values()
    assert record["state"] == "FAILED"


def test_generations_of_differential_evolution_are_subflows(debug):
    result = experiment.differential_evolution(
        lambda x, y: x + y, {"x": [0.0, 1.0], "y": [0.0, 1.0]},
        generations=2, population=4, **debug,
    )  # fmt: skip
    assert {trial.generation for trial in result.trials} == {0, 1, 2}
    assert not result.failed


def test_ctrl_c_ends_the_experiment_and_resume_goes_on(debug, experiments, tmp_path):
    interrupted = tmp_path / "interrupted"

    def train(x):
        if x == 2 and not interrupted.exists():
            interrupted.touch()
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        experiment.grid_search(train, {"x": [1, 2, 3]}, **debug)
    ((name, record),) = experiments().items()
    assert record["state"] == "KILLED"

    def states():
        return sorted(run["state_type"] for run in task_runs(record["flow_run_id"], 2))

    expected = ["CANCELLED", "COMPLETED"]
    assert eventually(states, lambda found: found == expected) == expected
    result = experiment.grid_search(train, {"x": [1, 2, 3]}, resume=name, **debug)
    assert [trial.metric for trial in result.trials] == [1, 2, 3]
    assert result.id == name


@pytest.mark.parametrize(
    ("more", "error", "argument"),
    [
        ({"trial_timeout": 5}, InvalidArgumentError, "trial_timeout"),
        ({"isolation": "process"}, InvalidArgumentError, "isolation"),
        ({"processes_per_trial": 2}, InvalidClusterError, "cluster"),
        ({"cluster": {"kind": "debug", "gpus_per_trial": 1}}, InvalidClusterError, "gpus_per"),
        ({"cluster": {"kind": "debug", "n_workers": 2}}, InvalidClusterError, "n_workers"),
        ({"cluster": {"kind": "debug", "memory_limit": 1e9}}, InvalidClusterError, "memory"),
        ({"cluster": {"kind": "debug", "options": {"a": 1}}}, InvalidClusterError, "options"),
    ],
)  # fmt: skip
def test_what_one_thread_cannot_do_is_refused(tmp_path, more, error, argument):
    project = tmp_path / "none"
    with pytest.raises(error, match=argument):
        experiment.grid_search(
            lambda x: x, {"x": [1]}, project=str(project), **{"cluster": "debug", **more}
        )
    assert not project.exists()


def test_distributed_training_is_refused(tmp_path):
    with pytest.raises(InvalidClusterError, match="debug"):
        experiment.distributed(lambda: 1, project=str(tmp_path / "none"), cluster="debug")


def read_until(terminal, text, seen, seconds=120):
    """What the terminal shows, until it shows a text after what was seen."""
    deadline = time.monotonic() + seconds
    start = len(seen)
    while text not in seen[start:] and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                seen += os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # the program has ended
                break
    assert text in seen[start:], seen
    return seen


def test_breakpoint_opens_a_debugger_in_the_terminal(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    terminal, other = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "project")],
        cwd=tmp_path, stdin=other, stdout=other, stderr=other, start_new_session=True,
        env={**os.environ, "PREFECT_HOME": str(used_home(tmp_path / "prefect"))},
    )  # fmt: skip
    os.close(other)
    try:
        seen = read_until(terminal, "(Pdb) ", "")
        os.write(terminal, b"p lr\n")
        seen = read_until(terminal, "0.25\r\n(Pdb) ", seen)
        os.write(terminal, b"c\n")
        seen = read_until(terminal, "best is 1.0", seen)
        assert "logged at 0.25" in seen
        assert "Task run" not in seen  # Prefect's own lines
        assert program.wait(60) == 0
    finally:
        program.kill()
        program.wait()
        os.close(terminal)
