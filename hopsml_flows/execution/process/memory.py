"""How much of its worker's memory limit a process may hold.

Dask watches the worker's own process, which only supervises. What trains is watched here, by the
same marks: Dask pauses a worker at 80% of its limit and ends it at 95%.
"""

from __future__ import annotations

from dataclasses import dataclass

import psutil

__all__ = ["MemoryWatch", "resident"]

RETIRE_SHARE = 0.8
"""A process that holds more of the limit between two trials is replaced by a fresh one."""

END_SHARE = 0.95
"""A process that holds more of the limit is ended, before the system ends whatever it finds."""


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it has gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


@dataclass(frozen=True, slots=True)
class MemoryWatch:
    """The memory that one training process may hold beside its worker.

    Args:
        limit: Bytes for both, or None for no limit.
        worker: Process identifier of the worker.
    """

    limit: int | None
    worker: int

    def too_much(self, pid: int) -> str:
        """Why a process that trains must end; "" where it need not.

        Args:
            pid: The process.
        """
        return self._beyond(pid, END_SHARE)

    def worn(self, pid: int) -> str:
        """Why a process should not get another trial; "" where it may.

        Args:
            pid: The process.
        """
        return self._beyond(pid, RETIRE_SHARE)

    def _beyond(self, pid: int, share: float) -> str:
        if self.limit is None:
            return ""
        own, others = resident(pid), resident(self.worker)
        if own + others <= share * self.limit:
            return ""
        return (
            f"it held {_mib(own)} and its worker {_mib(others)}, together more than {share:.0%} of "
            f"memory_limit ({_mib(self.limit)})"
        )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
