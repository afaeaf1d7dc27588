"""Starting and ending the processes of a server."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
from collections.abc import Collection
from pathlib import Path

import psutil

from tests.waiting import eventually

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that are free now, all different.

    They are bound some time later. Until then nobody gets one of them by asking for any port, since
    they are below those of Linux, and no other process of a test run chooses among the same.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    first = 20_000 + 3_000 * worker
    ports = iter(random.sample(range(first, first + 3_000), 3_000))
    found: list[socket.socket] = []
    try:
        while len(found) < count:
            opened = socket.socket()
            try:
                opened.bind(("127.0.0.1", next(ports)))
            except OSError:
                opened.close()
            else:
                found.append(opened)
        return [opened.getsockname()[1] for opened in found]
    finally:
        for opened in found:
            opened.close()


def gone(pid: int) -> bool:
    """Whether a process has ended, also where nobody has reaped it."""
    try:
        return not _lives(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True


def left(processes: Collection[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended after half a minute; one that nobody has reaped has ended."""
    alive: list[psutil.Process] = eventually(
        lambda: [process for process in processes if _lives(process)], lambda alive: not alive, 30
    )
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Process:
    """One process with its output in a file; it ends with this one, whatever kills that."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself; an error shows what it wrote until then."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{error}; it wrote:\n{self.log.read_text()}") from None

    def stop(self, *, kill: bool = False) -> None:
        """End it; by force if asked to, or if it takes longer than 10 s."""
        if self.running:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
