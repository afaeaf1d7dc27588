"""The process that training functions run in; it exits when its worker does.

No worker trains in its own process. TensorFlow's runtime cannot be set up twice in one process, a
parameter server never returns, signals and event loops belong to the main thread, and what aborts
the process must not take the worker's connections along.

The process waits for orders on a socket and carries them out in its main thread. When the other end
of the socket is closed, for any reason, it ends itself and what it started.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import psutil

from hopsml_flows.execution.credentials import apply_received, decoded, receive
from hopsml_flows.execution.process.messages import Calling, Ready, Work

__all__ = ["descendants", "kill", "main"]


def main(descriptor: int) -> None:
    """Carry out orders until the worker has gone.

    Args:
        descriptor: The socket to the worker.
    """
    # The programs that training code starts must not hold the socket open.
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    try:
        # From this run's own worker. Reading it imports what the work needs.
        work: Work = pickle.loads(connection.recv_bytes())
        work.prepare()
        connection.send_bytes(pickle.dumps(Ready()))
    except (EOFError, OSError):  # the worker is gone
        return
    orders: SimpleQueue[bytes] = SimpleQueue()
    # What asks a trial to stop interrupts the main thread anywhere, in the middle of a message too.
    answers: SimpleQueue[bytes | threading.Event] = SimpleQueue()
    _start("hopsml-orders", _receive, connection, orders, work)
    _start("hopsml-answers", _send, connection, answers)
    while True:
        order = orders.get()
        if not order:  # dismissed: it exits as a script does at its end
            return
        apply_received()
        answers.put(pickle.dumps(work.carry_out(pickle.loads(order), _telling(answers))))


def _telling(answers: SimpleQueue[bytes | threading.Event]) -> Callable[[Any], None]:
    def tell(message: Any) -> None:
        answers.put(pickle.dumps(message))
        if isinstance(message, Calling):
            # The worker's clock begins with it. The training function may stop this process, or
            # keep the interpreter's lock, before any other thread runs.
            is_sent = threading.Event()
            answers.put(is_sent)
            is_sent.wait()

    return tell


def _start(name: str, target: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=target, args=args, name=name, daemon=True).start()


def _send(connection: Connection, answers: SimpleQueue[bytes | threading.Event]) -> None:
    """Send what is to be told, in its order; an event says that all before it is sent."""
    with suppress(OSError):  # the worker is gone: this process is about to end
        while True:
            answer = answers.get()
            if isinstance(answer, threading.Event):
                answer.set()
            else:
                connection.send_bytes(answer)


def _receive(connection: Connection, orders: SimpleQueue[bytes], work: Work) -> None:
    """Take orders; end this process, and all that it started, when the other end is closed."""
    try:
        while True:
            message = connection.recv_bytes()
            lent = decoded(message)
            if lent is None:
                orders.put(message)
            else:
                receive(lent)
    except (EOFError, OSError):
        pass
    finally:
        started = descendants(os.getpid())
        work.leave()
        # With those of its group at once: training code that saw a child of its own end first would
        # go on, and its trial might count as done.
        kill([process for process in started if not _is_in_group(process)])
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _is_in_group(process: psutil.Process) -> bool:
    try:
        return os.getpgid(process.pid) == os.getpgrp()
    except ProcessLookupError:
        return True


def descendants(pid: int) -> list[psutil.Process]:
    """What a process has started, directly or not; also what has left its process group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:  # it is gone
        return []


def kill(processes: list[psutil.Process]) -> None:
    """End processes at once; those that are gone are passed over."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
