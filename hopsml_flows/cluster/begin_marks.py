"""Marks of the task runs that have begun. They tell which one a dead worker was running.

Before a worker executes anything of a task run, it sets a mark, which survives the worker. When a
worker dies, a task run with a mark is lost and not executed again. A task run without one was
waiting, and is submitted to another worker.

Workers that the driver started on its own machine set files: that takes some ten microseconds, and
no other process. A worker adds the outcome to the file if it is small; the driver would otherwise
ask the scheduler for each outcome, and the scheduler the worker. Dask holds the outcome too: for
other task runs, and for the driver if the file has none.

On other clusters a mark is an event of Dask's on the scheduler.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import pickle
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import distributed

from hopsml_flows.cluster.deaths import Beginning, beginning, log_beginning

__all__ = ["MarkFiles", "begin", "clear_beginnings", "has_begun", "store_outcome"]

_ANSWER_SECONDS = 30.0
"""Longest wait for the scheduler to store a mark; it may be busy."""

LARGEST = 1 << 16
"""Limit in bytes of an outcome in a file; Dask passes on larger ones."""

_REFUSED = b"!"
"""Says in a mark that a second worker refused the task run. No pickle begins or ends so."""

_logged: set[str] = set()
"""Addresses of this process's workers that have logged a beginning."""


def _name(task_run_id: UUID) -> str:
    return f"hopsml-began-{task_run_id}"


class MarkFiles:
    """The marks of task runs that this machine's workers have begun, as files.

    Args:
        directory: The directory of the files.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def has_begun(self, task_run_id: UUID) -> bool:
        """Whether a worker has begun to execute a task run.

        Args:
            task_run_id: The task run.
        """
        return _file(self.directory, task_run_id).exists()

    def read(self, task_run_id: UUID) -> Beginning | None:
        """Where and when a task run began; None if it has not, or its worker died as it did.

        Args:
            task_run_id: The task run.
        """
        try:
            told, _, _ = _file(self.directory, task_run_id).read_bytes().partition(b"\n")
            found: Beginning = json.loads(told)
        except (OSError, ValueError):
            return None
        return found

    def outcome(self, task_run_id: UUID) -> Any:
        """The outcome of a task run that is done; None if its file has none.

        It has none either if a second worker was to execute the task run: the first one was dying,
        and what it stored may be of that.

        Args:
            task_run_id: The task run.
        """
        try:
            _, _, packed = _file(self.directory, task_run_id).read_bytes().partition(b"\n")
            refused = packed.startswith(_REFUSED) or packed.endswith(_REFUSED)
            return pickle.loads(packed) if packed and not refused else None
        except Exception:  # cut short: the worker died, or its disk is full
            return None

    def clear(self, task_run_id: UUID) -> None:
        """Remove the mark of a task run that is over.

        Args:
            task_run_id: The task run.
        """
        with suppress(OSError):
            os.unlink(_file(self.directory, task_run_id))


def begin(task_run_id: UUID, directory: str | None) -> bool:
    """Set a task run's mark, on the worker that is about to execute it, unless it has one.

    A task run that has one must not run twice. Dask may submit it again by itself: on a running
    cluster after its worker died, on every cluster if its result was lost with its worker before
    the driver fetched it.

    Args:
        task_run_id: The task run.
        directory: Directory of the marks if they are files; None if the scheduler has them.

    Returns:
        Whether it may be executed, that is, had no mark.

    Raises:
        OSError: The scheduler or the directory is gone.
        TimeoutError: The scheduler did not answer in 30 s.
    """
    worker: Any = distributed.get_worker()
    told = beginning(worker, task_run_id)
    if directory is None:
        return _begin_on_scheduler(worker, task_run_id, told)
    try:
        with _file(directory, task_run_id).open("x") as file:
            file.write(f"{json.dumps(told)}\n")
    except FileExistsError:
        _append(directory, task_run_id, _REFUSED)
        return False
    if worker.address not in _logged:  # the file is removed when the task run is over
        _logged.add(worker.address)
        log_beginning(worker, told)
    return True


def store_outcome(task_run_id: UUID, directory: str, outcome: object) -> None:
    """Add an outcome to a task run's mark if it is small and the driver can read it.

    Args:
        task_run_id: The task run, which has begun on this worker.
        directory: Directory of the marks.
        outcome: The outcome.
    """
    packed = _Bounded()
    with suppress(Exception):  # pickling a user's object can raise anything; Dask may manage
        pickle.dump(outcome, packed, protocol=pickle.HIGHEST_PROTOCOL)
        data = packed.getvalue()
        # The driver's __main__ is another one: Dask sends such objects by value.
        if b"__main__" not in data:
            _append(directory, task_run_id, data)


def _append(directory: str, task_run_id: UUID, data: bytes) -> None:
    """Append to a mark in one write: two workers may do it at the same time."""
    with _file(directory, task_run_id).open("ab", buffering=0) as file:
        file.write(data)


class _Bounded(io.BytesIO):
    """A file in memory that raises ``BufferError`` beyond ``LARGEST`` bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > LARGEST:
            raise BufferError
        return super().write(data)


def _begin_on_scheduler(worker: Any, task_run_id: UUID, told: Beginning) -> bool:
    name = _name(task_run_id)

    async def mark() -> bool:
        if await worker.scheduler.event_is_set(name=name):
            return False
        log_beginning(worker, told)
        await worker.scheduler.event_set(name=name)
        return True

    marking = asyncio.run_coroutine_threadsafe(mark(), worker.loop.asyncio_loop)
    return marking.result(_ANSWER_SECONDS)


def _file(directory: str, task_run_id: UUID) -> Path:
    return Path(directory, str(task_run_id))


def has_begun(client: distributed.Client, task_run_id: UUID) -> bool:
    """Whether a worker has begun to execute a task run, as the scheduler knows.

    Args:
        client: A client of the cluster.
        task_run_id: The task run.

    Raises:
        OSError: The scheduler is gone.
    """

    async def ask() -> bool:
        scheduler: Any = client.scheduler
        return bool(await scheduler.event_is_set(name=_name(task_run_id)))

    return bool(client.sync(ask))


def clear_beginnings(client: distributed.Client, task_run_ids: Collection[UUID]) -> None:
    """Remove marks from a scheduler that continues to run.

    Args:
        client: A client of the cluster.
        task_run_ids: Task runs that are over.
    """

    async def clear() -> None:
        scheduler: Any = client.scheduler
        names = [_name(task_run_id) for task_run_id in task_run_ids]
        await asyncio.gather(*(scheduler.event_clear(name=name) for name in names))

    with suppress(OSError):
        client.sync(clear)
