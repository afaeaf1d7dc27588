"""The program of the training process, in which training functions run.

A worker never trains in its own process. TensorFlow's runtime cannot be set up twice in one
process, a parameter server never returns, signals and event loops belong to the main thread, and a
process that aborts would close the worker's connections.

The training process waits for orders on a socket and carries them out in its main thread. When the
worker's end of the socket closes, for any reason, it ends itself and all processes that it started.
"""

from __future__ import annotations

import importlib
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

from hopsml_flows.collection_pause import collection_paused
from hopsml_flows.execution.credentials import apply_received, decoded, receive
from hopsml_flows.execution.process.messages import Calling, Ready, Work

__all__ = ["descendants", "kill", "main"]


# What trials need, in the order of their imports. Some are above this layer.
_MODULES = (
    "hopsml_flows.execution.process.work",
    "hopsml_flows.tracking.hparams",
    "tensorboard.compat.proto.summary_pb2",
    "tensorboard.plugins.hparams.plugin_data_pb2",
)


def main(descriptor: int, *, spare: bool) -> None:
    """Carry out orders until the worker dismisses this process or is gone.

    Args:
        descriptor: The socket to the worker.
        spare: Whether there is no work yet.
    """
    # Programs that training code starts must not hold the socket open.
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    if spare:
        with collection_paused():
            for name in _MODULES:
                importlib.import_module(name)
    try:
        # It comes from this run's own worker. Reading it imports what the work needs.
        work: Work = pickle.loads(connection.recv_bytes())
        work.prepare()
        connection.send_bytes(pickle.dumps(Ready()))
    except (EOFError, OSError):  # the worker is gone
        return
    orders: SimpleQueue[bytes] = SimpleQueue()
    # A request to stop a trial interrupts the main thread anywhere, also within a message: a thread
    # sends the messages.
    answers: SimpleQueue[bytes | threading.Event] = SimpleQueue()
    _start("hopsml-orders", _receive, connection, orders, work)
    _start("hopsml-answers", _send, connection, answers)
    while True:
        order = orders.get()
        if not order:  # dismissed: it exits as a script does at its end
            return
        apply_received()
        answers.put(pickle.dumps(work.carry_out(pickle.loads(order), _teller(answers))))


def _teller(answers: SimpleQueue[bytes | threading.Event]) -> Callable[[Any], None]:
    def tell(message: Any) -> None:
        answers.put(pickle.dumps(message))
        if isinstance(message, Calling):
            # The worker's clock begins with this message. The training function may stop this
            # process, or keep the interpreter's lock, before any other thread runs.
            is_sent = threading.Event()
            answers.put(is_sent)
            is_sent.wait()

    return tell


def _start(name: str, target: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=target, args=args, name=name, daemon=True).start()


def _send(connection: Connection, answers: SimpleQueue[bytes | threading.Event]) -> None:
    """Send answers in their order; set an event when all answers before it are sent."""
    with suppress(OSError):  # the worker is gone: this process is about to end
        while True:
            answer = answers.get()
            if isinstance(answer, threading.Event):
                answer.set()
            else:
                connection.send_bytes(answer)


def _receive(connection: Connection, orders: SimpleQueue[bytes], work: Work) -> None:
    """Take orders and credentials; end this process and its descendants when the socket closes."""
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
        # Its process group ends all at once: if a child ended first, training code that noticed
        # would go on, and its trial might count as done.
        kill([process for process in started if not _is_in_group(process)])
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _is_in_group(process: psutil.Process) -> bool:
    try:
        return os.getpgid(process.pid) == os.getpgrp()
    except ProcessLookupError:
        return True


def descendants(pid: int) -> list[psutil.Process]:
    """The processes that a process started, directly or not, also outside its process group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:  # it is gone
        return []


def kill(processes: list[psutil.Process]) -> None:
    """End processes at once; skip those that are gone."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
