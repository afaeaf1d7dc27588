"""Disarm timers that a training function left: they must not fire in this library's code."""

from __future__ import annotations

import signal

__all__ = ["disarm_timers"]


def disarm_timers() -> None:
    """Disarm the process's timers that ``signal.alarm`` and ``signal.setitimer`` set."""
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
