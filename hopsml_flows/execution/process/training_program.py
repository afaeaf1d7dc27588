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
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

import psutil

from hopsml_flows.collection_pause import collection_paused
from hopsml_flows.execution.credentials import apply_received, decoded, receive
from hopsml_flows.execution.process.messages import Calling, Ready, Reported, Work
from hopsml_flows.execution.process.messages import decoded as decoded_instruction
from hopsml_flows.execution.report_link import ReportLink

__all__ = ["REPORT_SECONDS", "descendants", "kill", "main"]

REPORT_SECONDS = 0.05
"""Least time between two messages with reports."""

_Message = bytes | threading.Event | ReportLink
"""What the thread that answers the worker gets: a message, an event to set when all before it are
sent, or a link whose reports it sends."""

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
    answers: SimpleQueue[_Message] = SimpleQueue()
    reporting = _Reporting()
    _start("hopsml-orders", _receive, connection, orders, work, reporting)
    _start("hopsml-answers", _send, connection, answers)
    while True:
        order = orders.get()
        if not order:  # dismissed: it exits as a script does at its end
            return
        apply_received()
        tell = _teller(answers, reporting)
        answers.put(pickle.dumps(work.carry_out(pickle.loads(order), tell)))


class _Reporting:
    """The link of the trial that runs, once it has reported."""

    link: ReportLink | None = None


def _teller(answers: SimpleQueue[_Message], reporting: _Reporting) -> Callable[[Any], None]:
    def tell(message: Any) -> None:
        if isinstance(message, ReportLink):
            reporting.link = message
            answers.put(message)
            return
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


def _send(connection: Connection, answers: SimpleQueue[_Message]) -> None:
    """Send answers in their order; set an event when all answers before it are sent.

    Reports wait for a moment, so that those of a fast function travel together. Whatever comes
    meanwhile is sent after them, at once.
    """
    due = 0.0
    with suppress(OSError):  # the worker is gone: this process is about to end
        while True:
            answer: _Message | None = answers.get()
            if isinstance(answer, ReportLink):
                link, answer = answer, None
                with suppress(Empty):
                    answer = answers.get(timeout=max(0.0, due - time.monotonic()))
                due = time.monotonic() + REPORT_SECONDS
                reports = tuple((report.step, report.metric) for report in link.take())
                reported = Reported(reports, asked=link.why_stopped is not None)
                connection.send_bytes(pickle.dumps(reported))
            if isinstance(answer, threading.Event):
                answer.set()
            elif isinstance(answer, bytes):
                connection.send_bytes(answer)


def _receive(
    connection: Connection, orders: SimpleQueue[bytes], work: Work, reporting: _Reporting
) -> None:
    """Take what the worker sends; end this process and its descendants when the socket closes."""
    try:
        while True:
            message = connection.recv_bytes()
            if (lent := decoded(message)) is not None:
                receive(lent)
            elif (instruction := decoded_instruction(message)) is not None:
                if (link := reporting.link) is not None:
                    link.instruct(instruction)
            else:
                orders.put(message)
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
