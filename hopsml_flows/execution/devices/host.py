"""The processors and the memory that this process may use, limits of a container included."""

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
    """The processor cores that this process may use, and how much of them it does.

    Args:
        name: The processor's name, or None where the system does not say.
        cores: How many there are for it: those it may run on, or what its container may take,
            which may be a fraction.
        utilization: Percent of a core that this process and all it started took, in the time
            since this was last asked (the first time: since it was loaded); 200 is two cores.
    """

    name: str | None
    cores: float
    utilization: float


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory that this process may use, and how much of it it does.

    Args:
        total: The machine's memory, or its container's limit, in bytes.
        used: Resident memory of this process and all it started, in bytes; pages that processes
            share count in each.
        free: Memory that is available to it still, in bytes. Others take of it too.
    """

    total: int
    used: int
    free: int


def cpu() -> Cpu:
    """The processor cores now."""
    return Cpu(_cpu_name(), cores(), _asked.utilization())


def memory() -> Memory:
    """The memory now."""
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
    """How much memory this process may use, in bytes."""
    limit = memory_limit()
    machine: int = psutil.virtual_memory().total
    return min(machine, limit.total) if limit else machine


class _Asked:
    """What :func:`cpu` measures from: the last time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Measure from now on."""
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


_asked = _Asked()
os.register_at_fork(after_in_child=_asked.reset)


@functools.cache
def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on this platform
        return None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)
