"""One Prefect server for a benchmark, in a directory of its own, on the machine that is measured.

It runs as the project's embedded server does: without background services that a run does not
need and, unless asked otherwise, niced.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from environment import clean_environment

KINDS = ("niced", "plain")

IDLE_PERCENT = 5.0
IDLE_WINDOW_SECONDS = 2.0
IDLE_WAIT_SECONDS = 120.0

_START_SECONDS = 120.0

_IDLE_SERVICES = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)

# Ends when the benchmark does, however that ends: then its standard input closes.
_CHILD = """
import os, signal, sys, threading
import uvicorn
os.nice(int(sys.argv[2]))
def watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
uvicorn.run("prefect.server.api.server:create_app", factory=True, fd=int(sys.argv[1]),
            log_level="error", lifespan="on", timeout_graceful_shutdown=5)
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Args:
        process: Its process.
        env: Environment variables that lead to it.
    """

    process: psutil.Process
    env: dict[str, str]

    def wait_idle(self) -> bool:
        """Wait until it has dealt with what it was sent; False where that takes too long."""
        return wait_idle(lambda seconds: self.process.cpu_percent(interval=seconds))

    def cpu_seconds(self) -> float:
        """Processor time that it has used so far."""
        times = self.process.cpu_times()
        return times.user + times.system


def wait_idle(percent: Callable[[float], float]) -> bool:
    """Wait until a server uses next to nothing of a core; False where that takes too long.

    Args:
        percent: The share of a core that it uses over so many seconds.
    """
    deadline = time.monotonic() + IDLE_WAIT_SECONDS
    while time.monotonic() < deadline:
        if percent(IDLE_WINDOW_SECONDS) < IDLE_PERCENT:
            return True
    return False


@contextmanager
def prefect_server(home: Path, *, kind: str) -> Iterator[Server]:
    """Run a server for the block.

    Args:
        home: Its PREFECT_HOME.
        kind: "niced" or "plain".
    """
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _IDLE_SERVICES},
    }
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _CHILD),
                *(str(listener.fileno()), "10" if kind == "niced" else "0"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            # Not a session of its own: Linux weighs niceness only inside one.
            process_group=0,
            env={**clean_environment(), **settings},
        )
    try:
        _await_health(process, url)
        yield Server(
            psutil.Process(process.pid),
            {
                "PREFECT_HOME": str(home),
                "PREFECT_API_URL": url,
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            },
        )
    finally:
        _stop(process)


def _await_health(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the Prefect server did not start")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
