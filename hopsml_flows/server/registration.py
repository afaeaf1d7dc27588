"""Where processes of one user find the embedded server of a Prefect home, and who uses it.

Files in ``PREFECT_HOME/hopsml-server-UID`` belong to one server. Their common name is a hash of
all that must be equal for two processes to share it: machine, user, home, versions, the server's
settings. Locks say who is there: the system releases them with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
import uuid
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import prefect
import psutil
from prefect.settings import PREFECT_HOME, get_current_settings

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.server.database import database_file

__all__ = ["IDLE_SECONDS", "IDLE_VARIABLE", "Files", "Registration", "idle_seconds"]

IDLE_VARIABLE = "HOPSML_SERVER_IDLE_SECONDS"

IDLE_SECONDS = 60.0
"""How long an embedded server stays without clients, if the variable does not say otherwise."""

_logger = logging.getLogger(__name__)

_UNSHARED = "hopsml-server-unshared-"

_locks: weakref.WeakSet[IO[str]] = weakref.WeakSet()
"""Lock files that this process has opened. A fork of it does not keep their locks."""


def idle_seconds() -> float:
    """How long an embedded server that starts now stays without clients.

    By default that is 0 where all processes end with the driver: it is a container's first process,
    or in a job of Slurm's. The driver then waits until the server has taken in all.

    Raises:
        InvalidArgumentError: The variable is no number of seconds.
    """
    text = os.environ.get(IDLE_VARIABLE, "").strip()
    if not text:
        return 0.0 if os.getpid() == 1 or "SLURM_JOB_ID" in os.environ else IDLE_SECONDS
    with suppress(ValueError):
        seconds = float(text)
        if 0 <= seconds < float("inf"):
            return seconds
    raise InvalidArgumentError(IDLE_VARIABLE, text, "must be a number of seconds, 0 or more")


@dataclass(frozen=True, slots=True)
class Registration:
    """An embedded server that serves.

    Args:
        instance: Identifier of this start of it.
        pid: Its process.
        created: When the process began, in seconds since the epoch; numbers are used again.
        url: Its API URL.
        idle_seconds: How long it stays without clients.
    """

    instance: str
    pid: int
    created: float
    url: str
    idle_seconds: float

    @property
    def port(self) -> int:
        """The port of its URL."""
        return int(self.url.rpartition(":")[2].partition("/")[0])

    @classmethod
    def of_this_process(cls, port: int, idle_seconds: float) -> Registration:
        """The registration of a server in this process."""
        url = f"http://127.0.0.1:{port}/api"
        return cls(uuid.uuid4().hex, os.getpid(), psutil.Process().create_time(), url, idle_seconds)

    def process(self) -> psutil.Process | None:
        """The server's process; None if it has ended."""
        try:
            process = psutil.Process(self.pid)
            # Two readings of one start differ where the machine's clock was set meanwhile.
            same = abs(process.create_time() - self.created) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one embedded server.

    Args:
        directory: Where they are.
        key: Their common name.
    """

    directory: Path
    key: str

    @classmethod
    def of_home(cls) -> Files:
        """The files of the current Prefect home and settings.

        Where the home's file system has no locks, the files are in a new temporary directory: then
        the server is shared with no other process.
        """
        directory = Path(PREFECT_HOME.value()).absolute() / f"hopsml-server-{os.getuid()}"
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)
            files = cls(directory, _key())
            with files.open_start() as probe:
                fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return files
        except OSError as error:
            _logger.warning(
                "the Prefect server is not shared: no locks in %s (%s)", directory, error
            )
            return cls(Path(tempfile.mkdtemp(prefix=_UNSHARED)), _key())
        return files

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.directory / f"{self.key}.log"

    @property
    def are_shared(self) -> bool:
        """Whether other processes can find them."""
        return not self.directory.name.startswith(_UNSHARED)

    def remove_unshared(self) -> None:
        """Remove the files if no other process can find them; their server then ends."""
        if not self.are_shared:
            shutil.rmtree(self.directory, ignore_errors=True)

    def open_start(self) -> IO[str]:
        """Open the file that a process locks while it looks for the server or starts it."""
        return _opened(self.directory / f"{self.key}.start.lock")

    def open_clients(self) -> IO[str]:
        """Open the file that each client holds a shared lock on."""
        return _opened(self.directory / f"{self.key}.clients.lock")

    def read(self) -> Registration | None:
        """The server that is registered; None if there is none."""
        with suppress(OSError, ValueError, TypeError):
            return Registration(**json.loads(self._registration.read_text()))
        return None

    def register(self, registration: Registration) -> None:
        """Let other processes find a server."""
        new = self.directory / f"{self.key}.{registration.instance}.new"
        new.write_text(json.dumps(asdict(registration)))
        new.replace(self._registration)

    def unregister(self, registration: Registration) -> None:
        """Let no process find a server any more, unless another one is registered."""
        if self.read() == registration:
            self._registration.unlink(missing_ok=True)

    @property
    def _registration(self) -> Path:
        return self.directory / f"{self.key}.json"


def _opened(path: Path) -> IO[str]:
    # "+": NFS gives a shared lock to readers only.
    file = open(  # noqa: SIM115 - closed by who holds the lock
        path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600)
    )
    _locks.add(file)
    return file


def _close_locks() -> None:
    for file in list(_locks):
        file.close()


os.register_at_fork(after_in_child=_close_locks)


def _key() -> str:
    settings = get_current_settings().to_environment_variables(include_secrets=True)
    of_server = {name: text for name, text in settings.items() if name.startswith("PREFECT_SERVER")}
    of_server.pop("PREFECT_SERVER_UI_API_URL", None)  # follows from PREFECT_API_URL
    parts = [*_machine(), os.getuid(), str(PREFECT_HOME.value()), *sorted(of_server.items())]
    parts += [prefect.__version__, str(Path(__file__).parents[1]), _relative_file()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _machine() -> list[str]:
    """What two processes have in common if each sees the other and its loopback address."""
    found = [socket.gethostname()]
    with suppress(OSError):  # Linux only
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        found += [os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "net")]
    return found


def _relative_file() -> str:
    """The database's file where it is relative to the current directory, else ""."""
    file = database_file()
    return "" if file is None or file.is_absolute() else str(file.resolve())
