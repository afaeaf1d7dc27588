"""Marks of the task runs that have begun. They tell which one a dead worker was running.

Before a worker executes anything of a task run, it sets a mark on the scheduler: an event of
Dask's. The mark survives the worker. When a worker dies, a task run with a mark is lost and not
executed again. A task run without one was waiting, and is submitted to another worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

import distributed

from hopsml_flows.cluster.deaths import log_beginning

__all__ = ["begin", "clear_beginnings", "has_begun"]

_ANSWER_SECONDS = 30.0
"""Longest wait for the scheduler to store a mark; it may be busy."""


def _name(task_run_id: UUID) -> str:
    return f"hopsml-began-{task_run_id}"


def begin(task_run_id: UUID) -> bool:
    """Set a task run's mark, on the worker that is about to execute it, unless it has one.

    A task run that has one must not run twice. Dask may submit it again by itself: on a running
    cluster after its worker died, on every cluster if its result was lost with its worker before
    the driver fetched it.

    Args:
        task_run_id: The task run.

    Returns:
        Whether it may be executed, that is, had no mark.

    Raises:
        OSError: The scheduler is gone.
        TimeoutError: The scheduler did not answer in 30 s.
    """
    worker: Any = distributed.get_worker()
    name = _name(task_run_id)

    async def mark() -> bool:
        if await worker.scheduler.event_is_set(name=name):
            return False
        log_beginning(worker, task_run_id)
        await worker.scheduler.event_set(name=name)
        return True

    marking = asyncio.run_coroutine_threadsafe(mark(), worker.loop.asyncio_loop)
    return marking.result(_ANSWER_SECONDS)


def has_begun(client: distributed.Client, task_run_id: UUID) -> bool:
    """Whether a worker has begun to execute a task run.

    Args:
        client: A client of the cluster.
        task_run_id: The task run.

    Raises:
        OSError: The scheduler is gone.
    """
    scheduler: Any = client.scheduler
    return bool(client.sync(scheduler.event_is_set, name=_name(task_run_id)))


def clear_beginnings(client: distributed.Client, task_run_ids: Collection[UUID]) -> None:
    """Remove marks from a scheduler that continues to run.

    Args:
        client: A client of the cluster.
        task_run_ids: Task runs that are over.
    """
    scheduler: Any = client.scheduler

    async def clear() -> None:
        names = [_name(task_run_id) for task_run_id in task_run_ids]
        await asyncio.gather(*(scheduler.event_clear(name=name) for name in names))

    with suppress(OSError):
        client.sync(clear)
