"""Who pays for a dead worker: the task it ran, not those that waited behind it.

Dask reports every task that a dead worker had been given as lost. Tasks start in the order of
their submission, so only the first ones of them, as many as the worker has threads, had begun.
Pure but for a timer that gathers what belongs to one death.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Loss", "Losses", "split"]

T = TypeVar("T")

GATHER_SECONDS = 0.2
"""Dask reports the losses of one death together; this is far more than they are apart."""


@dataclass(frozen=True, slots=True)
class Loss(Generic[T]):
    """A task that was lost.

    Args:
        item: The task.
        number: Its position in the order of submission.
        worker: Address of the worker that died; a restarted one has another.
        threads: Threads of that worker.
    """

    item: T
    number: int
    worker: str
    threads: int


def split(losses: list[Loss[T]]) -> tuple[list[Loss[T]], list[Loss[T]]]:
    """Tell the tasks that ran from those that waited.

    Args:
        losses: Losses of any number of deaths.

    Returns:
        Those that had begun, and those that had not.
    """
    began: list[Loss[T]] = []
    waited: list[Loss[T]] = []
    given: dict[str, int] = {}
    for loss in sorted(losses, key=lambda loss: loss.number):
        before = given.get(loss.worker, 0)
        given[loss.worker] = before + 1
        (began if before < loss.threads else waited).append(loss)
    return began, waited


class Losses(Generic[T]):
    """Gathers losses for a moment, then hands them on together.

    Args:
        judge: Called in a thread of its own with all losses of the moment.
    """

    def __init__(self, judge: Callable[[list[Loss[T]]], None]) -> None:
        self._judge = judge
        self._lock = threading.Lock()
        self._gathered: list[Loss[T]] = []

    def add(self, loss: Loss[T]) -> None:
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
