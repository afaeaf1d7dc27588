"""Prefect's logs and events: its console handlers, and what it sends in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.logging.handlers import APILogHandler, APILogWorker, PrefectConsoleHandler

__all__ = ["console_handlers", "has_api_handler", "log_entry_maker", "log_worker", "send_all"]


def console_handlers(loggers: Iterable[str]) -> list[logging.Handler]:
    """The handlers by which Prefect writes to the console; those for the server are left out.

    No setting silences the console alone for a part of a process's life.
    """
    return [
        handler
        for name in loggers
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, PrefectConsoleHandler)
    ]


def has_api_handler(name: str) -> bool:
    """Whether Prefect sends the records of a logger itself, as those of ``get_run_logger``."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(isinstance(handler, APILogHandler) for handler in logger.handlers):
            return True
        logger = logger.parent
    return False


def log_worker() -> APILogWorker:
    """Prefect's thread of this process that sends log entries in batches; started if needed."""
    return APILogWorker.instance()


def log_entry_maker(
    logger: str, flow_run_id: UUID | None, task_run_id: UUID
) -> Callable[[int, str], dict[str, Any]]:
    """A function that makes entries for :func:`log_worker` of a level and a message.

    They are what the server's API takes. Prefect's handler makes the same of a log record, at ten
    times the cost.
    """
    common = {
        "name": logger,
        "flow_run_id": str(flow_run_id) if flow_run_id else None,
        "task_run_id": str(task_run_id),
    }

    def entry(level: int, message: str) -> dict[str, Any]:
        return {
            **common,
            "level": level,
            "message": message,
            "timestamp": datetime.now(UTC).isoformat(),
        }

    return entry


def send_all(timeout: float) -> None:
    """Send the events and logs that this process still holds; waits at most ``timeout`` seconds.

    Prefect does so by itself only at the interpreter's exit.
    """
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=timeout, at_exit=False)
    APILogWorker.drain_all(timeout=timeout, at_exit=False)
