"""Measure processor time and memory of this process and its descendants.

Nothing here raises if a process ends meanwhile. Shared pages count in each process that has them,
as in ``top``.
"""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass

import psutil

__all__ = ["ProcessTree", "TreeReading"]


_TICK_SECONDS = 0.02
"""Tolerance for start times, which the system keeps in ticks of a hundredth of a second."""


@dataclass(frozen=True, slots=True)
class TreeReading:
    """Usage of a process tree.

    Args:
        cpu_seconds: Processor time of all processes since the tree was made, ended ones included.
        memory: Current resident memory, in bytes.
    """

    cpu_seconds: float
    memory: int


class ProcessTree:
    """This process and its descendants, measured from now on.

    When a process ends, its time is added to its parent's, so the sum over the living processes
    includes all. Descendants that are older than the tree count from when they are first seen.
    """

    def __init__(self) -> None:
        self._own = _this_process(os.getpid())
        self._began = _since_boot()
        self._before = _own_seconds()
        # Replaced, never modified: two threads may read at once.
        self._others: dict[psutil.Process, float] = {}
        self._gone = 0.0

    def read(self, *, look: bool) -> TreeReading:
        """Measure now.

        Args:
            look: Whether to look for new descendants first. That visits every process of the
                machine (some ten microseconds each).
        """
        if look:
            self._look()
        seconds = _own_seconds() - self._before - self._gone
        memory = _resident(self._own)
        for process, before in self._others.items():
            seconds += _seconds(process) - before
            memory += _resident(process)
        return TreeReading(max(0.0, seconds), memory)

    def _look(self) -> None:
        others: dict[psutil.Process, float] = {}
        for process in _below(self._own):
            before = self._others.get(process)
            if before is None:
                older = _start_time(process) < self._began - _TICK_SECONDS
                before = _seconds(process) if older else 0.0
            others[process] = before
        ended = (before for process, before in self._others.items() if process not in others)
        self._gone += sum(ended)
        self._others = others


def _since_boot() -> float:
    """The current time on the clock of process starts: seconds since boot.

    psutil adds the boot time to process starts; Linux only knows it in whole seconds.
    """
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:  # not on this platform
        return time.time() - psutil.boot_time()


def _start_time(process: psutil.Process) -> float:
    """When a process started, in seconds since boot; 0 if it has ended."""
    try:
        return process.create_time() - psutil.boot_time()
    except psutil.Error:
        return 0.0


@functools.lru_cache(maxsize=1)
def _this_process(pid: int) -> psutil.Process:
    """This process; cached, since creating the object is costly. A forked child gets its own."""
    return psutil.Process(pid)


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _own_seconds() -> float:
    """Processor time of this process and of its ended children; its own part is exact."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _seconds(process: psutil.Process) -> float:
    """Processor time of a process and of its ended children; 0 once it has ended itself."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
