"""NVML, as far as it is needed: which GPUs there are, and how busy each of them is.

The only module that imports NVML's binding, and only when it is first asked. Nothing here raises:
where NVML is missing or broken there are no GPUs, and what it does not know of a GPU is None. One
session is opened a process and stays open, since opening it may take the driver seconds.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Device", "Gpu", "device_of", "devices", "read"]


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or a MIG slice of one, for NVML to be asked about.

    Args:
        index: Its place among the GPUs that this process may open, in NVML's order, which is that
            of the PCI bus; None for a MIG slice.
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
    """A GPU as it is now; what NVML does not say is None, as of a GPU that was lost meanwhile.

    Args:
        index: Its place among the machine's GPUs in NVML's order; None for a MIG slice.
        uuid: Its identifier.
        name: The product's name.
        memory_total: Its memory, in bytes.
        memory_used: Memory taken by all processes that use it, in bytes.
        utilization: Percent of the last moment (a sixth of a second to a second) in which
            anything ran on it, of whichever process; None for a MIG slice.
    """

    index: int | None
    uuid: str
    name: str | None
    memory_total: int | None
    memory_used: int | None
    utilization: float | None


def devices() -> tuple[Device | None, ...]:
    """The GPUs that this process may open, in NVML's order; None in place of one that is lost.

    One that the process has no permission for, as in a container, is not among them.
    """
    return _session.devices()


def device_of(uuid: str) -> Device | None:
    """The device of that identifier, which may be a MIG slice's.

    Args:
        uuid: The whole identifier.

    Returns:
        None where there is none.
    """
    for device in devices():
        if device is not None and device.uuid == uuid:
            return device
    handle = _session.ask("nvmlDeviceGetHandleByUUID", uuid)
    return None if handle is None else Device(None, uuid, _name(handle), handle)


def read(device: Device) -> Gpu:
    """A device as it is now."""
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


class _Session:
    """The process's session with NVML, opened when first needed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again, as a forked child must: its parent's threads may hold the lock."""
        self._lock = threading.Lock()
        self._open = False
        self._devices: tuple[Device | None, ...] = ()

    def devices(self) -> tuple[Device | None, ...]:
        with self._lock:
            if not self._open:
                self._open = self._opened()
            return self._devices if self._open else ()

    def ask(self, function: str, *arguments: Any) -> Any:
        """What a function of NVML returns, or None where it fails."""
        if self.devices() == ():
            return None
        import pynvml

        try:
            return getattr(pynvml, function)(*arguments)
        except pynvml.NVMLError as error:
            # Other code in this process has closed it more often than opened.
            if error.value == pynvml.NVML_ERROR_UNINITIALIZED:
                self._open = False
            return None

    def _opened(self) -> bool:
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
