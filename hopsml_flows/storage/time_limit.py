"""Calls with a time limit."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

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
    try:
        helper = _idle.pop()
    except IndexError:
        helper = _Helper()
    try:
        returned, raised = helper.call(action, seconds)
    except queue.Empty:  # its thread stays with the call
        raise TimeoutError(f"{who} did not answer within {seconds:.0f} s") from None
    _idle.append(helper)
    if raised is not None:
        raise raised
    result: T = returned
    return result


class _Helper:
    """A thread that carries out one call after the other: starting one costs a short trial much."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="hopsml-request", daemon=True).start()

    def call(self, action: Callable[[], Any], seconds: float) -> tuple[Any, BaseException | None]:
        """Return what a call returned and raised; raise ``queue.Empty`` when its time is up."""
        self._calls.put(action)
        return self._answers.get(timeout=seconds)

    def _run(self) -> None:
        while True:
            self._answers.put(_outcome(self._calls.get()))  # holds on to nothing while it waits


def _outcome(action: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return action(), None
    except BaseException as error:  # raised again in the caller's thread
        return None, error


_idle: list[_Helper] = []
os.register_at_fork(after_in_child=_idle.clear)  # a child has none of the threads
