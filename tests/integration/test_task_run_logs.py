"""What a trial prints, in the logs of its Prefect task run; read from a real server."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.execution.output.excerpt import AT_ONCE, LINES_A_SECOND

LINES = 100_000


def train(kind):
    import ctypes
    import logging
    import subprocess
    import sys

    from prefect.logging import get_run_logger

    print("this is", kind)
    if kind == "flood":
        for n in range(LINES):
            print("line", n)
    elif kind == "all":
        print("to stderr", file=sys.stderr)
        print("no line end", end="")
        print(" until here\n")
        logging.getLogger("mine").warning("careful\nwith this")
        logging.getLogger("mine").debug("unseen")
        get_run_logger().warning("by Prefect's logger")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
        ctypes.CDLL(None).puts(b"from C")
        print("\r".join(f"{n}%" for n in range(101)))
        print("long " + "x" * 50_000)
    else:
        raise ValueError("no such kind")
    return 1


@pytest.fixture(scope="module")
def ran(prefect_server, dask_address, tmp_path_factory):
    """An experiment of three trials."""
    return experiment.grid_search(
        train,
        {"kind": ["all", "flood", "none"]},
        project=str(tmp_path_factory.mktemp("logs") / "project"),
        cluster=dask_address,
        progress=False,
    )


@pytest.fixture(scope="module")
def logs(ran, task_run_logs):
    """What the server has of each trial."""
    return task_run_logs(ran.flow_run_id, 3)


def test_lines_of_all_kinds_reach_the_task_run_once_with_their_levels(ran, logs):
    entries = logs["0001-kind=all"]
    for expected in (
        (logging.INFO, "this is all"),
        (logging.INFO, "to stderr"),
        (logging.INFO, "no line end until here"),
        (logging.WARNING, "mine: careful\nwith this"),
        (logging.WARNING, "by Prefect's logger"),
        (logging.INFO, "child"),
        (logging.INFO, "from C"),
        (logging.INFO, "100%"),
    ):
        assert entries.count(expected) == 1, (expected, entries)
    messages = [message for _, message in entries]
    assert sum("by Prefect's logger" in message for message in messages) == 1
    assert not any("left out here" in message or "unseen" in message for message in messages)
    [long] = [message for message in messages if message.startswith("long")]
    assert 10_000 < len(long) < 11_000
    log = (Path(ran.path) / "0001-kind=all/output.log").read_text()
    assert "x" * 50_000 in log
    assert "by Prefect's logger" in log


def test_of_a_flood_some_lines_reach_the_task_run_and_the_file_has_all(ran, logs):
    [trial] = [trial for trial in ran.trials if trial.params["kind"] == "flood"]
    messages = [message for _, message in logs[trial.name]]
    file = Path(ran.path) / trial.directory / "output.log"
    passed = [message for message in messages if message.startswith("line ")]
    said = [message for message in messages if message.endswith(f"all are in {file}")]
    assert passed[: AT_ONCE - 1] == [f"line {n}" for n in range(AT_ONCE - 1)]
    assert len(passed) <= AT_ONCE + trial.duration * LINES_A_SECOND
    assert 1 <= len(said) <= 2 + trial.duration / 10
    left_out = sum(int(m.removeprefix("lines left out here: ").partition(";")[0]) for m in said)
    assert left_out + len(passed) == LINES
    # The first line says where the trial runs.
    texts = [line.partition("Z ")[2] for line in file.read_text().splitlines()]
    assert texts[1:] == ["this is flood", *(f"line {n}" for n in range(LINES))]


def test_a_failure_is_an_error_in_the_task_runs_log(logs):
    entries = logs["0003-kind=none"]
    [traceback] = [m for level, m in entries if level == logging.ERROR and "no such kind" in m
                   and m.startswith("Traceback")]  # fmt: skip
    assert traceback.endswith("ValueError: no such kind")
