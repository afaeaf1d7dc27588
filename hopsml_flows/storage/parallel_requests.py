"""Several requests to storage at once: each answers in milliseconds, but there may be thousands."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["REQUESTS", "in_parallel"]

REQUESTS = 16
"""So many at once, unless told otherwise."""

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    action: Callable[[T], R], items: Sequence[T], *, threads: int = REQUESTS
) -> list[R]:
    """Do something with each item, in threads that nobody waits for when the process ends.

    Python waits for the threads of its own pools: where storage hangs, Ctrl-C would too.

    Args:
        action: What to do.
        items: With what.
        threads: How many at once.

    Returns:
        What the action returned, in the order of the items.

    Raises:
        Exception: What the action raised first; what had not begun then is not done.
    """
    if threads == 1 or len(items) < 2:
        return [action(item) for item in items]
    results: dict[int, R] = {}
    errors: list[BaseException] = []
    left = deque(range(len(items)))

    def work() -> None:
        while not errors:
            try:
                index = left.popleft()
            except IndexError:
                return
            try:
                results[index] = action(items[index])
            except BaseException as error:
                errors.append(error)

    workers = [
        threading.Thread(target=work, name="hopsml-requests", daemon=True)
        for _ in range(min(threads, len(items)))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(items))]
