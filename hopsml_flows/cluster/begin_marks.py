"""Which task runs have begun: what tells the one that a dead worker ran from those that waited.

Before anything of a task run is executed, its worker sets an event of Dask's on the scheduler. A
worker that dies takes the mark of what it ran not with it: that task run is lost, and is not
executed again by whatever submitted it. What waited on the worker has no mark, and costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

import distributed

from hopsml_flows.cluster.deaths import seen_beginning

__all__ = ["begin", "clear_beginnings", "has_begun"]

_ANSWER_SECONDS = 30.0
"""How long a scheduler may take to keep a mark; it may be busy."""


def _name(task_run_id: UUID) -> str:
    return f"hopsml-began-{task_run_id}"


def begin(task_run_id: UUID) -> bool:
    """Set a task run's mark, on the worker that is to execute it, unless it has one.

    Dask submits a task again on its own: a running cluster after a worker died, and every cluster
    where a result is lost with its worker before the driver has taken it.

    Args:
        task_run_id: The task run.

    Returns:
        Whether it may be executed: it has not begun before.

    Raises:
        OSError: The scheduler is gone.
        TimeoutError: It did not answer in time.
    """
    worker: Any = distributed.get_worker()
    name = _name(task_run_id)

    async def mark() -> bool:
        if await worker.scheduler.event_is_set(name=name):
            return False
        seen_beginning(worker, task_run_id)
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
    """Remove marks from a scheduler that lives on.

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
