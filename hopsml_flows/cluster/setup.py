"""What a worker process is prepared with before it runs tasks."""

from __future__ import annotations

import os
import signal
import threading

import distributed

__all__ = ["IgnoreInterrupts", "show_first_gpu_only"]


class IgnoreInterrupts(distributed.WorkerPlugin):
    """Keeps what a terminal sends to every process from killing the workers: Ctrl-C, its end.

    The driver gets it too, and stops them in its own way.
    """

    name = "hopsml-ignore-interrupts"

    def setup(self, worker: distributed.Worker) -> None:
        """Ignore SIGINT and SIGHUP, unless the worker is a part of the driver's process."""
        if worker.nanny is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)


def show_first_gpu_only(worker: distributed.Worker) -> None:
    """On a dask-cuda worker, hide all GPUs but its own from the frameworks.

    dask-cuda rotates the list of devices so that the first one is the worker's, and leaves the
    others visible; TensorFlow would take memory on all of them. Has no effect on a framework that
    has looked already.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    of_dask_cuda = any(
        type(plugin).__module__.partition(".")[0] == "dask_cuda"
        for plugin in worker.plugins.values()
    )
    if of_dask_cuda and "," in visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.partition(",")[0]
