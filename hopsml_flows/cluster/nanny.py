"""The nannies of this package's own clusters: they live in this process, and see their workers end.

Dask's own writes to its log alone how a worker ended, and sets the level of loggers that it shares
with the nannies of the user's clusters.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import distributed

__all__ = ["OwnNanny", "exit_code"]

_KEPT = 1000
"""So many ends are remembered; each is asked for at once."""

_lock = threading.Lock()
_exit_codes: OrderedDict[str, int] = OrderedDict()


def exit_code(worker: str) -> int | None:
    """How the process of a worker ended: its exit code, or a signal's number below zero.

    Args:
        worker: Address of the worker.

    Returns:
        None where it has not ended, or no nanny of this process looked after it.
    """
    with _lock:
        return _exit_codes.get(worker)


class OwnNanny(distributed.Nanny):
    """A nanny that remembers how its workers end.

    Args:
        *args: As of Dask's.
        silence_logs: Level of the worker's logger; that of this process's stays.
        **kwargs: As of Dask's.
    """

    def __init__(self, *args: Any, silence_logs: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.silence_logs = silence_logs

    def _on_worker_exit_sync(self, exitcode: int) -> None:
        """Called when the worker's process has ended; the only place that knows how.

        It is no interface of Dask's: ``tests/unit/test_deaths.py`` fails when it changes.
        """
        if (address := self.worker_address) is not None:
            with _lock:
                _exit_codes[address] = exitcode
                while len(_exit_codes) > _KEPT:
                    _exit_codes.popitem(last=False)
        super()._on_worker_exit_sync(exitcode)  # type: ignore[no-untyped-call]
