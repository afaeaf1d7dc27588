"""Says what machine an experiment was started on, as far as that may change its results."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hopsml_flows.execution.devices.gpus import VARIABLE, visible_devices
from hopsml_flows.execution.devices.nvml import driver_version

__all__ = ["Machine", "this_machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """The GPUs of a machine, and their driver.

    Args:
        gpus: Names of the GPUs that the process may use.
        driver: Version of NVIDIA's driver; None where there is none.
    """

    gpus: tuple[str, ...] = ()
    driver: str | None = None

    @property
    def lines(self) -> list[str]:
        """What it is, a line for each kind of fact; nothing without GPUs.

        Example:
            >>> Machine(("NVIDIA A", "NVIDIA A"), "570.1").lines
            ['GPU 2 NVIDIA A', 'driver 570.1']
        """
        counts = {name: self.gpus.count(name) for name in self.gpus}
        lines = [f"GPU {count} {name}" for name, count in counts.items()]
        return lines + ([f"driver {self.driver}"] if self.driver else [])

    def as_table(self) -> dict[str, Any]:
        """What it is, for a lock file's own table; nothing without GPUs."""
        gpus = {"gpus": list(self.gpus)} if self.gpus else {}
        return gpus | ({"driver": self.driver} if self.driver else {})


def this_machine() -> Machine:
    """Return what this process sees of its machine."""
    devices = visible_devices(os.environ.get(VARIABLE))
    names = tuple(device.name or device.uuid for device in devices)
    return Machine(names, driver_version())
