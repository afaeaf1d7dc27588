"""The processors and the memory that this process may use, within its container's limits."""

from __future__ import annotations

import functools
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from hopsml_flows.execution.devices.limits import cpu_quota, memory_limit
from hopsml_flows.execution.devices.process_usage import ProcessTree

__all__ = ["Cpu", "Memory", "cores", "cpu", "memory", "total_memory"]


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor cores that this process may use, and how much of them it uses.

    Args:
        name: The processor's name, or None where the system does not say.
        cores: How many this process may use: the cores it may run on, or fewer if its container's
            limit is lower. May be a fraction.
        utilization: Percent of one core that this process and its descendants used since the
            previous call (on the first call: since this module was imported); 200 is two cores.
    """

    name: str | None
    cores: float
    utilization: float


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory that this process may use, and how much of it it uses.

    Args:
        total: The machine's memory or the container's limit, whichever is less, in bytes.
        used: Resident memory of this process and its descendants, in bytes. A page that several
            processes share counts in each.
        free: Memory still available, in bytes. Other processes may take it too.
    """

    total: int
    used: int
    free: int


def cpu() -> Cpu:
    """The processor cores, and their current use by this process.

    Example:
        >>> from hopsml_flows import devices
        >>> devices.cpu().cores > 0
        True
    """
    return Cpu(_cpu_name(), cores(), _last_reading.utilization())


def memory() -> Memory:
    """The memory, and its current use by this process.

    Example:
        >>> from hopsml_flows import devices
        >>> devices.memory().total > 0
        True
    """
    machine, limit = psutil.virtual_memory(), memory_limit()
    return Memory(
        total=min(machine.total, limit.total) if limit else machine.total,
        used=ProcessTree().read(look=True).memory,
        free=min(machine.available, limit.free) if limit else machine.available,
    )


def cores() -> float:
    """How many cores this process may use."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        count = os.cpu_count() or 1
    quota = cpu_quota()
    return float(count) if quota is None else min(float(count), quota)


def total_memory() -> int:
    """The memory that this process may use, in bytes."""
    limit = memory_limit()
    machine: int = psutil.virtual_memory().total
    return min(machine, limit.total) if limit else machine


class _LastReading:
    """Remembers the previous call of :func:`cpu`, which measures since then."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start to measure now."""
        self._lock = threading.Lock()
        self._tree = ProcessTree()
        self._at = time.monotonic()
        self._seconds = 0.0

    def utilization(self) -> float:
        with self._lock:
            now = time.monotonic()
            seconds = max(self._seconds, self._tree.read(look=True).cpu_seconds)
            taken, passed = seconds - self._seconds, now - self._at
            self._at, self._seconds = now, seconds
            return 100.0 * taken / passed if passed > 0 else 0.0


_last_reading = _LastReading()
os.register_at_fork(after_in_child=_last_reading.reset)


@functools.cache
def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on this platform
        return None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)
