"""Nannies that remember how their workers ended. They run in the driver's process.

Dask's own nanny only logs how a worker ended, and sets the level of loggers that the nannies of
the user's clusters share.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import distributed

from hopsml_flows.cluster.fork_server import ask_for_fork

__all__ = ["OwnNanny", "exit_code"]

_KEPT = 1000
"""Ends that are remembered. Each is read soon after it happens."""

_lock = threading.Lock()
_exit_codes: OrderedDict[str, int] = OrderedDict()


def exit_code(worker: str) -> int | None:
    """The exit code of a worker's process, or minus the number of the signal that ended it.

    Args:
        worker: Address of the worker.

    Returns:
        None if it has not ended, or had no nanny in this process.
    """
    with _lock:
        return _exit_codes.get(worker)


class OwnNanny(distributed.Nanny):
    """A nanny that remembers how its workers end.

    Args:
        *args: Arguments of Dask's nanny.
        silence_logs: Level of the worker's loggers; those of this process keep theirs.
        **kwargs: Arguments of Dask's nanny.
    """

    def __init__(self, *args: Any, silence_logs: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.silence_logs = silence_logs

    async def instantiate(self) -> Any:
        """Start a worker process: a fork of the fork server, if there is one."""
        with ask_for_fork():
            status = await super().instantiate()
        with _lock:  # an earlier worker, of a cluster that is closed, may have had this address
            _exit_codes.pop(self.worker_address or "", None)
        return status

    def _on_worker_exit_sync(self, exitcode: int) -> None:
        """Remember the exit code of the worker's process, which Dask passes only here.

        This method of Dask's is not public; ``tests/unit/test_deaths.py`` fails when it changes.
        """
        if (address := self.worker_address) is not None:
            with _lock:
                _exit_codes[address] = exitcode
                while len(_exit_codes) > _KEPT:
                    _exit_codes.popitem(last=False)
        super()._on_worker_exit_sync(exitcode)  # type: ignore[no-untyped-call]
