"""Messages of Prefect's background services that would only alarm the user.

At the end of a process Prefect's services send what they still hold, and count the rest aloud. The
texts and the loggers, which bear the names of the services' classes, are undocumented.
"""

from __future__ import annotations

import logging

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

__all__ = ["quiet_services"]

_COUNT = "Still processing items: "


def quiet_services() -> None:
    """Keep the counts of events and logs that are still to be sent off the console."""
    for service in (EventsWorker, APILogWorker):
        logging.getLogger(service.__name__).addFilter(_is_no_count)  # the same one is added once


def _is_no_count(record: logging.LogRecord) -> bool:
    return not (isinstance(record.msg, str) and record.msg.startswith(_COUNT))
