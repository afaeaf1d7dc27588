"""Read ``CUDA_VISIBLE_DEVICES`` as CUDA does, to tell which GPUs are visible. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Chosen", "chosen"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A visible GPU or MIG slice.

    Args:
        entry: Its name in the variable.
        index: Its place among the machine's GPUs; None for a MIG slice.
    """

    entry: str
    index: int | None


def chosen(
    setting: str | None, uuids: Sequence[str | None], is_slice: Callable[[str], bool]
) -> list[Chosen]:
    """The GPUs and MIG slices that a value of the variable makes visible.

    The list ends at the first entry that names no device, or a device that is already listed. A
    GPU's identifier may be shortened while it is unambiguous; a MIG slice's may not. Lost GPUs
    keep their place, and are not visible.

    Args:
        setting: The variable's value, or None if it is not set.
        uuids: Identifiers of the machine's GPUs in their order; None for a lost GPU.
        is_slice: Whether an identifier is that of a MIG slice of the machine.
    """
    if setting is None:
        return [Chosen(str(index), index) for index, uuid in enumerate(uuids) if uuid is not None]
    found: dict[str | int, Chosen] = {}
    for entry in (part.strip() for part in setting.split(",")):
        index = _index(entry, uuids)
        if index is None and not (entry.startswith("MIG-") and is_slice(entry)):
            break
        device = entry if index is None else index
        if device in found:
            break
        found[device] = Chosen(entry, index)
    return list(found.values())


def _index(entry: str, uuids: Sequence[str | None]) -> int | None:
    if entry.isdecimal():
        index = int(entry)
        return index if index < len(uuids) and uuids[index] is not None else None
    if not entry.startswith("GPU-"):
        return None
    like = [index for index, uuid in enumerate(uuids) if uuid and uuid.startswith(entry)]
    return like[0] if len(like) == 1 else None
