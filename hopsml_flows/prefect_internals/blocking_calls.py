"""Blocking calls of Prefect's methods that may return a coroutine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["call_blocking"]


def call_blocking(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method that Prefect has in a blocking and an async form, and wait for its result.

    Where an event loop runs, as in a notebook, the method would return a coroutine. The argument
    ``_sync`` prevents that. Prefect's types hide it.
    """
    return method(*args, _sync=True, **kwargs)
