"""The GPUs a training function may use, named as in ``hops.devices``.

Never an error where there is no GPU, no driver, or no NVML.
"""

from __future__ import annotations

from hopsml_flows.execution.gpus import visible_gpus

__all__ = ["get_num_gpus"]


def get_num_gpus() -> int:
    """Number of NVIDIA GPUs this process may use (``CUDA_VISIBLE_DEVICES`` respected)."""
    return len(visible_gpus())
