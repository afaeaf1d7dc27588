"""Keeps the index fresh while pages are looked at, and tells pages whether anything has changed.

Requests drive it: a server without requests reads no storage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.service.index import ExperimentIndex
from hopsml_flows.storage.time_limit import within

__all__ = ["Freshness"]

_logger = logging.getLogger(__name__)

_LOCAL_SECONDS = 1.0
_REMOTE_SECONDS = 5.0
"""Shortest time between two looks at the storage."""

_MOST_SECONDS = 30.0
"""Longest time between two looks, whatever they cost."""

_SHARE = 120
"""The time between two looks is at least this many times the processor time of a look: a page that
is left open costs less than a hundredth of a core."""

_REMOTE_SHARE = 20
"""It is at least this many times the length of a look at remote storage. Other threads make the
requests, and the processor works for a part of that time."""

_PATIENCE = 0.25
"""Seconds that a request waits for a look that began before it; then it shows what is known."""

_THOROUGH_SECONDS = 60.0
_MOST_THOROUGH_SECONDS = 300.0
"""Shortest and longest time between two looks at experiments that are over, where that costs
requests for each."""

_CHANGE_SECONDS = 30.0
"""Seconds that a request which has changed experiments waits for the look at them."""


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

    def look_at(self, experiments: Sequence[str]) -> None:
        """Look at experiments that were changed just now, at nothing else, and wait for that.

        After 30 s this returns all the same; the look goes on.

        Args:
            experiments: Their identifiers.
        """
        try:
            problem = within(
                _CHANGE_SECONDS,
                lambda: self._problem_of(lambda: self._index.refresh(only=experiments)),
            )
        except TimeoutError:  # storage hangs, or another long look is under way
            problem = f"a change is not shown yet: a look takes more than {_CHANGE_SECONDS:g} s"
        if not problem:
            return
        with self._lock:
            self.problem = problem
            self._due = self._thorough_due = 0.0

    def version(self, experiment_id: str = "") -> str:
        """Return a text that changes with an experiment, or with any of them.

        Args:
            experiment_id: The experiment; "" for the whole project.
        """
        number = self._index.version(experiment_id)
        return f"{number}-{self.problem}" if self.problem else str(number)

    def _refresh(self, done: threading.Event) -> None:
        began, spent = self._clock(), time.thread_time()
        thorough = began >= self._thorough_due
        problem = "the index could not be refreshed"
        try:
            problem = self._problem_of(lambda: self._index.refresh(thorough=thorough))
        finally:
            now = self._clock()
            cost = _SHARE * (time.thread_time() - spent)
            if self._index.project.local_root is None:
                cost = max(cost, _REMOTE_SHARE * (now - began))
            with self._lock:
                if thorough:
                    most = _THOROUGH_SECONDS if self._first else _MOST_THOROUGH_SECONDS
                    self._thorough_due = now + min(max(_THOROUGH_SECONDS, cost), most)
                self._due = now + self._pause(cost, thorough=thorough)
                self._first = False
                self._running = None
                self.problem = problem
            done.set()

    def _problem_of(self, refresh: Callable[[], object]) -> str:
        """Refresh the index, and return why that failed; "" if it did not."""
        try:
            refresh()
        except (StorageUnavailableError, TimeoutError) as error:
            return str(error)
        except Exception as error:  # pages say that what they show may be old; the next look comes
            _logger.exception("the index could not be refreshed")
            return f"the index could not be refreshed ({type(error).__name__})"
        return ""

    def _pause(self, cost: float, *, thorough: bool) -> float:
        """Return the seconds until the next look; most of them are not thorough."""
        if self._index.project.local_root is not None:  # there all looks are alike
            return min(max(_LOCAL_SECONDS, cost), _MOST_SECONDS)
        return _REMOTE_SECONDS if thorough else min(max(_REMOTE_SECONDS, cost), _MOST_SECONDS)
