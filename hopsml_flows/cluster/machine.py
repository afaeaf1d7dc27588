"""How many workers this machine has room for, and how much memory each may take.

A container or a job may have less than the machine: the limits of Linux control groups count.
"""

from __future__ import annotations

import math

from hopsml_flows.cluster.config_fields import LEAST_MEMORY
from hopsml_flows.execution.devices.host import cores, total_memory

__all__ = ["memory_share", "room_for_workers"]


def room_for_workers() -> int:
    """Worker processes that start by default where there are no GPUs.

    One per core that this process may use, rounded up where a quota is a fraction of a core; fewer
    where each would have less than twice the memory that a worker needs before any training.
    """
    return max(1, min(math.ceil(cores()), total_memory() // (2 * LEAST_MEMORY)))


def memory_share(workers: int) -> int:
    """Bytes that one of several workers may hold, where the user leaves that open.

    An equal share of the memory that this process may use, and at least what a worker needs before
    any training. Dask's own "auto" divides the memory by all cores, however few workers there are,
    and misses limits of nested control groups.

    Args:
        workers: Workers that share the memory.
    """
    return max(LEAST_MEMORY, total_memory() // workers)
