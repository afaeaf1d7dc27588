"""List the GPUs and read how busy they are, through NVML.

Only this module imports NVML's binding, on first use. Nothing here raises: if NVML is missing or
broken there are no GPUs, and what it cannot tell about a GPU is None. Each process opens one
session and keeps it open, since opening may take NVIDIA's driver seconds.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Device", "Gpu", "device_of", "devices", "driver_version", "read"]


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU or a MIG slice that NVML can be asked about.

    Args:
        index: Its place among the GPUs that this process may open, in NVML's order (that of the
            PCI bus); None for a MIG slice.
        uuid: Its identifier.
        name: The product's name, or None where NVML does not say.
        handle: NVML's handle.
    """

    index: int | None
    uuid: str
    name: str | None
    handle: Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """The state of a GPU. What NVML cannot tell is None, for example if the GPU was lost.

    Args:
        index: Its place among the machine's GPUs in NVML's order; None for a MIG slice.
        uuid: Its identifier.
        name: The product's name.
        memory_total: Its memory, in bytes.
        memory_used: Memory used by all its processes together, in bytes.
        utilization: Percent of the last sampling period (a sixth of a second to a second) in which
            any process ran something on it; None for a MIG slice.
    """

    index: int | None
    uuid: str
    name: str | None
    memory_total: int | None
    memory_used: int | None
    utilization: float | None


def devices() -> tuple[Device | None, ...]:
    """The GPUs that this process may open, in NVML's order; None in place of a lost GPU.

    GPUs that the process has no permission for, as in a container, are omitted.
    """
    return _session.devices()


def device_of(uuid: str) -> Device | None:
    """Find a GPU or a MIG slice by its identifier.

    Args:
        uuid: The whole identifier.

    Returns:
        The device, or None.
    """
    for device in devices():
        if device is not None and device.uuid == uuid:
            return device
    handle = _session.ask("nvmlDeviceGetHandleByUUID", uuid)
    return None if handle is None else Device(None, uuid, _name(handle), handle)


def read(device: Device) -> Gpu:
    """Read a device's current state."""
    memory = _session.ask("nvmlDeviceGetMemoryInfo", device.handle)
    rates = _session.ask("nvmlDeviceGetUtilizationRates", device.handle)
    return Gpu(
        index=device.index,
        uuid=device.uuid,
        name=device.name,
        memory_total=int(memory.total) if memory else None,
        memory_used=int(memory.used) if memory else None,
        utilization=float(rates.gpu) if rates else None,
    )


def driver_version() -> str | None:
    """Version of NVIDIA's driver; None if there is no GPU, or NVML does not say."""
    found = _session.ask("nvmlSystemGetDriverVersion")
    return str(found) if found else None


class _Session:
    """The process's session with NVML, opened on first use."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again. A forked child must: its parent's threads may hold the lock."""
        self._lock = threading.Lock()
        self._open = False
        self._devices: tuple[Device | None, ...] = ()

    def devices(self) -> tuple[Device | None, ...]:
        with self._lock:
            if not self._open:
                self._open = self._try_open()
            return self._devices if self._open else ()

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function of NVML; None if it fails."""
        if self.devices() == ():
            return None
        import pynvml

        try:
            return getattr(pynvml, function)(*arguments)
        except pynvml.NVMLError as error:
            # Other code in this process has closed NVML more often than it opened it.
            if error.value == pynvml.NVML_ERROR_UNINITIALIZED:
                self._open = False
            return None

    def _try_open(self) -> bool:
        try:
            import pynvml
        except ImportError:
            return False
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return False
        try:
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError:
            with suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()
            return False
        found: list[Device | None] = []
        for index in range(count):
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                uuid = pynvml.nvmlDeviceGetUUID(handle)
                found.append(Device(len(found), uuid, _name(handle), handle))
            except pynvml.NVMLError as error:
                if error.value != pynvml.NVML_ERROR_NO_PERMISSION:
                    found.append(None)
        self._devices = tuple(found)
        return True


def _name(handle: Any) -> str | None:
    import pynvml

    try:
        return str(pynvml.nvmlDeviceGetName(handle))
    except pynvml.NVMLError:
        return None


_session = _Session()
os.register_at_fork(after_in_child=_session.reset)
