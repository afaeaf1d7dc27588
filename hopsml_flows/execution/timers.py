"""Timers that a training function left armed: they must not fire in the project's own code."""

from __future__ import annotations

import signal

__all__ = ["disarm_timers"]


def disarm_timers() -> None:
    """Disarm the process's timers, as ``signal.alarm`` and ``signal.setitimer`` set them."""
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
