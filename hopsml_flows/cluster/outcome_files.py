"""Small outcomes of task runs on this machine, passed from a worker to the driver by files.

The driver would otherwise ask the scheduler for each outcome, and the scheduler the worker. Dask
holds the outcome too: for other task runs, and for the driver if there is no file.
"""

from __future__ import annotations

import io
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

__all__ = ["store", "take"]

LARGEST = 1 << 16
"""Limit in bytes of an outcome that is stored; Dask passes on larger ones."""


class _Bounded(io.BytesIO):
    """A file in memory that raises ``BufferError`` beyond ``LARGEST`` bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > LARGEST:
            raise BufferError
        return super().write(data)


def _file(directory: str, task_run_id: UUID) -> Path:
    return Path(directory, f"{task_run_id}.outcome")


def store(directory: str, task_run_id: UUID, outcome: object) -> None:
    """Store an outcome if it is small and the driver can read it; call this on the worker.

    Args:
        directory: The directory that worker and driver share.
        task_run_id: The task run.
        outcome: The outcome.
    """
    packed = _Bounded()
    with suppress(Exception):  # pickling a user's object can raise anything; Dask may manage
        pickle.dump(outcome, packed, protocol=pickle.HIGHEST_PROTOCOL)
        data = packed.getvalue()
        # The driver's __main__ is another one: Dask sends such objects by value.
        if b"__main__" not in data:
            _file(directory, task_run_id).write_bytes(data)


def take(directory: str, task_run_id: UUID) -> Any:
    """Read an outcome and remove its file; call this on the driver.

    Args:
        directory: The directory that worker and driver share.
        task_run_id: A task run that is done.

    Returns:
        The outcome; None if it is not there.
    """
    file = _file(directory, task_run_id)
    try:
        data = file.read_bytes()
    except OSError:
        return None
    with suppress(OSError):
        os.unlink(file)
    try:
        return pickle.loads(data)
    except Exception:  # cut short: the worker died, or its disk is full
        return None
