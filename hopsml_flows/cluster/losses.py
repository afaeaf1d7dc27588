"""Gathering what was lost with a worker: Dask reports each task that the worker had been given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Losses"]

T = TypeVar("T")

GATHER_SECONDS = 0.2
"""Dask reports the losses of one death together; this is far more than they are apart."""


class Losses(Generic[T]):
    """Gathers losses for a moment, then hands them on together.

    Args:
        judge: Called in a thread of its own with all losses of the moment.
    """

    def __init__(self, judge: Callable[[list[T]], None]) -> None:
        self._judge = judge
        self._lock = threading.Lock()
        self._gathered: list[T] = []

    def add(self, loss: T) -> None:
        """Take in a loss."""
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
