"""Keeps the index fresh while pages are looked at, and tells pages whether anything has changed.

Requests drive it: a server without requests reads no storage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.service.index import ExperimentIndex

__all__ = ["Freshness"]

_logger = logging.getLogger(__name__)

_LOCAL_SECONDS = 1.0
_REMOTE_SECONDS = 5.0
"""Shortest time between two looks at the storage."""

_SHARE = 60
"""The time between two looks is at least this many times the processor time of a look."""

_WAITING_SHARE = 3
"""It is at least this many times the length of a look, most of which waits for remote storage."""

_PATIENCE = 0.25
"""Seconds that a request waits for a look that began before it; then it shows what is known."""

_THOROUGH_SECONDS = 60.0
"""Time between two looks at experiments that are over, where that costs requests for each."""


class Freshness:
    """Refreshes an index at intervals, in threads of its own.

    Args:
        index: The index.
        clock: A clock that never goes back.
    """

    def __init__(self, index: ExperimentIndex, clock: Callable[[], float] = time.monotonic) -> None:
        self._index = index
        self._clock = clock
        self._lock = threading.Lock()
        self._due = 0.0
        self._thorough_due = 0.0
        self._running: threading.Event | None = None
        self._first = True
        self.problem = ""

    def look(self) -> None:
        """Begin a look at the storage if one is due, and wait for it for a short time.

        The first look is waited for: before it, there is nothing to show.
        """
        with self._lock:
            running = self._running
            if running is None and self._clock() >= self._due:
                running = self._running = threading.Event()
                threading.Thread(target=self._refresh, args=(running,), daemon=True).start()
            first = self._first
        if running is not None:
            running.wait(None if first else _PATIENCE)

    def look_now(self) -> None:
        """Look at the storage, and return when that is done: something was changed just now."""
        with self._lock:
            running = self._running
        if running is not None:
            running.wait()
        with self._lock:
            self._due = 0.0
        self.look()

    def version(self, experiment_id: str = "") -> str:
        """Return a text that changes with an experiment, or with any of them.

        Args:
            experiment_id: The experiment; "" for the whole project.
        """
        number = self._index.version(experiment_id)
        return f"{number}-{self.problem}" if self.problem else str(number)

    def _refresh(self, done: threading.Event) -> None:
        began, spent = self._clock(), time.process_time()
        thorough = began >= self._thorough_due
        problem = ""
        try:
            self._index.refresh(thorough=thorough)
        except StorageUnavailableError as error:
            problem = str(error)
        except (
            Exception
        ) as error:  # pages say that what they show may be old, and the next look comes
            problem = f"the index could not be refreshed ({type(error).__name__})"
            _logger.exception("the index could not be refreshed")
        finally:
            now = self._clock()
            local = self._index.project.local_root is not None
            with self._lock:
                self._first = False
                self._running = None
                self.problem = problem
                least = _LOCAL_SECONDS if local else _REMOTE_SECONDS
                spent = time.process_time() - spent
                self._due = now + max(least, _WAITING_SHARE * (now - began), _SHARE * spent)
                if thorough:
                    self._thorough_due = now + _THOROUGH_SECONDS
            done.set()
