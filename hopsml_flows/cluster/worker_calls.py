"""Calls on all workers of a cluster, with a time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import distributed

from hopsml_flows.storage.time_limit import within

__all__ = ["on_all_workers", "on_one_worker"]


def on_all_workers(
    client: distributed.Client,
    seconds: float,
    function: Callable[..., Any],
    *args: object,
    on_error: Literal["raise", "return", "ignore"] = "ignore",
) -> dict[str, Any]:
    """Call a function on each worker, with a time limit.

    Dask alone would wait without limit for a worker whose process is stopped.

    Args:
        client: A client of the cluster.
        seconds: Time limit for all workers together.
        function: The function.
        *args: Its arguments.
        on_error: As in ``distributed.Client.run``.

    Returns:
        The answers by the worker's address.

    Raises:
        TimeoutError: A worker does not answer in time.
        OSError: The scheduler is gone.
    """
    answers: dict[str, Any] = within(
        seconds, lambda: client.run(function, *args, on_error=on_error), "a worker"
    )
    return answers


def on_one_worker(
    client: distributed.Client,
    worker: str,
    seconds: float,
    function: Callable[..., Any],
    *args: object,
) -> Any:
    """Call a function on a worker, with a time limit.

    Args:
        client: A client of the cluster.
        worker: The worker's address.
        seconds: Time limit.
        function: The function.
        *args: Its arguments.

    Returns:
        What it returned.

    Raises:
        TimeoutError: The worker does not answer in time.
        OSError: The scheduler or the worker is gone.
    """
    answers = within(seconds, lambda: client.run(function, *args, workers=[worker]), "a worker")
    return answers[worker]
