"""Read the limits of a container or a job from Linux control groups, versions 1 and 2.

A limit may be set in any group above the process's own, so all visible groups are read. Without
control groups, as on other systems, there is no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MemoryLimit", "cpu_quota", "memory_kills", "memory_limit"]

_UNLIMITED = 1 << 62
"""Version 1 writes a number near 2**63 for "no limit"."""


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """The tightest memory limit of this process.

    Args:
        total: The limit, in bytes.
        free: What is left, in bytes; file caches that can be dropped count as free.
    """

    total: int
    free: int


def memory_limit(root: Path = Path("/")) -> MemoryLimit | None:
    """The memory limit of this process, or None.

    Args:
        root: Root of the file system.
    """
    found = [
        limit
        for directory, version in _groups(root, "memory")
        if (limit := _memory_of(directory, version)) is not None
    ]
    if not found:
        return None
    return MemoryLimit(
        total=min(limit.total for limit in found), free=min(limit.free for limit in found)
    )


def memory_kills(root: Path = Path("/")) -> int:
    """How many processes of these groups the system has killed at a memory limit.

    Args:
        root: Root of the file system.
    """
    found = [0]
    for directory, version in _groups(root, "memory"):
        for line in _text(directory / _EVENTS[version]).splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill" and value.strip().isdigit():
                found.append(int(value))
    return max(found)


_EVENTS = {1: "memory.oom_control", 2: "memory.events"}


def cpu_quota(root: Path = Path("/")) -> float | None:
    """How many cores' worth of time the group's processes may use together, or None.

    Args:
        root: Root of the file system.
    """
    found = [
        quota
        for directory, version in _groups(root, "cpu")
        if (quota := _quota_of(directory, version)) is not None
    ]
    return min(found, default=None)


def _groups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Directories and version of this process's groups, from its own to the topmost."""
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            top, version = mount, 2
        elif controller in controllers.split(","):
            top, version = mount / controller, 1
        else:
            continue
        # A container may see its group as the topmost, yet read the path that holds outside it.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:depth]), version


def _memory_of(directory: Path, version: int) -> MemoryLimit | None:
    names = ("memory.max", "memory.current") if version == 2 else _MEMORY_V1
    total, used = (_number(directory / name) for name in names)
    if total is None or total >= _UNLIMITED:
        return None
    cache = 0
    for line in _text(directory / "memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == ("inactive_file" if version == 2 else "total_inactive_file"):
            cache = int(value)
    return MemoryLimit(total, max(0, min(total, total - (used or 0) + cache)))


_MEMORY_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _quota_of(directory: Path, version: int) -> float | None:
    if version == 2:
        words = _text(directory / "cpu.max").split()
    else:
        words = [
            _text(directory / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        ]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or no such file
        return None
    return quota / period if quota > 0 and period > 0 else None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:  # "max", or no such file
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
