"""The embedded Prefect server: the one of a Prefect home, where no other is configured.

It is a process of its own. The first experiment starts it, on the database that ``prefect server
start`` uses; experiments that begin while it runs join it, from any process of the same user. It
takes in what it was told after they have returned, and ends some time after the last of them.

Prefect's own temporary server is one per process, picks a port by trying, gives up after 20
seconds, and loses what it has not stored when its process ends.
"""

from __future__ import annotations

import fcntl
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar, copy_context
from types import TracebackType
from typing import IO

import httpx
import psutil
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from hopsml_flows.errors import PrefectServerError
from hopsml_flows.prefect_internals.console_noise import expect_answers, expect_no_answers
from hopsml_flows.prefect_internals.log_delivery import send_all_apart
from hopsml_flows.server.configured import check_proxies, served_by
from hopsml_flows.server.database import check_writable
from hopsml_flows.server.embedded_process import MIGRATION_SECONDS, ServerProcess
from hopsml_flows.server.registration import Files, Registration, idle_seconds
from hopsml_flows.storage import reach_loopback_directly

__all__ = [
    "START_SECONDS",
    "ServerStart",
    "embedded_idle_seconds",
    "embedded_server",
    "embedded_url",
    "server_keeps_all",
    "start_embedded_server",
]

START_SECONDS = 120.0
"""Longest wait for the server to answer; Prefect's own limit of 20 s fails on loaded machines."""

_HUNG_SECONDS = 30.0
"""A server that answers nothing for this long is replaced; a busy one may need some seconds."""

_BUSY_FACTOR = 4.0
_BUSY_SHARE = 0.05
"""Share of a core that a server uses that works, though it does not answer."""

_FLUSH_SECONDS = 30.0
_NOTICE_SECONDS = 20.0
_SAY_SECONDS = 1.0
_LOOK_SECONDS = 0.05

_current: ContextVar[_Client | None] = ContextVar("hopsml_embedded_server", default=None)
_logger = logging.getLogger(__name__)


@contextmanager
def embedded_server(
    start: ServerStart | None = None, *, start_seconds: float = START_SECONDS
) -> Iterator[str | None]:
    """Use the embedded Prefect server for the block, unless another server serves already.

    Args:
        start: Its start, where that has begun before; the block ends it too.
        start_seconds: Longest wait for it to answer, besides the time that its database takes to
            be brought up to date.

    Yields:
        The server's API URL, or None where another server serves: the configured one, or the one
        of the flow that this runs in.

    Raises:
        PrefectServerError: It cannot start, or did not answer in time; or the configured one does
            not answer as a Prefect server does; or a proxy variable is malformed.
        InvalidArgumentError: The variable of the idle time is no number of seconds.
    """
    start = start or start_embedded_server(start_seconds)
    if start is None:
        configured = PREFECT_API_URL.value()
        with served_by(configured) if configured and not _in_flow() else nullcontext():
            yield None
        return
    with start:
        client = start.client()
        expect_answers(client.url)
        token = _current.set(client)
        # It is either there or dead for good: no reason to try for a minute.
        with temporary_settings({PREFECT_API_URL: client.url, PREFECT_CLIENT_MAX_RETRIES: 2}):
            try:
                yield client.url
            finally:
                _current.reset(token)
                lives = client.server.process() is not None
                if not lives:
                    expect_no_answers(client.url)
                send_all_apart(_FLUSH_SECONDS if lives else 1.0)
                expect_no_answers(client.url)  # from now on it may end at any time


def start_embedded_server(seconds: float = START_SECONDS) -> ServerStart | None:
    """Begin to start the embedded server, or to join it.

    Args:
        seconds: Longest wait for it to answer, without an upgrade of its database.

    Returns:
        The start, for :func:`embedded_server`; None where another server serves.

    Raises:
        PrefectServerError: A proxy variable is malformed.
        InvalidArgumentError: The variable of the idle time is no number of seconds.
    """
    reach_loopback_directly()
    if _in_flow():
        return None
    check_proxies()
    if PREFECT_API_URL.value():
        return None
    idle_seconds()
    return ServerStart(seconds)


def embedded_url() -> str | None:
    """API URL of the embedded server that the calling code uses; None if it uses another one."""
    client = _current.get()
    return None if client is None else client.url


def embedded_idle_seconds() -> float:
    """How long the embedded server that the calling code uses stays without clients."""
    client = _current.get()
    return 0.0 if client is None else client.stays_seconds


def server_keeps_all() -> bool:
    """Whether the calling code's server keeps all that it was sent, though it may store it later.

    That is so for an embedded server that runs since this code joined it.
    """
    client = _current.get()
    return client is not None and client.is_registered


def _in_flow() -> bool:
    return FlowRunContext.get() is not None


class ServerStart:
    """The start of the embedded server, or the way to one that runs, in a thread.

    Use it as a context manager: leaving the block ends the wait, and leaves the server to others.

    Args:
        seconds: Longest wait for it to answer, without an upgrade of its database.
    """

    def __init__(self, seconds: float = START_SECONDS) -> None:
        self._seconds = seconds
        self._ended = threading.Event()
        self._client: _Client | None = None
        self._error: BaseException | None = None
        # Prefect finds its settings in the context.
        context = copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._run), name="hopsml-server-start", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> ServerStart:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        client, self._client = self._client, None
        if client is None:
            return
        client.leave()
        in_hurry = error is not None and not isinstance(error, Exception)
        if client.stays_seconds == 0 and not in_hurry:  # as whoever started it wanted
            client.wait_for_its_end()

    def client(self) -> _Client:
        """Wait for the server.

        Raises:
            PrefectServerError: It cannot start, or did not answer in time.
        """
        self._thread.join()
        if self._client is None:
            raise self._error or RuntimeError("the start has ended")
        return self._client

    def _run(self) -> None:
        try:
            self._client = _client(self._seconds, self._check)
        except BaseException as error:  # raised where it is waited for
            self._error = error

    def _check(self) -> None:
        if self._ended.is_set():
            raise PrefectServerError("the start of the embedded Prefect server was given up")


class _Client:
    """The use of an embedded server by this process.

    Args:
        files: The server's files.
        lock: The lock that tells the server that it has a client.
        server: The server.
    """

    def __init__(self, files: Files, lock: IO[str], server: Registration) -> None:
        self._files = files
        self._lock = lock
        self.server = server

    @property
    def url(self) -> str:
        """The server's API URL."""
        return self.server.url

    @property
    def is_registered(self) -> bool:
        """Whether the server is still the one that processes find."""
        return self._files.read() == self.server and self.server.process() is not None

    @property
    def stays_seconds(self) -> float:
        """How long the server stays without clients."""
        return self.server.idle_seconds if self._files.are_shared else 0.0

    def leave(self) -> None:
        """Tell the server that it has a client less. It goes on with what it was told."""
        self._lock.close()
        self._files.remove_unshared()

    def wait_for_its_end(self) -> None:
        """Wait until it has ended, unless it has other clients. Ctrl-C ends the wait only."""
        began, said = time.monotonic(), False
        with suppress(KeyboardInterrupt, FileNotFoundError):
            while self.server.process() is not None and not self._is_used():
                if not said and time.monotonic() - began > _SAY_SECONDS:
                    said = True
                    text = "The Prefect server takes in the last states; Ctrl-C does not harm it."
                    print(text, file=sys.stderr, flush=True)
                time.sleep(_LOOK_SECONDS)

    def _is_used(self) -> bool:
        for _ in range(3):  # the server's own looks are short
            with self._files.open_clients() as clients:
                try:
                    fcntl.flock(clients, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_LOOK_SECONDS)
                else:
                    return False
        return True


def _client(seconds: float, check: Callable[[], None]) -> _Client:
    """Join the server of this Prefect home; start it where none serves."""
    check_writable()
    files = Files.of_home()
    with ExitStack() as stack:
        stack.callback(files.remove_unshared)
        lock = stack.enter_context(files.open_clients())
        # From now on a server that runs, or is being started, stays.
        fcntl.flock(lock, fcntl.LOCK_SH)
        with files.open_start() as start_lock:
            _take(start_lock, seconds + MIGRATION_SECONDS, check)
            known = files.read()
            if known is None or not _serves(known, check):
                known = _started(files, start_lock, seconds, known, check)
        stack.pop_all()  # they are the client's now
    return _Client(files, lock, known)


def _take(start_lock: IO[str], seconds: float, check: Callable[[], None]) -> None:
    """Take the lock of the start. Who waits for it finds a server afterwards.

    Raises:
        PrefectServerError: Another process has kept it for longer than a start takes.
    """
    began, noticed = time.monotonic(), False
    while True:
        check()
        try:
            fcntl.flock(start_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited > seconds:
                raise PrefectServerError(
                    f"the embedded Prefect server did not start within {seconds:g} s: another "
                    f"process, which may be stopped, keeps the lock {start_lock.name}"
                ) from None
            if not noticed and waited > _NOTICE_SECONDS:
                noticed = True
                _logger.warning(
                    "another process is starting the embedded Prefect server; it has locked %s",
                    start_lock.name,
                )
            time.sleep(_LOOK_SECONDS)


def _serves(server: Registration, check: Callable[[], None]) -> bool:
    """Whether a registered server answers. One that hangs is ended.

    One that is only busy, which its processor time shows, has four times as long.
    """
    began, before = time.monotonic(), _cpu_seconds(server)
    with httpx.Client(timeout=5.0, trust_env=False) as client:
        while (process := server.process()) is not None:
            check()
            with suppress(httpx.TransportError):
                if client.get(f"{server.url}/health").status_code == httpx.codes.OK:
                    return True
            waited = time.monotonic() - began
            works = _cpu_seconds(server) - before > _BUSY_SHARE * waited
            if waited > (_BUSY_FACTOR if works else 1) * _HUNG_SECONDS:
                _logger.warning("the Prefect server of process %d hangs; it is ended", server.pid)
                with suppress(psutil.Error):  # it has just ended, or cannot end
                    process.kill()
                    process.wait(timeout=_HUNG_SECONDS)
                break
            time.sleep(_LOOK_SECONDS)
    return False


def _cpu_seconds(server: Registration) -> float:
    with suppress(psutil.Error):
        if (process := server.process()) is not None:
            times = process.cpu_times()
            return float(times.user + times.system)
    return 0.0


def _started(
    files: Files,
    start_lock: IO[str],
    seconds: float,
    before: Registration | None,
    check: Callable[[], None],
) -> Registration:
    """Start the server; return it when it answers."""
    process = ServerProcess(files, start_lock, idle_seconds(), before.port if before else None)
    try:
        server = process.wait_until_it_serves(seconds, check)
    except BaseException:
        process.stop()
        raise
    process.leave()
    return server
