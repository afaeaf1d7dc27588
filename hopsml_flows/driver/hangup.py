"""A terminal that is closed ends an experiment as SIGTERM does: with a record of it.

Python's default for SIGHUP ends the process at once. Where a program ignores the signal, as under
``nohup``, or handles it, that stays.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ended_by_hangup"]

_SIGNALS = (signal.SIGHUP, signal.SIGXCPU)
"""A closed terminal or connection; the limit of processor time that a batch system set."""


@contextmanager
def ended_by_hangup() -> Iterator[None]:
    """For the block, take signals that would end the process at once for SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not this thread's to handle
        return
    taken = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is _terminate:
                signal.signal(number, signal.SIG_DFL)


def _terminate(_number: int, _frame: object) -> None:
    signal.raise_signal(signal.SIGTERM)
