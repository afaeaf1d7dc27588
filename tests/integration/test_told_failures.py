"""What the terminal shows where something is wrong: scripts in processes of their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from uuid import UUID

import pytest

from tests.waiting import eventually

HEAD = """
from hopsml_flows import experiment

ONE = experiment.ClusterConfig(kind="local", n_workers=1)
"""

LIBRARIES = re.compile(
    r"site-packages|[/ ]prefect/|distributed/|/dask/|hopsml_flows/|hopsml_tasks/"
)
"""Paths of frames that are not the user's."""


@pytest.fixture
def told(run_script, prefect_server, tmp_path):
    """Run a script as a user does, in a terminal of 80 columns; returns what it printed."""

    def run(code, *, fails=False, **env):
        done = run_script(
            HEAD + code,
            check=False,
            **{
                "PREFECT_API_URL": prefect_server,
                "PREFECT_LOGGING_LEVEL": "INFO",  # as where the user set nothing
                "COLUMNS": "80",
                "PYTHONUNBUFFERED": "1",
                **env,
            },
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        assert not LIBRARIES.search(done.stdout), done.stdout
        assert not LIBRARIES.search(done.stderr), done.stderr
        return done

    return run


def line_number(code, text):
    """The number of a script's line with a text."""
    lines = (HEAD + code).splitlines()
    return 1 + next(n for n, line in enumerate(lines) if text in line)


def block(printed):
    """The lines about failures."""
    lines = printed.splitlines()
    [start] = [n for n, line in enumerate(lines) if line.startswith("Failures:")]
    end = next(n for n, line in enumerate(lines[start + 1 :], start + 1) if line[:2] != "  ")
    return lines[start:end]


def record(tmp_path):
    (file,) = tmp_path.glob("hopsml_project/Experiments/*/experiment.json")
    return json.loads(file.read_text())


SOME = """
def load(x):
    raise ValueError(f"no data for {x}")  # the fault

def train(x):  # returns nothing useful
    if x == 2:
        return "a text"
    return {"accuracy": x if x == 1 else load(x)}

if __name__ == "__main__":
    experiment.grid_search(
        train, {"x": [1, 2, 3, 4, 5]}, name="told", optimization_key="accuracy", cluster=ONE
    )
"""


def test_some_trials_fail(told, tmp_path):
    done = told(SOME)
    name = record(tmp_path)["id"]
    assert block(done.stdout) == [
        "Failures:    4 of 5 trials",
        "  ValueError: no data for 3",
        f"    at script.py:{line_number(SOME, '# the fault')}",
        "    3 trials: 3, 4, 5",
        f"    log: hopsml logs {name} 3",
        "  InvalidOutputError: the training function returned str 'a text'; it must",
        "    return a number, or a dict with the key 'accuracy'",
        f"    at script.py:{line_number(SOME, '# returns nothing useful')}",
        "    trial 2",
        f"    log: hopsml logs {name} 2",
    ]
    assert all(len(line) <= 80 for line in block(done.stdout))
    assert "Traceback" not in done.stdout + done.stderr
    assert "BEST  accuracy 1 with x=1" in done.stdout
    command = ["-c", "from hopsml_flows.cli import main; main()", "logs", name, "3"]
    log = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert "ValueError: no data for 3" in log.stdout
    assert "# the fault" in log.stdout
    summary = json.loads(
        (tmp_path / f"hopsml_project/Experiments/{name}/.summary.json").read_text()
    )
    places = [entry.get("error_place") for entry in summary["combinations"]]
    assert places[0] is None
    assert all(f"{tmp_path}/script.py:" in place for place in places[1:])


ALL = """
def train(x):
    raise ValueError(f"no data for {x}")  # the fault

def main():
    experiment.grid_search(train, {"x": [1, 2]}, name="told", cluster=ONE)  # the call

main()
"""


def test_all_trials_fail(told, tmp_path, prefect_server):
    done = told(ALL, fails=True)
    found = record(tmp_path)
    fault, call = line_number(ALL, "# the fault"), line_number(ALL, "# the call")
    assert block(done.stdout) == [
        "Failures:    2 of 2 trials",
        "  ValueError: no data for 1",
        f"    at script.py:{fault}",
        "    2 trials: 1, 2",
        f"    log: hopsml logs {found['id']} 1",
    ]
    start = done.stderr.index("Traceback (most recent call last):")
    lines = [line for line in done.stderr[start:].splitlines() if set(line) - set(" ^~")]
    last = line_number(ALL, "main()") + 3
    reason = (
        "all 2 trials failed; the first one with ValueError: no data for 1, "
        f"at script.py:{fault} (log: hopsml logs {found['id']} 1)"
    )
    assert lines == [
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/script.py", line {last}, in <module>',
        "    main()",
        f'  File "{tmp_path}/script.py", line {call}, in main',
        '    experiment.grid_search(train, {"x": [1, 2]}, name="told", cluster=ONE)  # the call',
        f"hopsml_flows.errors.ExperimentFailedError: {found['id']}: {reason}",
    ]
    before = done.stderr[:start]
    assert "Traceback" not in before
    assert "Encountered exception" not in before
    assert "Finished in state" not in before
    assert found["error"] == "all 2 trials failed; the first one with ValueError: no data for 1"
    messages = eventually(
        lambda: flow_run_logs(found["flow_run_id"]),
        lambda logs: any("Finished in state Failed" in message for message in logs),
    )
    assert any("Encountered exception during execution" in message for message in messages)


def flow_run_logs(flow_run_id):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(flow_run_id)]))
    with get_client(sync_client=True) as client:
        return [log.message for log in client.read_logs(wanted)]


QUIET = """
def train(x):
    raise ValueError("no data")

try:
    experiment.grid_search(train, {"x": [1]}, name="told", cluster=ONE, progress=False)
except Exception as error:
    print(type(error).__name__, error)
raise KeyError("of the user's own")
"""


def test_a_script_that_catches_the_error_has_all_in_its_text(told, tmp_path):
    done = told(QUIET, fails=True)
    name = record(tmp_path)["id"]
    [line] = done.stdout.splitlines()
    assert line.startswith(f"ExperimentFailedError {name}: the only trial failed with ")
    assert line.endswith(f", at script.py:{line_number(QUIET, 'raise ValueError')} "
                         f"(log: hopsml logs {name} 1)")  # fmt: skip
    assert done.stderr.endswith('KeyError: "of the user\'s own"\n')


KILLED = """
import os, signal

def train(x):
    if x == 2:
        os.kill({victim}, signal.SIGKILL)
        signal.pause()
    return x

if __name__ == "__main__":
    experiment.grid_search(
        train, {{"x": [1, 2, 3]}}, name="told", cluster=ONE, retries=0
    )
"""


@pytest.mark.parametrize(
    ("victim", "reason"),
    [
        ("os.getpid()", "its process was ended by signal 9 (SIGKILL)"),
        ("os.getppid()", "the worker process tcp://"),
    ],
    ids=["process", "worker"],
)
def test_a_process_is_killed(told, tmp_path, victim, reason):
    done = told(KILLED.format(victim=victim))
    lines = block(done.stdout)
    name = record(tmp_path)["id"]
    assert lines[0] == "Failures:    1 of 3 trials"
    assert " ".join(line.strip() for line in lines).count("WorkerLostError: ") == 1
    assert reason in " ".join(line.strip() for line in lines)
    assert lines[-2:] == ["    trial 2", f"    log: hopsml logs {name} 2"]
    for words in ("Traceback", "heartbeat", "Still processing"):
        assert words not in done.stdout + done.stderr


UNKNOWN = """
def train(x):
    return x

experiment.random_search(train, {"x": [0.0, 1.0]}, sampels=3)
"""


def test_an_unknown_argument(told, tmp_path):
    done = told(UNKNOWN, fails=True)
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if set(line) - set(" ^~")]
    assert lines == [
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/script.py", line {line_number(UNKNOWN, "sampels")}, in <module>',
        '    experiment.random_search(train, {"x": [0.0, 1.0]}, sampels=3)',
        ("hopsml_flows.errors.UnknownArgumentError: sampels: 3 cannot be used, because "
        "experiment.random_search has no such argument; did you mean samples?"),
    ]  # fmt: skip
    assert not (tmp_path / "hopsml_project").exists()
    assert not list(tmp_path.glob("prefect/hopsml-server-*"))  # no server was started


FEW = """
from hopsml_flows.search import Float
import math

def train(x):
    return x

if __name__ == "__main__":
    experiment.random_search(train, {"x": [1, 3]}, samples=10, cluster=ONE)
    close = Float(1.0, math.nextafter(1.0, 2.0))
    experiment.random_search(train, {"x": close}, samples=10, seed=1, cluster=ONE)
    experiment.random_search(train, {"x": [1, 3]}, samples=3, cluster=ONE)
"""


def test_too_few_points(told):
    lines = told(FEW).stdout.splitlines()
    known = "The search space has only 3 different points, and samples=10 asks for 10: "
    assert lines.count(f"{known}3 trials will run") == 1
    found = "The search found only 2 different points in its space, and samples=10 asks for 10"
    assert lines.count(found) == 1
    assert sum("different points" in line for line in lines) == 2
    assert lines.index(f"{known}3 trials will run") < lines.index(found)


WARNED = """
def train(x):
    import os

    from hopsml_flows import tensorboard

    if "generation.0" not in tensorboard.logdir():
        raise MemoryError("no room")
    return {"accuracy": x}

def main():
    experiment.differential_evolution(  # the call
        train, {"x": [2.0, 1.0]}, generations=2, population=4, max_failed_generations=1,
        optimization_key="accuracy", cluster=ONE,
    )

main()
"""


def test_warnings_have_the_callers_line_and_generations_the_metrics_name(told, tmp_path):
    done = told(WARNED)
    warnings = [line for line in done.stderr.splitlines() if "HopsmlWarning" in line]
    place = f"{tmp_path}/script.py:{line_number(WARNED, '# the call')}: HopsmlWarning: "
    assert [line.startswith(place) for line in warnings] == [True, True]
    assert "reversed bounds [2.0, 1.0]" in warnings[0]
    assert "ended before its budget was spent" in warnings[1]
    assert re.search(
        r"^Generation 0 \| average accuracy \S+ \| best accuracy \S+ \|", done.stdout, re.MULTILINE
    )
    assert "metric" not in done.stdout


NOISY = """
def train(x):
    print("line of a trial")
    if x == 3:
        raise ValueError("no")
    return x

if __name__ == "__main__":
    experiment.grid_search(train, {"x": list(range(20))}, name="told", cluster=ONE)
"""


def test_an_embedded_server_leaves_no_noise_behind(told, tmp_path):
    done = told(NOISY, PREFECT_API_URL="", HOPSML_SERVER_IDLE_SECONDS="0")
    everything = done.stdout + done.stderr
    for words in (
        "Still processing",
        "Unable to connect",
        "Error logging to API",
        "failed with",
        "heartbeat",
        "Traceback",
        "ws://",
    ):
        assert words not in everything, everything
