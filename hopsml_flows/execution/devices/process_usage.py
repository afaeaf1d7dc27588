"""Processor time and memory of this process and of those it started.

Nothing here raises where a process ends meanwhile. Shared pages count in each process that has
them, as in ``top``.
"""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass

import psutil

__all__ = ["ProcessTree", "TreeReading"]


_TICK_SECONDS = 0.02
"""Starts are kept in ticks of a hundredth of a second."""


@dataclass(frozen=True, slots=True)
class TreeReading:
    """What the processes took.

    Args:
        cpu_seconds: Processor time since the beginning, of all of them, also of those that ended.
        memory: Resident memory now, in bytes.
    """

    cpu_seconds: float
    memory: int


class ProcessTree:
    """This process and its descendants, from now on.

    A process's time is its own and, once it has ended, its parent's: the sum over those that live
    misses no process. Processes that were there before count from when they are first seen.
    """

    def __init__(self) -> None:
        self._own = _this_process(os.getpid())
        self._began = _since_boot()
        self._before = _own_seconds()
        # Replaced, never changed: two threads may read at once.
        self._others: dict[psutil.Process, float] = {}
        self._gone = 0.0

    def read(self, *, look: bool) -> TreeReading:
        """Read now.

        Args:
            look: Whether to look for processes that were started since the last time, for which
                all processes of the machine are gone through (some ten microseconds each).
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
                older = _started(process) < self._began - _TICK_SECONDS
                before = _seconds(process) if older else 0.0
            others[process] = before
        ended = (before for process, before in self._others.items() if process not in others)
        self._gone += sum(ended)
        self._others = others


def _since_boot() -> float:
    """Now, on the clock that the starts of processes are kept in.

    psutil adds to these the time of the boot, of which Linux knows the whole second only.
    """
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:  # not on this platform
        return time.time() - psutil.boot_time()


def _started(process: psutil.Process) -> float:
    """When a process was started, in seconds since the boot; 0 if it has ended."""
    try:
        return process.create_time() - psutil.boot_time()
    except psutil.Error:
        return 0.0


@functools.lru_cache(maxsize=1)
def _this_process(pid: int) -> psutil.Process:
    """This process; to make the object costs more than to ask it. A forked child gets its own."""
    return psutil.Process(pid)


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _own_seconds() -> float:
    """Time of this process, exactly, and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _seconds(process: psutil.Process) -> float:
    """Time of a process and of its children that have ended; 0 once it has ended itself."""
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
