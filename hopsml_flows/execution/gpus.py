"""Asking NVML which GPUs there are, without CUDA and without errors."""

from __future__ import annotations

import os

__all__ = ["visible_gpus"]


def visible_gpus() -> list[str]:
    """Identifiers of the GPUs this process may use: indices or UUIDs.

    ``CUDA_VISIBLE_DEVICES`` is read as CUDA reads it: the list ends at the first entry that
    names no device; an empty value hides them all.

    Returns:
        One entry a GPU; empty where NVML is missing or finds none.
    """
    count = _nvml_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(index) for index in range(count)]
    visible: list[str] = []
    for entry in (part.strip() for part in chosen.split(",")):
        is_index = entry.isdigit() and int(entry) < count
        is_uuid = count > 0 and entry.startswith(("GPU-", "MIG-"))
        if not (is_index or is_uuid) or entry in visible:
            break
        visible.append(entry)
    return visible


def _nvml_count() -> int:
    try:
        import pynvml
    except ImportError:
        return 0
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0
    finally:
        pynvml.nvmlShutdown()
