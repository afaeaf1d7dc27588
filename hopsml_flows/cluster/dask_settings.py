"""Dask's settings on the clusters that this package starts."""

from __future__ import annotations

__all__ = ["GPU", "SETTINGS", "as_environment"]

GPU = "GPU"
"""Name of the Dask resource for GPUs. dask-cuda declares none itself."""

SETTINGS: dict[str, object] = {
    # The driver tries a trial again whose worker died, and counts its attempts. Dask would run it
    # again without limit, and finished trials too.
    "distributed.scheduler.allowed-failures": 0,
    # Training code may hold the interpreter's lock for long. The worker must survive this.
    "distributed.comm.timeouts.connect": "60s",
    "distributed.admin.tick.limit": "1h",
    # Daemonic processes may not have children, and trials could use no multiprocessing or data
    # loaders. Workers end with the driver anyway, by a pipe to their nanny.
    "distributed.worker.daemon": False,
    # The worker itself watches the memory of its training process. If Dask paused the worker, it
    # would take no further trial; if Dask ended it, its trial would end too.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # Dask's statistical profile of a trial is not used, and takes 100 samples per second.
    "distributed.worker.profile.enabled": False,
}


def as_environment() -> dict[str, str]:
    """The settings as environment variables, for processes that others start."""
    return {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": str(value)
        for name, value in SETTINGS.items()
    }
