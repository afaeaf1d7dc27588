"""The GPUs, processors and memory that a training function may use, named as in ``hops.devices``.

Inside a trial they are the trial's: its worker's GPUs, its own processes. Outside they are those of
the calling process. Never an error where there is no GPU, no driver, or no NVML. Sizes are in
bytes, utilizations in percent.
"""

from __future__ import annotations

from hopsml_flows.execution.devices import Cpu, Gpu, Memory, cpu, gpus, memory, visible_gpus

__all__ = ["Cpu", "Gpu", "Memory", "cpu", "get_num_gpus", "gpus", "memory"]


def get_num_gpus() -> int:
    """Number of NVIDIA GPUs this process may use (``CUDA_VISIBLE_DEVICES`` respected)."""
    return len(visible_gpus())
