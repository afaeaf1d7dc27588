"""The GPUs, processors and memory that a training function may use, named as in ``hops.devices``.

Inside a trial these are the trial's: the GPUs of its worker, and the use by its own processes.
Outside they are those of the calling process. A missing GPU, driver or NVML is no error. Sizes are
in bytes, utilizations in percent.

Example:
    >>> from hopsml_flows import devices
    >>> devices.get_num_gpus() == len(devices.gpus())
    True
    >>> devices.memory().used > 0
    True
"""

from __future__ import annotations

from hopsml_flows.execution.devices import Cpu, Gpu, Memory, cpu, gpus, memory, visible_gpus

__all__ = ["Cpu", "Gpu", "Memory", "cpu", "get_num_gpus", "gpus", "memory"]


def get_num_gpus() -> int:
    """Return the number of NVIDIA GPUs that this process may use (see ``CUDA_VISIBLE_DEVICES``)."""
    return len(visible_gpus())
