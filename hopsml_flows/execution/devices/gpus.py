"""The GPUs that this process may use: those that NVML finds and CUDA is not told to hide."""

from __future__ import annotations

import os

from hopsml_flows.execution.devices import nvml
from hopsml_flows.execution.devices.visible_gpus import Chosen, chosen

__all__ = ["VARIABLE", "gpus", "visible_devices", "visible_gpus"]

VARIABLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable that selects the GPUs CUDA shows, and so every framework."""


def visible_gpus() -> list[str]:
    """Identifiers of the GPUs this process may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    Indices follow NVML's order. CUDA's order may differ on machines with several kinds of GPUs,
    unless ``CUDA_DEVICE_ORDER=PCI_BUS_ID`` is set.

    Returns:
        One entry per GPU; empty if NVML is missing or finds none.
    """
    return [choice.entry for choice in _chosen(os.environ.get(VARIABLE))]


def visible_devices(setting: str | None) -> list[nvml.Device]:
    """The GPUs that a value of ``CUDA_VISIBLE_DEVICES`` leaves visible.

    Args:
        setting: The value, or None if it is not set.
    """
    machine = nvml.devices()
    found = (
        nvml.device_of(choice.entry) if choice.index is None else machine[choice.index]
        for choice in _chosen(setting)
    )
    return [device for device in found if device is not None]


def gpus() -> list[nvml.Gpu]:
    """The GPUs this process may use, with their current memory and utilization."""
    return [nvml.read(device) for device in visible_devices(os.environ.get(VARIABLE))]


def _chosen(setting: str | None) -> list[Chosen]:
    uuids = [None if device is None else device.uuid for device in nvml.devices()]
    return chosen(setting, uuids, lambda uuid: nvml.device_of(uuid) is not None)
