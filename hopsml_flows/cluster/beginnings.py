"""Which task runs have begun: what tells the one that a dead worker ran from those that waited.

Before anything of a task run is executed, its worker sets an event of Dask's on the scheduler. A
worker that dies takes the mark of what it ran not with it: that task run is lost, and is not
executed again by whatever submitted it. What waited on the worker has no mark, and costs nothing.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import distributed

from hopsml_flows.cluster.deaths import seen_beginning
from hopsml_flows.errors import WorkerLostError

__all__ = ["awaiting_beginning", "begin", "clear_beginnings", "has_begun"]

_ANSWER_SECONDS = 30.0
"""How long a scheduler may take to keep a mark; it may be busy."""

_current: ContextVar[Future[bool] | None] = ContextVar("hopsml_beginning", default=None)


def _name(task_run_id: UUID) -> str:
    return f"hopsml-began-{task_run_id}"


def begin(task_run_id: UUID, *, once: bool) -> Future[bool]:
    """Set a task run's mark, on the worker that is to execute it; in the background.

    Args:
        task_run_id: The task run.
        once: Whether to look first whether it has begun before: on clusters whose scheduler may
            submit a task again after its worker died.

    Returns:
        Done with whether it may be executed.
    """
    worker: Any = distributed.get_worker()
    name = _name(task_run_id)

    async def mark() -> bool:
        if once and await worker.scheduler.event_is_set(name=name):
            return False
        seen_beginning(worker, task_run_id)
        await worker.scheduler.event_set(name=name)
        return True

    beginning = asyncio.run_coroutine_threadsafe(mark(), worker.loop.asyncio_loop)
    _current.set(beginning)
    return beginning


def awaiting_beginning(function: Callable[..., Any]) -> Callable[..., Any]:
    """A task's function, which waits until the scheduler knows that it begins.

    The request travels while Prefect's engine prepares the task run, so the wait is short.

    Args:
        function: What a task executes.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        beginning = _current.get()
        if beginning is not None:
            try:
                beginning.result(_ANSWER_SECONDS)
            except (OSError, TimeoutError) as error:
                raise WorkerLostError(
                    f"the scheduler did not keep that the task begins ({type(error).__name__})"
                ) from error
        return function(*args, **kwargs)

    return called


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
