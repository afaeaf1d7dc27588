"""Turn samples of a trial's device usage into means and peaks. No clock, no device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hopsml_flows.trials import DeviceUsage, GpuUsage, MeanPeak

if TYPE_CHECKING:
    from hopsml_flows.execution.devices.nvml import Gpu

__all__ = ["Meter", "Sample"]


_SHORTEST_SECONDS = 0.25
"""Processor usage over a shorter time is too inexact to count as a peak."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the devices.

    Args:
        seconds: Time since the trial began.
        cpu_seconds: Processor time that its processes used since then.
        memory: Their resident memory, in bytes.
        gpus: Its GPUs; None if they were not read.
    """

    seconds: float
    cpu_seconds: float
    memory: int
    gpus: Sequence[Gpu] | None = None


class Meter:
    """Computes means and peaks of samples in constant memory. Add samples in order of time.

    Samples are not evenly spaced, so each is weighted by the time since the previous one.

    Args:
        cores: The machine's cores, which bound the processor usage.
    """

    def __init__(self, cores: int) -> None:
        self._most = 100.0 * cores
        self._samples = 0
        self._seconds = 0.0
        self._cpu_seconds = 0.0
        self._cpu = _Figure()
        self._memory = _Figure()
        self._gpus: list[_GpuFigures] = []

    def add(self, sample: Sample) -> float:
        """Add a sample.

        Args:
            sample: The reading.

        Returns:
            Percent of one core that the trial's processes used since the previous sample.
        """
        passed = max(0.0, sample.seconds - self._seconds)
        # The sum falls when a process ends after its parent.
        taken = max(0.0, sample.cpu_seconds - self._cpu_seconds)
        percent = min(self._most, 100.0 * taken / passed) if passed > 0 else 0.0
        self._samples += 1
        self._seconds += passed
        self._cpu_seconds = sample.cpu_seconds
        # The system counts processor time in ticks: over a moment it reads zero or far too much.
        self._cpu.add(percent, passed, is_peak=passed >= _SHORTEST_SECONDS)
        self._memory.add(sample.memory, passed)
        for place, gpu in enumerate(sample.gpus or ()):
            if place == len(self._gpus):
                self._gpus.append(_GpuFigures(gpu))
            self._gpus[place].add(gpu, passed)
        return percent

    def usage(self) -> DeviceUsage | None:
        """Means and peaks of all samples; None without samples."""
        cpu, memory = self._cpu.figures(1), self._memory.figures(None)
        if cpu is None or memory is None:
            return None
        return DeviceUsage(self._samples, cpu, memory, tuple(gpu.usage() for gpu in self._gpus))


class _Figure:
    """The mean and the peak of a number; times at which it is unknown do not count."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._weight = 0.0
        self._peak: float | None = None

    def add(self, value: float | None, weight: float, *, is_peak: bool = True) -> None:
        if value is None:
            return
        self._sum += value * weight
        self._weight += weight
        if self._peak is None or is_peak:
            self._peak = value if self._peak is None else max(self._peak, value)

    def figures(self, digits: int | None) -> MeanPeak | None:
        if self._peak is None:
            return None
        mean = self._sum / self._weight if self._weight > 0 else self._peak
        return MeanPeak(round(mean, digits), round(max(mean, self._peak), digits))


class _GpuFigures:
    """Utilization and memory of one GPU."""

    def __init__(self, first: Gpu) -> None:
        self._first = first
        self._utilization = _Figure()
        self._memory = _Figure()

    def add(self, gpu: Gpu, weight: float) -> None:
        self._utilization.add(gpu.utilization, weight)
        self._memory.add(gpu.memory_used, weight)

    def usage(self) -> GpuUsage:
        return GpuUsage(
            index=self._first.index,
            uuid=self._first.uuid,
            name=self._first.name,
            memory_total=self._first.memory_total,
            utilization=self._utilization.figures(1),
            memory=self._memory.figures(None),
        )
