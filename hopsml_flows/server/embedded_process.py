"""The child process of an embedded server: start it, wait until it answers, stop it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
import prefect
from prefect.settings import get_current_settings

from hopsml_flows.errors import PrefectServerError
from hopsml_flows.execution.current_directory import standing_directory
from hopsml_flows.server.database import check_writable, lock_file, shown_database
from hopsml_flows.server.news import Failure, Inbox, Phase

__all__ = ["ServerProcess"]

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
main(int(sys.argv[1]), int(sys.argv[2]), migrating=sys.argv[3] == "migrate")
"""
_PACKAGES = str(Path(__file__).parents[2])

_logger = logging.getLogger(__name__)


class ServerProcess:
    """A Prefect server in a child process, on a free port of the loopback address.

    It ends when this process does, however that dies: its standard input ends then.

    Raises:
        PrefectServerError: Its database cannot be written.
    """

    def __init__(self) -> None:
        check_writable()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        reading, writing = os.pipe()
        self._inbox = Inbox(reading)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
                # Bound here and handed over: no other process gets the port meanwhile.
                listener.bind(("127.0.0.1", 0))
                listener.listen(512)
                self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
                self._process = self._start(listener, writing)
        except BaseException:
            self._inbox.close()
            self._output.close()
            raise
        finally:
            os.close(writing)

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait_until_it_answers(self, seconds: float) -> None:
        """Wait for the server's start.

        Args:
            seconds: Longest time for the start itself. The time in which this process, or another
                one, brings the database up to date comes on top.

        Raises:
            PrefectServerError: It ended, or did not answer in time.
        """
        began, noticed = time.monotonic(), False
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while True:
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
                with suppress(httpx.TransportError):
                    if client.get(f"{self.url}/health").status_code == httpx.codes.OK:
                        return
                time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """End the process, by force if it takes longer than 20 s."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._inbox.close()
            self._output.close()

    def _start(self, listener: socket.socket, news: int) -> subprocess.Popen[bytes]:
        settings = get_current_settings()
        migrate = "migrate" if settings.server.database.migrate_on_start else "keep"
        return subprocess.Popen(
            # -P: a uvicorn.py in the working directory is not meant.
            [
                *(sys.executable, "-P", "-c", _PROGRAM, _PACKAGES),
                *(str(listener.fileno()), str(news), migrate),
            ],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno(), news],
            cwd=standing_directory(),
            # Ctrl-C belongs to the driver, which still has to report the run's end to this server.
            process_group=0,
            env={
                **os.environ,
                **settings.to_environment_variables(exclude_unset=True),
                **dict.fromkeys(_IDLE_SERVICES, "false"),
                **dict.fromkeys(_MIGRATE_VARIABLES, "false"),
                # Its pages would look for the API on Prefect's own port.
                "PREFECT_SERVER_UI_API_URL": self.url,
            },
        )

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
        self._output.seek(0)
        text = self._output.read().decode(errors="replace").strip()
        return f"\n{text[-2000:]}" if text else ""


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
