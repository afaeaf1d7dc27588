"""What prepares a worker process before it runs tasks."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import distributed

from hopsml_flows.cluster.process_settings import held_variable
from hopsml_flows.execution.process.spare import start_spare

__all__ = ["IgnoreInterrupts", "QuietHeartbeats", "SpareProcess", "first_gpu_only"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


class IgnoreInterrupts(distributed.WorkerPlugin):
    """Keeps the signals of a terminal (Ctrl-C, its closing) from killing the workers.

    The driver receives these signals too, and stops the workers in its own way.
    """

    name = "hopsml-ignore-interrupts"

    def setup(self, worker: distributed.Worker) -> None:
        """Ignore SIGINT and SIGHUP, unless the worker is in the driver's process."""
        if worker.nanny is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)


class QuietHeartbeats(distributed.WorkerPlugin):
    """Keeps a worker on the driver's machine from printing that its scheduler is gone.

    The cluster's scheduler lives in the driver. When it closes, or the driver is killed, a
    heartbeat may be on its way. The worker ends by itself; its traceback tells the user nothing.
    """

    name = "hopsml-quiet-heartbeats"

    def setup(self, worker: distributed.Worker) -> None:
        """Filter the message, unless the worker is in the driver's process."""
        if worker.nanny is not None:
            logging.getLogger("distributed.worker").addFilter(_is_no_heartbeat)


def _is_no_heartbeat(record: logging.LogRecord) -> bool:
    return record.msg != "Failed to communicate with scheduler during heartbeat."


class SpareProcess(distributed.WorkerPlugin):
    """Starts the training process of a worker's first trial with the worker."""

    name = "hopsml-spare-process"

    async def setup(self, worker: distributed.Worker) -> None:
        """Start it, unless the worker is in the driver's process."""
        if worker.nanny is not None:
            with suppress(OSError):  # such as a limit of processes: the first trial starts its own
                await asyncio.to_thread(start_spare)


@contextmanager
def first_gpu_only(worker: distributed.Worker) -> Iterator[None]:
    """On a dask-cuda worker, hide all GPUs but its own from frameworks for the block.

    dask-cuda rotates the list of devices so that the worker's is first, and leaves the others
    visible; TensorFlow would take memory on all of them. It has no effect on a framework that has
    read the list already.

    Args:
        worker: The worker.
    """
    visible = os.environ.get(_VISIBLE, "")
    of_dask_cuda = any(
        type(plugin).__module__.partition(".")[0] == "dask_cuda"
        for plugin in worker.plugins.values()
    )
    if of_dask_cuda and visible:
        with held_variable(_VISIBLE, visible.partition(",")[0]):
            yield
    else:
        yield
