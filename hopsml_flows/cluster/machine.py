"""How many workers this machine has room for, and how much memory each may use.

A container or a batch job may have less than the machine: the limits of Linux control groups count.
"""

from __future__ import annotations

import math

from hopsml_flows.cluster.config_fields import LEAST_MEMORY
from hopsml_flows.execution.devices.host import cores, total_memory

__all__ = ["memory_share", "room_for_workers"]


def room_for_workers() -> int:
    """The number of worker processes that start by default on a machine without GPUs.

    It is one per core that this process may use; a quota of 1.5 cores counts as 2. There are fewer
    if each would have less than twice the memory that a worker needs before any training.
    """
    return max(1, min(math.ceil(cores()), total_memory() // (2 * LEAST_MEMORY)))


def memory_share(workers: int) -> int:
    """The memory limit of one worker in bytes, for ``memory_limit="auto"``.

    It is an equal share of the memory that this process may use, and at least what a worker needs
    before any training. Dask's own "auto" divides by all cores, however few workers there are, and
    misses limits of nested control groups.

    Args:
        workers: Number of workers that share the memory.
    """
    return max(LEAST_MEMORY, total_memory() // workers)
