"""Stopping a trial that runs too long, also one that does not listen.

First the training function is asked: an exception is raised inside it. Code that never returns to
Python (a sleep in C, a kernel that hangs), or that swallows the exception, is not reached by that;
then the process is ended. The standard library's ``faulthandler`` does it from a thread that needs
no interpreter lock, after writing every thread's stack to the trial's log.
"""

from __future__ import annotations

import ctypes
import faulthandler
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution.capture import OutputLog

__all__ = ["GRACE_SECONDS", "deadline"]

GRACE_SECONDS = 5.0
"""Time between asking and ending the process."""


class _Asked(BaseException):
    """Raised inside the training function; no Exception, so that ``except Exception`` passes it."""


@contextmanager
def deadline(seconds: float | None, log: OutputLog, *, alone: bool) -> Iterator[None]:
    """Limit the time of a block.

    Args:
        seconds: The limit; None for none.
        log: The trial's log.
        alone: Whether the process runs only this trial, so that it may be ended.

    Raises:
        TrialTimeoutError: The block was stopped.
    """
    if seconds is None:
        yield
        return
    thread = threading.get_ident()
    lock = threading.Lock()
    over = False

    def ask() -> None:
        with lock:
            if over:
                return
            log.note(f"past trial_timeout of {seconds:g} s: asked to stop")
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread), ctypes.py_object(_Asked)
            )

    timer = threading.Timer(seconds, ask)
    timer.daemon = True
    timer.start()
    if alone:
        faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True, file=log.descriptor)
    try:
        try:
            yield
        finally:
            with lock:
                over = True
            timer.cancel()
            if alone:
                faulthandler.cancel_dump_traceback_later()
    except _Asked:
        raise TrialTimeoutError(f"stopped after trial_timeout of {seconds:g} s") from None
