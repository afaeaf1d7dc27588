"""Calls with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


def within(seconds: float | None, action: Callable[[], T], who: str = "storage") -> T:
    """Call a function, and give up on it when it takes too long.

    Args:
        seconds: Time limit; None for no limit.
        action: The function. After the time limit it continues in its own thread.
        who: What is expected to answer, as the error names it.

    Returns:
        The function's result.

    Raises:
        TimeoutError: The function took too long.

    Example:
        >>> within(5, lambda: "answer")
        'answer'
    """
    if seconds is None:
        return action()
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(action())
        except BaseException as error:  # raised again in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, name="hopsml-request", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"{who} did not answer within {seconds:.0f} s")
    if raised:
        raise raised[0]
    return returned[0]
