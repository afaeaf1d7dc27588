"""The devices that a trial runs on and how much of them it uses: GPUs, processors, memory."""

from hopsml_flows.execution.devices.banner import banner
from hopsml_flows.execution.devices.gpus import gpus, visible_gpus
from hopsml_flows.execution.devices.host import Cpu, Memory, cpu, memory
from hopsml_flows.execution.devices.nvml import Gpu
from hopsml_flows.execution.devices.sampler import Sampling

__all__ = [
    "Cpu",
    "Gpu",
    "Memory",
    "Sampling",
    "banner",
    "cpu",
    "gpus",
    "memory",
    "visible_gpus",
]
