"""The program of the fork server: a process that imports what a worker needs, and forks workers.

It has one thread, imports nothing of the user's, and never sets up CUDA: a fork of it is as good as
a process that was started for the purpose. The driver starts it (:mod:`.fork_server`).
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker, spawn
from typing import Any

__all__ = ["MOST_DESCRIPTORS", "main"]

MOST_DESCRIPTORS = 64
"""Most descriptors of a request; a worker gets about ten."""

# What a worker imports until its first trial begins. Some are above this layer.
_MODULES = (
    "distributed.nanny",
    "distributed.worker",
    "hopsml_flows.cluster.nanny",
    "hopsml_flows.cluster.worker",
    "hopsml_flows.cluster.worker_plugins",
    "hopsml_flows.flows.grid_search",
    "hopsml_tasks",
)


def main(requests: int) -> None:
    """Import what a worker needs, then fork a worker per request, until the driver is gone.

    Args:
        requests: Descriptor of the socket on which the driver asks for workers.
    """
    # As in a worker: signals of a terminal are meant for the driver.
    terminal = (signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in terminal}
    gc.disable()
    for name in _MODULES:
        importlib.import_module(name)
    # Workers share the memory of what is there now, as long as the collector leaves it alone.
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=requests) as driver:
        _serve(driver, handlers)


_write_signed: Any = vars(forkserver)["write_signed"]  # multiprocessing reads it in the driver


def _serve(driver: socket.socket, handlers: dict[signal.Signals, Any]) -> None:
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    statuses: dict[int, int] = {}  # of each worker the pipe that tells how it ended
    with selectors.DefaultSelector() as selector:
        selector.register(driver, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if woken in ready:
                with suppress(BlockingIOError):
                    os.read(woken, 4096)
                _report_ends(statuses)
            if driver.fileno() not in ready:
                continue
            asked = _next_request(driver)
            if asked is None:
                return
            data, status, *others = asked
            if (pid := os.fork()) == 0:
                driver.close()
                selector.close()
                _be_worker(data, others, [status, woken, wake, *statuses.values()], handlers)
            statuses[pid] = status
            with suppress(BrokenPipeError):  # the driver is gone
                _write_signed(status, pid)
            for descriptor in (data, *others):
                os.close(descriptor)


def _next_request(driver: socket.socket) -> list[int] | None:
    """The descriptors that come with a request; None if the driver is gone."""
    numbers = array.array("i")
    room = socket.CMSG_SPACE(MOST_DESCRIPTORS * numbers.itemsize)
    try:
        content, ancillary, _, _ = driver.recvmsg(1, room)
    except ConnectionError:
        return None
    if not content:
        return None
    for level, kind, packed in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(packed[: len(packed) - len(packed) % numbers.itemsize])
    return list(numbers)


def _report_ends(statuses: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        told = statuses.pop(pid, None)
        if told is not None:
            with suppress(BrokenPipeError):  # the driver is gone
                _write_signed(told, os.waitstatus_to_exitcode(status))
            os.close(told)


def _multiprocessing_main(data: int, tracker: int, *inherited: int) -> int:
    """Be the process that multiprocessing describes.

    This is what a child of multiprocessing's own fork server does, with parts that are not public;
    ``tests/unit/test_fork_server.py`` fails when they change.
    """
    vars(vars(resource_tracker)["_resource_tracker"])["_fd"] = tracker
    vars(vars(forkserver)["_forkserver"])["_inherited_fds"] = inherited
    code: int = vars(spawn)["_main"](data, os.dup(data))
    return code


def _be_worker(
    data: int, others: list[int], unused: list[int], handlers: dict[signal.Signals, Any]
) -> None:
    """Run the worker that the driver describes; ends this process."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for descriptor in unused:
            os.close(descriptor)
        code = _multiprocessing_main(data, *others)
        atexit._run_exitfuncs()  # noqa: SLF001 - a fork leaves without them
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
