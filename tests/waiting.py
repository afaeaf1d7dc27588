"""Waiting for what another process or thread does; a machine may stand still meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(
    read: Callable[[], Any], good: Callable[[Any], object], seconds: float = 60, pause: float = 0.1
) -> Any:
    """What is read once it is good, or at the end of the time.

    Args:
        read: Reads it.
        good: Judges it.
        seconds: How long at most.
        pause: How many seconds lie between two looks.
    """
    deadline = time.monotonic() + seconds
    while not good(value := read()) and time.monotonic() < deadline:
        time.sleep(pause)
    return value


def wait_until(ready: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition; an error says what did not happen."""
    if not eventually(ready, bool, seconds):
        raise TimeoutError(f"{what} did not happen within {seconds} s")
