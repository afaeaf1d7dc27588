"""What a contender measures in its own process: the time from first submission to last result.

Processor time is read before and after that, not during it; memory is sampled from outside
(``process_tree.py``), so that nothing is added to what is measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

STARTED = "BENCHMARK_STARTED"
"""Environment variable: when this process was started, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class _Cpu:
    driver: float
    others: float


class Window:
    """Times and processor time of one run of trials.

    Args:
        trials: How many there will be.
    """

    def __init__(self, trials: int) -> None:
        self.trials = trials
        self._began: float | None = None
        self._ended: float | None = None
        self._first_done: float | None = None
        self._submitting = 0.0
        self._cpu: list[_Cpu] = []
        self._others: dict[psutil.Process, float] = {}

    @property
    def began(self) -> bool:
        """Whether the first trial was submitted."""
        return self._began is not None

    def begin(self) -> None:
        """The first trial is about to be submitted."""
        self._cpu.append(self._cpu_now())
        self._began = time.perf_counter()

    def end(self) -> None:
        """The last result is here."""
        self._ended = time.perf_counter()
        self._cpu.append(self._cpu_now())

    def first_done(self, *_: Any) -> None:
        """A trial is done; only the first call counts. Fits as a future's callback."""
        if self._first_done is None:
            self._first_done = time.time()

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Count the block as time spent on submitting."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add_submitting(time.perf_counter() - started)

    def add_submitting(self, seconds: float) -> None:
        """Count seconds as spent on submitting."""
        self._submitting += seconds

    def note_processes(self) -> None:
        """Read the processor time of the processes there are; needed where they come and go."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                times = process.cpu_times()
                self._others[process] = times.user + times.system

    def figures(self, *, workers: bool = True) -> dict[str, float | None]:
        """What was measured.

        Args:
            workers: Whether trials run in other processes than this one.
        """
        if self._began is None or self._ended is None or self._first_done is None:
            raise RuntimeError("the run was not measured from begin to end")
        driver = self._cpu[1].driver - self._cpu[0].driver
        others = self._cpu[1].others - self._cpu[0].others
        return {
            "trials": self.trials,
            "ms_per_trial": self._per_trial(self._ended - self._began),
            "submit_ms_per_trial": self._per_trial(self._submitting) or None,
            "driver_cpu_ms_per_trial": self._per_trial(driver) if workers else None,
            "worker_cpu_ms_per_trial": self._per_trial(others if workers else driver),
            "cold_start_s": self._first_done - _process_started(),
            "own_peak_mb": _own_peak(),
        }

    def _cpu_now(self) -> _Cpu:
        """Seconds so far of this process, and of all that were seen to descend from it."""
        self.note_processes()
        return _Cpu(time.process_time(), sum(self._others.values()))

    def _per_trial(self, seconds: float) -> float:
        return 1000 * seconds / self.trials


class Held:
    """Where a flow finds its window: Prefect sends a flow to workers with all it refers to."""

    window: Window

    @classmethod
    def put(cls, window: Window) -> int:
        """Hold a window; returns its number of trials."""
        cls.window = window
        return window.trials


def _own_peak() -> float:
    """Largest resident memory of this process in MB, however short it was."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return psutil.Process().memory_info().rss / 1e6


def _process_started() -> float:
    given = os.environ.get(STARTED)
    return float(given) if given else psutil.Process().create_time()
