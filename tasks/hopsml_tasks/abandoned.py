"""Whether the cluster still waits for a task."""

from __future__ import annotations

from collections.abc import Callable

import distributed

__all__ = ["abandoned"]


def abandoned(worker: distributed.Worker) -> Callable[[], bool]:
    """Say later whether the cluster has forgotten the current task.

    That is so when its driver was stopped, or is gone.

    Args:
        worker: The worker that runs the task.
    """
    key = worker.get_current_task()
    state = worker.state

    def is_abandoned() -> bool:
        # Dask interrupts no task that runs; it only marks it in the worker's state.
        known = state.tasks.get(key)
        return known is None or known.state != "executing"

    return is_abandoned
