"""Gathers the tasks that were lost with a worker, each of which Dask reports separately."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Losses"]

T = TypeVar("T")

GATHER_SECONDS = 0.2
"""Far longer than the reports of one worker's losses are apart."""


class Losses(Generic[T]):
    """Gathers losses for 0.2 s, then passes them on together.

    Args:
        judge: Called with all gathered losses, in its own thread.
    """

    def __init__(self, judge: Callable[[list[T]], None]) -> None:
        self._judge = judge
        self._lock = threading.Lock()
        self._gathered: list[T] = []

    def add(self, loss: T) -> None:
        """Add a loss."""
        with self._lock:
            self._gathered.append(loss)
            first = len(self._gathered) == 1
        if first:
            timer = threading.Timer(GATHER_SECONDS, self._hand_on)
            timer.daemon = True
            timer.start()

    def _hand_on(self) -> None:
        with self._lock:
            losses, self._gathered = self._gathered, []
        self._judge(losses)
