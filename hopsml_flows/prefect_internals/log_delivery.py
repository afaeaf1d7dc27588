"""Prefect's logging handlers, and the threads that send its logs and events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.logging.handlers import APILogHandler, APILogWorker, PrefectConsoleHandler

from hopsml_flows.prefect_internals.first_states import send_held

__all__ = [
    "console_handlers",
    "has_api_handler",
    "log_entry_maker",
    "log_worker",
    "send_all",
    "send_all_apart",
]


def console_handlers(loggers: Iterable[str]) -> list[logging.Handler]:
    """Prefect's console handlers on some loggers, without its handlers for the server.

    No setting can silence the console alone, or for a while only.
    """
    return [
        handler
        for name in loggers
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, PrefectConsoleHandler)
    ]


def has_api_handler(name: str) -> bool:
    """Whether Prefect itself sends a logger's records to the server, as for ``get_run_logger``."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(isinstance(handler, APILogHandler) for handler in logger.handlers):
            return True
        logger = logger.parent
    return False


def log_worker() -> APILogWorker:
    """Prefect's thread that sends log entries of this process in batches. Starts it if needed."""
    return APILogWorker.instance()


def log_entry_maker(
    logger: str, flow_run_id: UUID | None, task_run_id: UUID | None
) -> Callable[[int, str], dict[str, Any]]:
    """A function that makes an entry for :func:`log_worker` from a level and a message.

    An entry has the form of the server's API. Prefect's handler makes the same from a log record,
    at ten times the cost.
    """
    common = {
        "name": logger,
        "flow_run_id": str(flow_run_id) if flow_run_id else None,
        "task_run_id": str(task_run_id) if task_run_id else None,
    }

    def entry(level: int, message: str) -> dict[str, Any]:
        return {
            **common,
            "level": level,
            "message": message,
            "timestamp": datetime.now(UTC).isoformat(),
        }

    return entry


def send_all(timeout: float) -> bool:
    """Send the events and logs that this process still holds, within ``timeout`` seconds.

    Prefect itself does this only when the interpreter exits. States that are held back are sent
    too: their task runs may be about to end without a final one.

    Returns:
        Whether all events were sent in time.
    """
    from prefect.events.worker import EventsWorker

    send_held()
    drained: Any = EventsWorker.drain_all(timeout=timeout, at_exit=False)
    APILogWorker.drain_all(timeout=timeout, at_exit=False)
    _, late = drained
    return not late


def send_all_apart(timeout: float) -> bool:
    """Do as :func:`send_all`, from any thread, such as a notebook's.

    Where an event loop runs, Prefect would return coroutines. A new thread has none.
    """
    sent: list[bool] = []
    thread = threading.Thread(target=lambda: sent.append(send_all(timeout)), name="hopsml-flush")
    thread.start()
    thread.join()
    return sent == [True]
