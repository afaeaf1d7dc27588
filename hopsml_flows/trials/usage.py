"""How much of the machine's devices a trial used while it ran: means and peaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DeviceUsage", "GpuUsage", "MeanPeak"]


@dataclass(frozen=True, slots=True)
class MeanPeak:
    """Two figures of what was sampled.

    Args:
        mean: The mean over the sampled time.
        peak: The highest sample; a peak between two samples is missed.
    """

    mean: float
    peak: float


@dataclass(frozen=True, slots=True)
class GpuUsage:
    """Usage of a whole GPU, whichever processes used it.

    Args:
        index: Its place among the machine's GPUs in NVML's order; None for a MIG slice.
        uuid: Its identifier.
        name: The product's name, or None if NVML does not say.
        memory_total: Its memory in bytes, or None if NVML does not say.
        utilization: Percent of time that anything ran on it; None if NVML does not say.
        memory: Memory taken, in bytes; None if NVML does not say.
    """

    index: int | None
    uuid: str
    name: str | None
    memory_total: int | None
    utilization: MeanPeak | None
    memory: MeanPeak | None


@dataclass(frozen=True, slots=True)
class DeviceUsage:
    """How much of the machine a trial used, sampled while it ran.

    Args:
        samples: Number of samples, with that at the trial's end.
        cpu: Percent of a processor core that the trial's processes took; 200 is two cores.
        memory: Resident memory of the trial's processes, in bytes; pages that processes share
            count in each.
        gpus: The GPUs that the trial could see; empty where there were none, or where the trial
            was over before they were looked at.
    """

    samples: int
    cpu: MeanPeak
    memory: MeanPeak
    gpus: tuple[GpuUsage, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "samples": self.samples,
            "cpu": _values(self.cpu),
            "memory": _values(self.memory),
            "gpus": [asdict(gpu) for gpu in self.gpus],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DeviceUsage:
        """What :meth:`as_json` made.

        Args:
            value: JSON values; keys that are not known are left out.
        """
        return cls(
            samples=value["samples"],
            cpu=_pair(value["cpu"]),
            memory=_pair(value["memory"]),
            gpus=tuple(_gpu(gpu) for gpu in value["gpus"]),
        )


def _values(pair: MeanPeak) -> dict[str, float]:
    return {"mean": pair.mean, "peak": pair.peak}


def _gpu(value: Mapping[str, Any]) -> GpuUsage:
    return GpuUsage(
        index=value["index"],
        uuid=value["uuid"],
        name=value["name"],
        memory_total=value["memory_total"],
        utilization=_pair(value["utilization"]) if value["utilization"] else None,
        memory=_pair(value["memory"]) if value["memory"] else None,
    )


def _pair(value: Mapping[str, Any]) -> MeanPeak:
    return MeanPeak(value["mean"], value["peak"])
