"""How Dask is set on the clusters that this package starts."""

from __future__ import annotations

__all__ = ["GPU", "SETTINGS", "as_environment"]

GPU = "GPU"
"""Name of the Dask resource; dask-cuda declares none itself."""

SETTINGS: dict[str, object] = {
    # A trial whose worker died is tried again by the project, which knows how often; Dask itself
    # would run it again and again, and finished trials with it.
    "distributed.scheduler.allowed-failures": 0,
    # Training code holds the interpreter's lock for long; that is no reason to lose a worker.
    "distributed.comm.timeouts.connect": "60s",
    "distributed.admin.tick.limit": "1h",
    # Daemonic processes may have no children: no multiprocessing, no data loaders in a trial.
    # Workers end with the driver all the same, by a pipe to their nanny.
    "distributed.worker.daemon": False,
    # What trains is another process, which the worker watches itself: a worker that Dask pauses
    # would take no trial any more, and one that Dask ends takes its trial along.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # Nobody looks at the statistical profile of a trial, and it samples a hundred times a second.
    "distributed.worker.profile.enabled": False,
}


def as_environment() -> dict[str, str]:
    """The settings as environment variables, for processes that are started elsewhere."""
    return {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": str(value)
        for name, value in SETTINGS.items()
    }
