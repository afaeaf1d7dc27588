"""Messages of Prefect's background services that would only alarm the user.

At the end of a process Prefect's services send what they still hold, and count the rest aloud. What
they hold for a server that has ended makes them complain of its address. The texts and the loggers
are undocumented, and so is that the count's loggers bear the names of the services' classes.
"""

from __future__ import annotations

import logging
import threading

__all__ = ["expect_answers", "expect_no_answers", "quiet_services"]

_EVENTS, _LOGS = "EventsWorker", "APILogWorker"
"""Prefect's classes that send events and logs; named here, because their import takes a while."""

_COUNT = "Still processing items: "
_UNREACHED = "Unable to connect to %r."
_FAILED = "Service %r failed with %s pending items."


class _GoneServers(logging.Filter):
    """Drops what the events' service says of servers that have ended."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._addresses: set[str] = set()
        self._failing = 0
        """Services whose complaint was dropped, and that will fail next."""

    def add(self, url: str) -> None:
        with self._lock:
            self._addresses.add(_address(url))

    def remove(self, url: str) -> None:
        with self._lock:
            self._addresses.discard(_address(url))

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record may be shown."""
        if not isinstance(record.msg, str) or not isinstance(record.args, tuple):
            return True
        with self._lock:
            if record.msg.startswith(_UNREACHED) and record.args:
                if _address(str(record.args[0])) not in self._addresses:
                    return True
                self._failing += 1
                return False
            if record.msg == _FAILED and record.args[0] == _EVENTS and self._failing:
                self._failing -= 1
                return False
        return True


_gone = _GoneServers()


def quiet_services() -> None:
    """Keep the counts of events and logs that are still to be sent off the console."""
    for service in (_EVENTS, _LOGS):
        logging.getLogger(service).addFilter(_is_no_count)  # the same one is added once


def expect_no_answers(url: str) -> None:
    """Say nothing of events that can no longer be sent to a server, because it has ended.

    Args:
        url: URL of its API.
    """
    _gone.add(url)
    for name in ("prefect.events.clients", "prefect._internal.concurrency"):
        logging.getLogger(name).addFilter(_gone)


def expect_answers(url: str) -> None:
    """Take back :func:`expect_no_answers` for a server that was started again at the same address.

    Args:
        url: URL of its API.
    """
    _gone.remove(url)


def _is_no_count(record: logging.LogRecord) -> bool:
    return not (isinstance(record.msg, str) and record.msg.startswith(_COUNT))


def _address(url: str) -> str:
    """Host and port of a URL, of HTTP or of a websocket."""
    return url.partition("://")[2].partition("/")[0]
