"""Prefect's log messages about a flow run that fails, on the console.

Prefect logs the exception of a flow run with its whole traceback, logs the final state with the
same words, and raises the exception, which Python then prints. Where the exception's message says
all, the first two are kept off the console. So are its two messages about a run that the user
interrupted. The Prefect server gets them all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hopsml_flows.prefect_internals.log_delivery import console_handlers

__all__ = ["quiet_failures"]

_LOGGER = "prefect.flow_runs"
_EXCEPTION = "Encountered exception during execution"
_FINAL_STATE = "Finished in state Failed("
_INTERRUPT = "Execution was aborted by an interrupt signal"


class _Quiet(logging.Filter):
    """Drops the two messages about exceptions of some type.

    Args:
        kind: The type.
    """

    def __init__(self, kind: type[BaseException]) -> None:
        super().__init__()
        self._kind = kind
        self._threads: set[int] = set()
        """Threads in which such an exception was dropped, and the final state will follow."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record may be shown."""
        if record.name != _LOGGER or not isinstance(record.msg, str):
            return True
        if _INTERRUPT in record.getMessage():
            return False
        thread = threading.get_ident()
        if record.msg.startswith(_EXCEPTION):
            error = record.exc_info[1] if record.exc_info else None
            if isinstance(error, self._kind):
                self._threads.add(thread)
                return False
            self._threads.discard(thread)
        elif record.msg.startswith(_FINAL_STATE) and thread in self._threads:
            self._threads.discard(thread)
            return False
        return True


@contextmanager
def quiet_failures(kind: type[BaseException]) -> Iterator[None]:
    """Keep off the console what Prefect logs during the block of flow runs that fail so.

    No setting can silence these messages alone. They come from ``prefect.flow_engine``, whose
    texts and logger are undocumented.

    Args:
        kind: The type of the exceptions whose messages say all.
    """
    consoles = console_handlers(("", "prefect", _LOGGER))
    quiet = _Quiet(kind)
    for console in consoles:
        console.addFilter(quiet)
    try:
        yield
    finally:
        for console in consoles:
            console.removeFilter(quiet)
