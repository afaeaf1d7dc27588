"""A closed terminal ends an experiment as SIGTERM does: its record says so.

Python's default for SIGHUP ends the process at once. A program that ignores the signal, as under
``nohup``, or handles it, keeps doing so.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ended_by_hangup"]

_SIGNALS = (signal.SIGHUP, signal.SIGXCPU)
"""A closed terminal or connection; a batch system's limit of processor time."""


@contextmanager
def ended_by_hangup() -> Iterator[None]:
    """During the block, turn signals that would end the process at once into SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return
    handled = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number in handled:
            if signal.getsignal(number) is _terminate:
                signal.signal(number, signal.SIG_DFL)


def _terminate(_number: int, _frame: object) -> None:
    signal.raise_signal(signal.SIGTERM)
