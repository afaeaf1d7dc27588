"""What a user waits for: calls of a contender until they return, and until the server has all.

``measure`` runs in the contender's process, ``run`` starts such a process and sums up. README.md
says what each column is.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environment
import process_tree
import psutil
from embedded_server import PROGRAM, EmbeddedServer
from prefect_server import Server
from window import STARTED, Window

FEW = 4
"""Trials of an experiment that measures the constant part."""

SERVER_PROCESS = "BENCHMARK_SERVER_PROCESS"
"""Environment variable: the process of a server of one's own."""

PER_TRIAL = {
    "last_result_ms": "ms per trial: until the last result",
    "returned_ms": "until the call returns",
    "server_has_all_ms": "until the server has all",
    "server_cpu_ms": "server CPU",
}

COLUMNS = {
    "first_s": "first experiment, s",
    "second_s": "second, s",
    "other_s": "in another process, s",
    **PER_TRIAL,
}

_ALL_SECONDS = 1800.0
_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

ContenderFunction = Callable[[Window, Path], Any]


@dataclass(frozen=True, slots=True)
class _FlowRun:
    """A flow run, and the server that it told about itself."""

    id: str
    url: str
    authorization: str | None

    def final_task_runs(self) -> int:
        """How many of its task runs are final by the server; OSError where it does not answer."""
        body = {
            "flow_runs": {"id": {"any_": [self.id]}},
            "task_runs": {"state": {"type": {"any_": list(_FINAL)}}},
        }
        headers = {"Content-Type": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        request = urllib.request.Request(
            f"{self.url}/task_runs/count", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(json.load(answer))

    def final_task_runs_in_database(self) -> int:
        """The same from the database of a server that has ended."""
        database = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
        query = (
            "SELECT count(*) FROM task_run WHERE flow_run_id = ? "
            f"AND state_type IN ({','.join('?' * len(_FINAL))})"
        )
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute(query, (self.id, *_FINAL)).fetchone()[0])


class _Call(Window):
    """A call of a contender; notes its flow run, and the embedded server, before the first trial.

    Args:
        trials: How many there will be.
        server: The server, if it is an embedded one.
    """

    def __init__(self, trials: int, server: EmbeddedServer | None) -> None:
        super().__init__(trials)
        self.flow_run: _FlowRun | None = None
        self.last_result: float | None = None
        self._server = server

    def begin(self) -> None:
        self.flow_run = _flow_run()
        if self._server is not None:
            self._server.find()
        super().begin()

    def end(self) -> None:
        self.last_result = time.perf_counter()
        super().end()


def measure(contender: ContenderFunction, calls: Sequence[int], directory: Path) -> dict[str, Any]:
    """Call a contender in this process, one time after another.

    Args:
        contender: What runs trials.
        calls: How many trials each time.
        directory: Where it writes.
    """
    started = float(os.environ[STARTED]) if STARTED in os.environ else time.time()
    before_call = time.time() - started
    server = _server()
    embedded = server if isinstance(server, EmbeddedServer) else None
    with embedded.followed() if embedded else nullcontext():
        found = [_call(contender, trials, directory, server) for trials in calls]
    return {"before_call_s": before_call, "calls": found}


def _server() -> EmbeddedServer | Server | None:
    if SERVER_PROCESS in os.environ:
        return Server(psutil.Process(int(os.environ[SERVER_PROCESS])), {})
    if "PREFECT_HOME" in os.environ:
        return EmbeddedServer(Path(os.environ["PREFECT_HOME"]))
    return None


def _call(
    contender: ContenderFunction,
    trials: int,
    directory: Path,
    server: EmbeddedServer | Server | None,
) -> dict[str, Any]:
    call = _Call(trials, server if isinstance(server, EmbeddedServer) else None)
    cpu = server.cpu_seconds() if server else 0.0
    called = time.perf_counter()
    contender(call, directory)
    returned, returned_at = time.perf_counter() - called, time.time()
    has_all = _until_server_has_all(call.flow_run, trials, called, returned)
    figures: dict[str, Any] = {
        "trials": trials,
        "last_result_s": call.last_result - called if call.last_result else None,
        "returned_s": returned,
        "returned_at": returned_at,
        "server_has_all_s": has_all,
        "server_cpu_s": None,
    }
    if server:
        server.wait_idle()
        figures["server_cpu_s"] = server.cpu_seconds() - cpu or None
    return figures


def _flow_run() -> _FlowRun | None:
    """The flow run that this is called in, if its server can be asked."""
    if "prefect" not in sys.modules:
        return None
    from prefect.context import FlowRunContext
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_AUTH_STRING

    context, url = FlowRunContext.get(), PREFECT_API_URL.value()
    if context is None or context.flow_run is None or not url:
        return None
    secret = PREFECT_SERVER_API_AUTH_STRING.value()
    authorization = None
    if secret:
        encoded = base64.b64encode(secret.get_secret_value().encode()).decode()
        authorization = f"Basic {encoded}"
    return _FlowRun(str(context.flow_run.id), url, authorization)


def _until_server_has_all(
    flow_run: _FlowRun | None, trials: int, called: float, returned: float
) -> float | None:
    """Seconds from the call until all task runs are final by the server; None if never.

    Asks at steps of 3 % of the time that has passed: asking costs the server time, too.
    """
    if flow_run is None:
        return None
    while (passed := time.perf_counter() - called) < returned + _ALL_SECONDS:
        try:
            if flow_run.final_task_runs() >= trials:
                return time.perf_counter() - called
        except OSError:
            # An embedded server may end within the call. Its database says what it had by then.
            complete = flow_run.final_task_runs_in_database() >= trials
            return returned if complete else None
        time.sleep(max(0.05, 0.03 * passed))
    return None


def run(
    contender: str, calls: Sequence[int], env: Mapping[str, str], timeout: float
) -> dict[str, Any]:
    """Call a contender in a process of its own.

    Args:
        contender: Its name.
        calls: How many trials each time.
        env: What leads to the server.
        timeout: Longest time in seconds.

    Returns:
        What ``measure`` found, and ``whole_s`` from the start of the process to its end.

    Raises:
        RunError: The process failed, or took too long.
    """
    command = [sys.executable, str(environment.HERE / "overhead.py"), "--contender", contender]
    command += ["--calls", *map(str, calls)]
    full_env = {**environment.clean_environment(), **env, STARTED: repr(time.time())}
    finished = process_tree.run(command, full_env, timeout=timeout, apart=PROGRAM)
    return {**json.loads(finished.output.splitlines()[-1]), "whole_s": finished.seconds}


def waits(
    contender: str, trials: int, env: Mapping[str, str], timeout: float, *, other: bool = True
) -> dict[str, Any]:
    """Measure what a user waits for, without the constant part and apart from it.

    Args:
        contender: Its name.
        trials: Trials of the large experiment.
        env: What leads to the server.
        timeout: Longest time in seconds of each process.
        other: Whether an experiment runs in a second process as well.

    Raises:
        RunError: A process failed, or took too long.
    """
    found = run(contender, (FEW, FEW, trials), env, timeout)
    first, second, large = found["calls"]
    figures = {
        **found,
        "first_s": first["returned_s"],
        "second_s": second["returned_s"],
        "returned_s": large["returned_s"],
    }
    for column in PER_TRIAL:
        seconds = f"{column.removesuffix('_ms')}_s"
        figures[column] = _per_trial(large, second, seconds)
    if other:
        figures["other"] = run(contender, [FEW], env, timeout)
        figures["other_s"] = figures["other"]["calls"][0]["returned_s"]
    return figures


def _per_trial(large: Mapping[str, Any], few: Mapping[str, Any], figure: str) -> float | None:
    """Milliseconds per trial over the constant part, which few trials show."""
    more = large["trials"] - few["trials"]
    if large[figure] is None or few[figure] is None or more <= 0:
        return None
    return 1000 * (large[figure] - few[figure]) / more


def prepare_home(server: EmbeddedServer, contender: str, timeout: float) -> None:
    """Create the database of a Prefect home, as a user's first experiment ever does."""
    try:
        run(contender, [FEW], server.env, timeout)
    finally:
        server.stop()
