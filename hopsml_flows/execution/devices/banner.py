"""The first lines of a trial's log: where it runs, and on which devices."""

from __future__ import annotations

import functools
import os
import socket

from hopsml_flows.execution.devices import nvml
from hopsml_flows.execution.devices.gpus import VARIABLE, visible_devices
from hopsml_flows.execution.devices.host import cores, total_memory
from hopsml_flows.trials.logged_attempts import begin_line

__all__ = ["banner"]


def banner(worker: str, *, alone: bool, memory_limit: int | None) -> str:
    """Describe the worker and its machine in one line, and its GPUs, if any, in a second.

    Cached: only the first trial of a process pays for it.

    Args:
        worker: Address of the Dask worker, or "".
        alone: Whether the process runs one trial at a time.
        memory_limit: Bytes beyond which Dask ends the worker's process, or None.
    """
    return _text(worker, alone, memory_limit, os.environ.get(VARIABLE))


@functools.lru_cache(maxsize=8)
def _text(worker: str, alone: bool, memory_limit: int | None, setting: str | None) -> str:
    gpus = [nvml.read(device) for device in visible_devices(setting)]
    where = begin_line(worker, socket.gethostname())
    what = [_count_text(cores(), "CPU core"), f"{_gib(total_memory())} of memory"]
    if memory_limit is not None:
        what.append(f"at most {_gib(memory_limit)} of it for this worker")
    what.append(_count_text(len(gpus), "GPU") if gpus else "no GPU")
    if not alone:
        what.append("in a process that others share")
    lines = [f"{where}: {', '.join(what)}"]
    if gpus:
        lines.append(f"GPUs: {'; '.join(_gpu(gpu) for gpu in gpus)}")
    return "\n".join(lines)


def _gpu(gpu: nvml.Gpu) -> str:
    name = gpu.name or gpu.uuid
    return name if gpu.memory_total is None else f"{name}, {_gib(gpu.memory_total)}"


def _count_text(count: float, noun: str) -> str:
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
