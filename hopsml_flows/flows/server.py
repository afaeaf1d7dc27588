"""The embedded Prefect server: exactly one for a run, when no other is configured.

It serves the run and its workers, on the database that ``prefect server start`` uses, and is gone
with the run. Prefect's own temporary server picks a port by trying, gives up after 20 seconds and
outlives a killed parent; here the parent binds the port and hands it over, and the server ends
when its parent does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

import httpx
from prefect.context import FlowRunContext
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    get_current_settings,
    temporary_settings,
)

from hopsml_flows.cluster.remote import flush
from hopsml_flows.errors import PrefectServerError
from hopsml_flows.execution.here import standing_directory

__all__ = ["check_answers", "embedded_server", "server_is_embedded"]

START_SECONDS = 120.0
"""Longest wait for the server to answer; Prefect's own limit of 20 s fails on loaded machines."""

_STOP_SECONDS = 20.0
_ANSWER_SECONDS = 10.0

_embedded: ContextVar[bool] = ContextVar("hopsml_embedded_server", default=False)

# Background services that this run does not need; some would act on the user's other flows.
_IDLE_SERVICES = [
    f"PREFECT_SERVER_SERVICES_{service}_ENABLED"
    for service in (
        "CANCELLATION_CLEANUP",
        "CLEANUP_RECONCILER",
        "FOREMAN",
        "LATE_RUNS",
        "PAUSE_EXPIRATIONS",
        "REPOSSESSOR",
        "SCHEDULER",
        "TRIGGERS",
    )
]

# Runs in the child: uvicorn on the inherited socket, until told to stop or the parent is gone
# (its end of the pipe on standard input closes, however it died).
_CHILD = """
import os, signal, sys, threading
import uvicorn
os.nice(10)  # trials come first: the server may lag behind
def watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
uvicorn.run("prefect.server.api.server:create_app", factory=True, fd=int(sys.argv[1]),
            log_level="error", lifespan="on", timeout_graceful_shutdown=5)
"""


@contextmanager
def embedded_server(*, start_seconds: float = START_SECONDS) -> Iterator[str | None]:
    """Run a Prefect server for the block, unless there is one already.

    Args:
        start_seconds: Longest wait for it to answer.

    Yields:
        The server's API URL, or None where another server serves: the configured one, or the one
        of the flow that this runs in.

    Raises:
        PrefectServerError: It exited, or did not answer in time (the message holds its output); or
            the configured one does not answer.
    """
    if FlowRunContext.get() is not None:
        yield None
        return
    if configured := PREFECT_API_URL.value():
        check_answers(configured)
        yield None
        return
    with tempfile.TemporaryFile() as output, _listening() as listener:
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}/api"
        process = _started(listener, url, output)
        try:
            listener.close()
            _await_health(process, url, output, start_seconds)
            token = _embedded.set(True)
            # It is either there or dead for good: no reason to try for a minute.
            with temporary_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 2}):
                try:
                    yield url
                finally:
                    _embedded.reset(token)
                    flush(timeout=1.0 if process.poll() is not None else 30.0)
        finally:
            _stop(process)


def server_is_embedded() -> bool:
    """Whether the calling code runs on an embedded server, which ends with its run."""
    return _embedded.get()


def check_answers(url: str) -> None:
    """Find out whether a configured Prefect server answers.

    Args:
        url: Its API URL.

    Raises:
        PrefectServerError: It does not, within 10 s.
    """
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=_ANSWER_SECONDS)
    except httpx.TransportError as error:
        raise PrefectServerError(
            f"the Prefect server that PREFECT_API_URL names does not answer: {url} "
            f"({type(error).__name__}); start it, or unset PREFECT_API_URL for an embedded one"
        ) from error


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        yield listener


def _started(listener: socket.socket, url: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(listener.fileno())],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=[listener.fileno()],
        cwd=standing_directory(),
        # Ctrl-C belongs to the driver, which still has to report the run's end to this server.
        process_group=0,
        env={
            **os.environ,
            **get_current_settings().to_environment_variables(exclude_unset=True),
            **dict.fromkeys(_IDLE_SERVICES, "false"),
            # Its pages would look for the API on Prefect's own port.
            "PREFECT_SERVER_UI_API_URL": url,
        },
    )


def _await_health(
    process: subprocess.Popen[bytes], url: str, output: IO[bytes], seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=5.0) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise PrefectServerError(
                    f"the embedded Prefect server exited with code {process.returncode}"
                    f"{_tail(output)}"
                )
            try:
                if client.get(f"{url}/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise PrefectServerError(
        f"the embedded Prefect server did not answer within {seconds:g} s{_tail(output)}"
    )


def _tail(output: IO[bytes]) -> str:
    output.seek(0)
    text = output.read().decode(errors="replace").strip()
    return f": {text[-2000:]}" if text else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()
