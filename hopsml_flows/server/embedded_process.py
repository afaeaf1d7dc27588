"""The process of an embedded server: start it, wait until it answers."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx
import prefect
from prefect.settings import PREFECT_HOME, get_current_settings

from hopsml_flows.errors import PrefectServerError
from hopsml_flows.execution.current_directory import standing_directory
from hopsml_flows.listening import listen
from hopsml_flows.server.database import (
    database_file,
    lock_file,
    shown_database,
)
from hopsml_flows.server.intake import INTAKE_SETTINGS
from hopsml_flows.server.news import Failure, Inbox, Phase
from hopsml_flows.server.registration import Files, Registration

__all__ = ["MIGRATION_SECONDS", "ServerProcess", "listening_socket"]

MIGRATION_SECONDS = 3600.0
"""Longest wait for the database to be brought up to date; a large one takes minutes."""

_NOTICE_SECONDS = 20.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.05

# Background services that a run does not need; some would act on the user's other flows.
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

# Both names of the setting: the process migrates by itself, before it serves.
_MIGRATE_VARIABLES = (
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START",
    "PREFECT_API_DATABASE_MIGRATE_ON_START",
)

# Last, so that nothing is shadowed: a script may have put this package on its own path only.
_PROGRAM = """
import sys
sys.path.append(sys.argv.pop(1))
from hopsml_flows.server.embedded_program import main
main(sys.argv[1:])
"""
_PACKAGES = str(Path(__file__).parents[2])

_logger = logging.getLogger(__name__)


class ServerProcess:
    """The process of an embedded Prefect server, on a port of the loopback address.

    It is in a session of its own, and ends by itself some time after its last client.

    Args:
        files: Its files.
        start_lock: The lock under which it starts. It keeps the lock until it serves, even if this
            process dies.
        idle_seconds: How long it stays without clients.
        port: The port to take if that is free, so that clients of an earlier server find it again.
    """

    def __init__(
        self, files: Files, start_lock: IO[str], idle_seconds: float, port: int | None
    ) -> None:
        self._files = files
        self._idle_seconds = idle_seconds
        reading, writing = os.pipe()
        self._inbox = Inbox(reading)
        try:
            with listening_socket(port) as listener:
                self._process = self._start(listener, writing, start_lock)
        except BaseException:
            self._inbox.close()
            raise
        finally:
            os.close(writing)

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait_until_it_serves(self, seconds: float, check: Callable[[], None]) -> Registration:
        """Wait for the server's start.

        Args:
            seconds: Longest time for the start itself. The time in which this process, or another
                one, brings the database up to date comes on top.
            check: Called again and again; it may raise an error to end the wait.

        Returns:
            How it is registered.

        Raises:
            PrefectServerError: It ended, or did not answer in time.
        """
        began, noticed = time.monotonic(), False
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while True:
                check()
                if not self.running:
                    raise self._ended()
                if self._inbox.look():
                    began, noticed = time.monotonic(), False
                phase, lasted = self._inbox.phase, time.monotonic() - began
                limit = seconds if phase is Phase.STARTING else MIGRATION_SECONDS
                if lasted > limit:
                    raise self._late(phase, limit)
                if lasted > _NOTICE_SECONDS and not noticed and phase is not Phase.STARTING:
                    noticed = True
                    _logger.warning("%s", _doing(phase))
                server = self._files.read()
                if server is not None and server.pid == self._process.pid:
                    with suppress(httpx.TransportError):
                        if client.get(f"{server.url}/health").status_code == httpx.codes.OK:
                            return server
                time.sleep(_LOOK_SECONDS)

    def leave(self) -> None:
        """Leave the process, which serves, to itself."""
        self._inbox.close()
        # Else it would stay in the process table for as long as this process lives.
        threading.Thread(target=self._process.wait, name="hopsml-server-end", daemon=True).start()

    def stop(self) -> None:
        """End the process, by force if it takes longer than 20 s."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._inbox.close()

    def _start(
        self, listener: socket.socket, news: int, start_lock: IO[str]
    ) -> subprocess.Popen[bytes]:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        settings = get_current_settings()
        given = settings.to_environment_variables(exclude_unset=True, include_secrets=True)
        options = ["--listener", str(listener.fileno()), "--news", str(news)]
        options += ["--start-lock", str(start_lock.fileno()), "--idle", str(self._idle_seconds)]
        options += ["--directory", str(self._files.directory), "--key", self._files.key]
        if settings.server.database.migrate_on_start:
            options.append("--migrate")
        with self._files.log.open("wb") as log:
            return subprocess.Popen(
                # -P: a uvicorn.py in the working directory is not meant.
                [sys.executable, "-P", "-c", _PROGRAM, _PACKAGES, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno(), news, start_lock.fileno()],
                cwd=self._directory(),
                start_new_session=True,
                env={
                    **os.environ,
                    **INTAKE_SETTINGS,
                    **given,
                    **dict.fromkeys(_IDLE_SERVICES, "false"),
                    **dict.fromkeys(_MIGRATE_VARIABLES, "false"),
                    # It stands in another directory than this process.
                    "PREFECT_HOME": str(Path(PREFECT_HOME.value()).absolute()),
                    # Its pages would look for the API on Prefect's own port.
                    "PREFECT_SERVER_UI_API_URL": url,
                },
            )

    def _directory(self) -> str:
        """Where it stands: it may outlive the current directory, which may be a mount."""
        file = database_file()
        relative = file is not None and not file.is_absolute()
        return standing_directory() if relative else str(self._files.directory)

    def _ended(self) -> PrefectServerError:
        self._inbox.look()
        code = self._process.returncode
        failure = self._inbox.failure
        if failure is None:
            how = f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"
            return PrefectServerError(f"the embedded Prefect server {how}{self._tail()}")
        if failure.kind == "newer database":
            return PrefectServerError(_newer(failure))
        return PrefectServerError(
            f"the embedded Prefect server could not start, and exited with code {code}: "
            f"{failure.detail} (its database: {shown_database()}){self._tail()}"
        )

    def _late(self, phase: Phase, limit: float) -> PrefectServerError:
        why = self._tail() if phase is Phase.STARTING else f": {_doing(phase)}"
        return PrefectServerError(
            f"the embedded Prefect server did not answer within {limit:g} s{why}"
        )

    def _tail(self) -> str:
        """The end of what the process printed."""
        text = self._files.log.read_bytes()[-4000:].decode(errors="replace").strip()
        return f"\n{text[-2000:]}" if text else ""


def listening_socket(port: int | None) -> socket.socket:
    """A socket that listens. It is handed over: no other process gets the port meanwhile.

    Args:
        port: The port to take if that is free; None for any.
    """
    if port is not None:
        with suppress(OSError):
            return listen(socket.AF_INET, ("127.0.0.1", port), 512)
    return listen(socket.AF_INET, ("127.0.0.1", 0), 512)


def _doing(phase: Phase) -> str:
    if phase is Phase.WAITING:
        return (
            f"another process is bringing the Prefect database {shown_database()} up to date; it "
            f"has locked {lock_file()}"
        )
    return f"the Prefect database {shown_database()} is being brought up to date"


def _newer(failure: Failure) -> str:
    return (
        f"the Prefect database {shown_database()} was upgraded by a newer Prefect: Prefect "
        f"{prefect.__version__}, which is installed here, does not know its revision "
        f"{failure.detail}; update Prefect in this environment (pip install --upgrade prefect), "
        "or set PREFECT_HOME to a directory that only this environment uses"
    )
