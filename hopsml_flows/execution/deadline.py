"""Stop a trial that exceeds its time limit.

First an exception inside the training function asks it to stop. That fails if the code never
returns to Python (a sleep in C, a kernel that hangs) or swallows the exception. Then a thread that
needs no interpreter lock writes every thread's stack to the trial's log, and the worker that
supervises the process ends it.
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

__all__ = ["ASKED", "GRACE_SECONDS", "call_within"]

GRACE_SECONDS = 5.0
"""Time between the request to stop and the end of the process."""

ASKED = "asked to stop"
"""Part of the log line about the request to stop."""

T = TypeVar("T")


class _Asked(BaseException):
    """Asks the training function to stop. ``except Exception`` does not catch it."""


def call_within(
    function: Callable[[], T], seconds: float | None, log: OutputLog, *, alone: bool
) -> T:
    """Call a function, and stop it when its time is up.

    Args:
        function: The function.
        seconds: The limit; None for none.
        log: The trial's log.
        alone: Whether the process runs only this trial. Only then are its stacks written.

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
        for _ in range(3):  # let a request that was made just before the end arrive here
            pass
    except _Asked as asked:
        # Keep the traceback: it shows where the function was.
        raise TrialTimeoutError(message).with_traceback(asked.__traceback__) from None
    finally:
        # Must always run, so it stands where the request cannot interrupt it. A forgotten timer
        # would later write to whichever file then has the log's descriptor.
        if alone:
            faulthandler.cancel_dump_traceback_later()
    if watch.asked:
        raise TrialTimeoutError(f"{message}; the function returned after that")
    return returned


class _Watch:
    """Asks the thread that created it to stop, once, unless ``stop`` is called first."""

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
