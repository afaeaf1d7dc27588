"""Stopping a trial that runs too long, also one that does not listen.

First the training function is asked: an exception is raised inside it. Code that never returns to
Python (a sleep in C, a kernel that hangs), or that swallows the exception, is not reached by that.
Then every thread's stack is written to the trial's log, by a thread that needs no interpreter lock,
and the worker that supervises the process ends it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution.output.streams import OutputLog

__all__ = ["ASKED", "GRACE_SECONDS", "limited"]

GRACE_SECONDS = 5.0
"""Time between asking and ending the process."""

ASKED = "asked to stop"
"""Part of the log line about asking."""

T = TypeVar("T")


class _Asked(BaseException):
    """Raised inside the training function; no Exception, so that ``except Exception`` passes it."""


def limited(function: Callable[[], T], seconds: float | None, log: OutputLog, *, alone: bool) -> T:
    """Call a function, and stop it when its time is up.

    Args:
        function: What to call.
        seconds: The limit; None for none.
        log: The trial's log.
        alone: Whether the process runs only this trial, so that all its stacks are the trial's.

    Returns:
        What the function returned in time.

    Raises:
        TrialTimeoutError: It was stopped, or returned only after it was asked to stop.
    """
    if seconds is None:
        return function()
    watch = _Watch(seconds, log)
    if alone:
        faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, file=log.descriptor)
    watch.start()
    message = f"stopped after trial_timeout of {seconds:g} s"
    try:
        try:
            returned = function()
        finally:
            watch.stop()
        for _ in range(3):  # a request made just before the end arrives here, not further on
            pass
    except _Asked as asked:
        # The traceback shows where the function was.
        raise TrialTimeoutError(message).with_traceback(asked.__traceback__) from None
    finally:
        # Outside of all that the request may interrupt: left armed, it would write to a file that
        # is another one by then.
        if alone:
            faulthandler.cancel_dump_traceback_later()
    if watch.asked:
        raise TrialTimeoutError(f"{message}; the function returned after that")
    return returned


class _Watch:
    """Asks the thread that made it to stop, once, unless it is stopped before."""

    def __init__(self, seconds: float, log: OutputLog) -> None:
        self._seconds = seconds
        self._log = log
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._over = False
        self._timer = threading.Timer(seconds, self._ask)
        self._timer.daemon = True
        self.asked = False

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True

    def _ask(self) -> None:
        message = f"past trial_timeout of {self._seconds:g} s: {ASKED}"
        self._log.note(message, level=logging.WARNING)
        with self._lock:
            if self._over:
                return
            self.asked = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(_Asked)
            )
