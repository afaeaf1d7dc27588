"""Calls on all workers of a cluster that are given up after a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import distributed

from hopsml_flows.storage.time_limit import within

__all__ = ["on_all_workers"]


def on_all_workers(
    client: distributed.Client,
    seconds: float,
    function: Callable[..., Any],
    *args: object,
    on_error: Literal["raise", "return", "ignore"] = "ignore",
) -> dict[str, Any]:
    """Call a function on each worker; Dask waits without limit for one whose process was stopped.

    Args:
        client: A client of the cluster.
        seconds: How long all of them may take.
        function: The function.
        *args: Its arguments.
        on_error: As of ``distributed.Client.run``.

    Returns:
        What each worker answered, by its address.

    Raises:
        TimeoutError: A worker does not answer.
        OSError: The scheduler is gone.
    """
    answers: dict[str, Any] = within(
        seconds, lambda: client.run(function, *args, on_error=on_error), "a worker"
    )
    return answers
