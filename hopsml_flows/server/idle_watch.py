"""The embedded server's watch over its clients: without any, it ends after its idle time."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable

from hopsml_flows.server.registration import Files, Registration

__all__ = ["IdleWatch"]

_LOOK_SECONDS = (0.1, 1.0)
"""Shortest and longest time between two looks; a tenth of the idle time in between."""

_STUCK_SECONDS = 30.0
"""A server that takes nothing in for this long will not take in the rest."""

_END_SECONDS = 60.0
"""Longest time for the server to store its last batches and end."""


class IdleWatch:
    """Ends the server when no client is left, its idle time is over, and it has taken in all.

    A server that was replaced, or whose Prefect home was removed, has no idle time.

    Args:
        files: The server's files.
        idle_seconds: How long it stays without clients.
        backlog: Number of messages that it has received and not yet stored.
        end: Ends it.
    """

    def __init__(
        self,
        files: Files,
        idle_seconds: float,
        backlog: Callable[[], int],
        end: Callable[[], None],
    ) -> None:
        self._files = files
        self._idle_seconds = idle_seconds
        self._backlog = backlog
        self._end = end
        self._registration: Registration | None = None

    def start(self) -> None:
        """Begin to watch, in a thread."""
        threading.Thread(target=self._watch, name="hopsml-idle-watch", daemon=True).start()

    def register(self, registration: Registration) -> None:
        """Register the server, which serves from now on."""
        self._files.register(registration)
        self._registration = registration

    def _watch(self) -> None:
        try:
            self._wait()
        finally:  # also of an error of the file system: no server stays for good
            self._end()
        time.sleep(_END_SECONDS)
        os._exit(1)

    def _wait(self) -> None:
        """Wait until the server is to end."""
        shortest, longest = _LOOK_SECONDS
        pause = min(max(self._idle_seconds / 10, shortest), longest)
        left = changed = time.monotonic()
        waiting = -1
        with self._files.open_clients() as clients:
            while True:
                time.sleep(pause)
                now = time.monotonic()
                try:
                    fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    left = changed = now
                    continue
                try:
                    backlog = self._backlog()
                    if backlog != waiting:
                        waiting, changed = backlog, now
                    stuck = backlog > 0 and now - changed > _STUCK_SECONDS
                    if now - left >= self._idle_now() and (backlog == 0 or stuck):
                        # While the lock is held: who comes next finds no server, and starts one.
                        if self._registration is not None:
                            self._files.unregister(self._registration)
                        return
                finally:
                    fcntl.flock(clients, fcntl.LOCK_UN)

    def _idle_now(self) -> float:
        mine = self._registration
        return self._idle_seconds if mine is None or self._files.read() == mine else 0.0
