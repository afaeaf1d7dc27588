"""Calls that are given up when they take too long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


def within(seconds: float | None, action: Callable[[], T], who: str = "storage") -> T:
    """Do something, and give it up when it takes too long.

    Args:
        seconds: How long it may take; None for as long as it does.
        action: What to do. Given up, it goes on in a thread of its own as long as it hangs.
        who: Who is waited for, as the error names it.

    Raises:
        TimeoutError: It took too long.
    """
    if seconds is None:
        return action()
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(action())
        except BaseException as error:  # handed to the caller
            raised.append(error)

    thread = threading.Thread(target=run, name="hopsml-request", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"{who} did not answer within {seconds:.0f} s")
    if raised:
        raise raised[0]
    return returned[0]
