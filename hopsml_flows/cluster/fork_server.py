"""Forks the workers of this machine from a process that has imported what they need.

A worker that Python's ``spawn`` starts imports for almost two seconds of processor time. One
process, the fork server, imports once for all workers of this process's experiments. A minute after
the last experiment it ends. Workers with GPUs are spawned: NVIDIA's libraries must not be loaded
before a fork.

Multiprocessing has a fork server too, one per process. The user's code may use that one, with
another environment.
"""

from __future__ import annotations

import array
import atexit
import io
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from multiprocessing import (
    forkserver,
    popen_forkserver,
    popen_spawn_posix,
    reduction,
    resource_tracker,
    spawn,
    util,
)
from multiprocessing.context import SpawnContext, SpawnProcess, set_spawning_popen
from typing import Any, cast

from hopsml_flows.cluster.orphans import MARK
from hopsml_flows.execution.current_directory import standing_directory

__all__ = ["METHOD", "ask_for_fork", "give_up_fork_server", "ready_fork_server"]

METHOD = "hopsml-fork"
"""Name of this way to start a process, for Dask's ``distributed.worker.multiprocessing-method``."""

IDLE_SECONDS = 60.0
"""How long the fork server waits for the next experiment."""

# Only built-in modules until the path is the driver's: a sys.py in the working directory is not
# meant.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv.pop().split('\\n'); "
    "from hopsml_flows.cluster.fork_program import main; main(int(sys.argv.pop()))"
)

_asked: ContextVar[bool] = ContextVar("hopsml_fork", default=False)


class _ForkServer:
    """The process that forks workers.

    Args:
        mark: The mark of its descendants.

    Attributes:
        has_forked: Whether it has forked a worker.
    """

    def __init__(self, mark: str) -> None:
        self.has_forked = False
        self._lock = threading.Lock()
        self._environment = _environment()
        self._socket, other = socket.socketpair()
        with other:
            path = "\n".join(entry for entry in sys.path if isinstance(entry, str))
            flags = vars(util)["_args_from_interpreter_flags"]()  # as for a spawned process
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-c", _PROGRAM, str(other.fileno()), path],
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                cwd=standing_directory(),
                env={**self._environment, MARK: mark},
            )

    @property
    def fits(self) -> bool:
        """Whether it runs, with the environment that a worker would have if it started now."""
        return self._process.poll() is None and self._environment == _environment()

    def fork(self, descriptors: list[int]) -> tuple[int, int]:
        """Fork a worker.

        Args:
            descriptors: What the worker inherits.

        Returns:
            Descriptors to read how it goes from, and to write what it does to.
        """
        status, told = os.pipe()
        told_to_child, data = os.pipe()
        try:
            tracker = cast("int", resource_tracker.getfd())  # starts it if need be
            numbers = array.array("i", [told_to_child, told, tracker, *descriptors])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)]
            with self._lock:
                self._socket.sendmsg([b"f"], rights)
        except BaseException:
            os.close(status)
            os.close(data)
            raise
        finally:
            os.close(told)
            os.close(told_to_child)
        return status, data

    def end(self) -> None:
        """End it. Its workers, if it has any, run on."""
        self._process.kill()
        self._process.wait()
        self._socket.close()


_OF_START = (MARK, "__DASK_PARENT_PID")
"""Environment variables that nannies set when they start a worker."""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_START}


class _Keeper:
    """Keeps the one fork server of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: _ForkServer | None = None
        self._users = 0
        self._timer: threading.Timer | None = None

    @contextmanager
    def hold(self, mark: str) -> Iterator[None]:
        with self._lock:
            self._users += 1
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            server = self._server
            # One that other experiments use stays, also if it does not fit any more.
            in_use = self._users > 1 and server is not None and server.has_forked
            if server is None or not (server.fits or in_use):
                self._end()
                self._server = _ForkServer(mark)
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users > 0 or self._server is None:
                    pass
                elif not self._server.has_forked:  # the call was refused
                    self._end()
                else:
                    self._timer = threading.Timer(IDLE_SECONDS, self._end_idle)
                    self._timer.daemon = True
                    self._timer.start()

    def fitting(self) -> _ForkServer | None:
        """The server, if a worker may be forked from it now."""
        with self._lock:
            return self._server if self._server is not None and self._server.fits else None

    def give_up(self) -> None:
        """End the server if it has not forked a worker yet."""
        with self._lock:
            if self._server is not None and not self._server.has_forked:
                self._end()

    def end(self) -> None:
        with self._lock:
            self._end()

    def forget(self) -> None:
        """In a fork of this process: the server belongs to the parent."""
        self.__init__()  # type: ignore[misc]

    def _end_idle(self) -> None:
        with self._lock:
            if self._users == 0:
                self._end()

    def _end(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.end()


_keeper = _Keeper()
give_up_fork_server = _keeper.give_up
atexit.register(_keeper.end)
os.register_at_fork(after_in_child=_keeper.forget)


def ready_fork_server(mark: str) -> AbstractContextManager[None]:
    """Have a fork server for the block; it starts now, unless there is one that fits.

    Args:
        mark: The mark of its descendants (:mod:`.orphans`), the same for all of this process.
    """
    return _keeper.hold(mark)


@contextmanager
def ask_for_fork() -> Iterator[None]:
    """Have the process of a worker that is made in the block forked, if a fork server fits."""
    token = _asked.set(True)
    try:
        yield
    finally:
        _asked.reset(token)


class _Popen(popen_forkserver.Popen):
    """A worker that the fork server starts, as multiprocessing sees it."""

    _fds: list[int]  # what the worker inherits

    def _launch(self, process_obj: Any) -> None:
        server = _keeper.fitting()
        if server is None:
            raise ProcessLookupError("the fork server is gone")
        content = io.BytesIO()
        prepared = spawn.get_preparation_data(process_obj.name)
        set_spawning_popen(self)
        try:
            reduction.dump(prepared, content)
            reduction.dump(process_obj, content)
        finally:
            set_spawning_popen(None)
        self.sentinel, data = server.fork(self._fds)
        # The worker takes its end for the end of this process.
        kept = os.dup(data)
        self.finalizer = util.Finalize(self, vars(util)["close_fds"], (kept, self.sentinel))
        with open(data, "wb") as file:
            file.write(content.getbuffer())
        self.pid = forkserver.read_signed(self.sentinel)
        server.has_forked = True


class _ForkedProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - multiprocessing's name
        try:
            return _Popen(process_obj)
        except (EOFError, OSError):  # the fork server is gone
            return popen_spawn_posix.Popen(process_obj)


class _Context(SpawnContext):
    """Spawns processes, and forks those that :func:`ask_for_fork` is about."""

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # noqa: N802
        forked = _asked.get() and _keeper.fitting() is not None
        return (_ForkedProcess if forked else SpawnProcess)(*args, **kwargs)


# Dask asks multiprocessing for a context by its name, and takes no other.
vars(multiprocessing.context)["_concrete_contexts"][METHOD] = _Context()
