"""Parallel requests to storage: each takes milliseconds, but there may be thousands."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["REQUESTS", "in_parallel"]

REQUESTS = 16
"""Default number of requests at the same time."""

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    action: Callable[[T], R], items: Sequence[T], *, threads: int = REQUESTS
) -> list[R]:
    """Call a function with each item, in daemon threads.

    The process can end while they run. Python would wait for the threads of its own pools, and
    Ctrl-C would hang whenever storage does.

    Args:
        action: The function.
        items: Its arguments, one per call.
        threads: Calls at the same time.

    Returns:
        The results, in the order of the items.

    Raises:
        Exception: The first error of a call. Calls that had not begun by then are left out.
        KeyboardInterrupt: It was interrupted. Calls that had begun go on; no other one begins.

    Example:
        >>> in_parallel(str.upper, ["a", "b", "c"])
        ['A', 'B', 'C']
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
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    except BaseException as interruption:
        errors.append(interruption)  # the workers look at it
        raise
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(items))]
