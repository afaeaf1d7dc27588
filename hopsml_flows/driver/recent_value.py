"""A value that only the scheduler knows, and that the driver uses in each round of its loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["RecentValue"]

_SECONDS = 0.5
"""Time for which a value counts, unless something has changed."""

T = TypeVar("T")


class RecentValue(Generic[T]):
    """Asks for a value at most every 0.5 s, however often reports wake the driver.

    Args:
        ask: Returns the value.

    Example:
        >>> answers = iter([2, 3])
        >>> slots = RecentValue(lambda: next(answers))
        >>> slots.get(), slots.get()
        (2, 2)
        >>> slots.forget()
        >>> slots.get()
        3
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._known: list[T] = []
        self._until = 0.0

    def get(self) -> T:
        """Return the value, as it was at most 0.5 s ago; an older one if there is no answer.

        Raises:
            TimeoutError: There is no answer, and never was.
        """
        if not self._known or time.monotonic() >= self._until:
            try:
                self._known = [self._ask()]
            except TimeoutError:  # the scheduler is busy
                if not self._known:
                    raise
            self._until = time.monotonic() + _SECONDS
        return self._known[0]

    def forget(self) -> None:
        """Ask at the next :meth:`get`: something has changed."""
        self._until = 0.0
