"""The share of a worker's memory limit that a training process may hold.

Dask watches the worker's own process, which only supervises. The worker watches the training
process, with the same shares: Dask pauses a worker at 80% of its limit and ends it at 95%.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import psutil

from hopsml_flows.execution.devices.limits import memory_kills, memory_limit

__all__ = ["MEMORY_SECONDS", "MORE_MEMORY", "MemoryWatch", "mib", "resident"]

MEMORY_SECONDS = 0.5
"""Seconds between two looks of a worker at a training process's memory."""

MORE_MEMORY = "give trials more memory, or fewer workers"
"""Advice for messages that say that memory ran out."""

RETIRE_SHARE = 0.8
"""A process that holds a larger share of the limit between two trials is replaced."""

END_SHARE = 0.95
"""A process that holds a larger share is ended, before the system picks a process to end."""


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it is gone."""
    try:
        return int(_process(pid).memory_info().rss)
    except psutil.Error:
        return 0


@lru_cache(maxsize=64)
def _process(pid: int) -> psutil.Process:
    """A process; cached, since creating the object costs more than reading its memory."""
    return psutil.Process(pid)


@dataclass(slots=True)
class MemoryWatch:
    """A worker's watch over the memory of its training processes.

    Args:
        limit: Bytes that the worker and one training process may hold together, or None.
        worker: Process identifier of the worker.
    """

    limit: int | None
    worker: int
    _seen: dict[int, int] = field(default_factory=dict)
    _kills: int = field(default_factory=memory_kills)

    def look(self, pid: int) -> int:
        """Remember how much a process holds, for the message about its end.

        Args:
            pid: The process.

        Returns:
            The bytes that it holds; 0 if it is gone.
        """
        if held := resident(pid):
            self._seen[pid] = held
        return held

    def describe_ended(self, pid: int) -> str:
        """Say what is known of an ended process's memory, as a part of a sentence, and forget it.

        Args:
            pid: The process.
        """
        held = self._seen.pop(pid, None)
        parts = [] if held is None else [f"it held {mib(held)} when it was last looked at"]
        if self.limit is not None:
            parts.append(f"memory_limit is {mib(self.limit)}")
        container = memory_limit()
        if container is not None:
            parts.append(f"the container's limit is {mib(container.total)}")
        if (kills := memory_kills()) > self._kills:
            self._kills = kills
            parts.append("which was reached" if container else "the system ran out of memory")
        return ", ".join(parts)

    def too_much(self, pid: int) -> str:
        """Why a process must end, for the memory that it holds; "" if it need not.

        Args:
            pid: The process.
        """
        return self._beyond(pid, END_SHARE)

    def too_much_for_next(self, pid: int) -> str:
        """Why a process should not get another trial; "" if it may.

        Args:
            pid: The process.
        """
        return self._beyond(pid, RETIRE_SHARE)

    def _beyond(self, pid: int, share: float) -> str:
        own = self.look(pid)
        if self.limit is None:
            return ""
        others = resident(self.worker)
        if own + others <= share * self.limit:
            return ""
        return (
            f"it held {mib(own)} and its worker {mib(others)}, together more than {share:.0%} of "
            f"memory_limit ({mib(self.limit)})"
        )


def mib(size: int) -> str:
    """A size as text, in MiB.

    Args:
        size: Bytes.
    """
    return f"{size / (1 << 20):,.0f} MiB"
