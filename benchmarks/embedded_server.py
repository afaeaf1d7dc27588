"""The project's embedded Prefect server, seen from outside: its processor time, and its end.

Experiments start it by themselves. It may end within the call that started it, or outlive the
process that did.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from prefect_server import wait_idle

PROGRAM = "hopsml_flows.server.embedded_program"
"""Part of the command line of every embedded server."""

_SAMPLE_SECONDS = 0.2


class EmbeddedServer:
    """The embedded servers of a Prefect home: at most one at a time, one after another.

    Args:
        home: The PREFECT_HOME of the experiments that start them.
    """

    def __init__(self, home: Path) -> None:
        self._home = str(home)
        self._cpu: dict[psutil.Process, float] = {}

    @property
    def env(self) -> dict[str, str]:
        """Environment variables with which an experiment starts or joins the server."""
        return {"PREFECT_HOME": self._home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

    def running(self) -> list[psutil.Process]:
        """The processes of the server that runs now. Looks at every process of the machine."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def find(self) -> None:
        """Start to follow the processor time of the server that runs now."""
        for process in self.running():
            self._cpu.setdefault(process, 0.0)
        self._read()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Read the processor time of what was found five times a second: a server may end."""
        over = threading.Event()

        def follow() -> None:
            while not over.wait(_SAMPLE_SECONDS):
                self._read()

        thread = threading.Thread(target=follow, name="server-cpu", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def cpu_seconds(self) -> float:
        """Processor time so far of every server that was found, ended ones included."""
        self._read()
        return sum(self._cpu.values())

    def wait_idle(self) -> bool:
        """Wait until it has dealt with what it was sent; False where that takes too long."""
        return wait_idle(self.percent)

    def percent(self, seconds: float) -> float:
        """Share of a core that the servers found so far use over so many seconds."""
        if not any(process.is_running() for process in self._cpu):
            return 0.0
        before, began = self.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        return 100 * (self.cpu_seconds() - before) / (time.monotonic() - began)

    def stop(self) -> None:
        """End the server that runs now, if one does."""
        alive = self.running()
        for end in (psutil.Process.terminate, psutil.Process.kill):
            for process in alive:
                with suppress(psutil.Error):
                    end(process)
            _, alive = psutil.wait_procs(alive, timeout=20)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                any(PROGRAM in part for part in process.cmdline())
                and process.environ().get("PREFECT_HOME") == self._home
            )
        except psutil.Error:
            return False

    def _read(self) -> None:
        for process in list(self._cpu):
            with suppress(psutil.Error):
                times = process.cpu_times()
                self._cpu[process] = max(self._cpu[process], times.user + times.system)
