"""Prefect's server as a library: its application and its database.

The command ``prefect server start`` cannot use a socket that already listens, and does not say why
it failed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect.server.api.server import create_app
from prefect.server.database import provide_database_interface
from prefect.server.utilities.messaging.memory import Subscription, Topic

__all__ = ["backlog", "server_application", "upgrade_database"]


def server_application() -> Any:
    """The server as an ASGI application that drops no message.

    Prefect's queue in memory drops what comes while it holds 10,000 messages, which are those of
    3,300 trials. Here it has no limit: the driver does not wait until the server has taken in all.
    """

    def unlimited(self: Subscription, *args: Any, **kwargs: Any) -> None:
        limited(self, *args, **kwargs)
        self._queue = asyncio.Queue()

    limited = Subscription.__init__
    Subscription.__init__ = unlimited  # type: ignore[method-assign]
    return create_app()


def backlog() -> int:
    """Number of messages that this process has received as a server and not yet handled.

    What a service has taken out to store it in a batch does not count: it is stored before the
    service ends.
    """
    return sum(
        subscription._queue.qsize() + subscription._retry.qsize()  # noqa: SLF001
        for topic in list(Topic._topics.values())  # noqa: SLF001
        for subscription in list(topic._subscriptions)  # noqa: SLF001
    )


async def upgrade_database() -> None:
    """Migrate the configured database to the revision of the installed Prefect."""
    database = provide_database_interface()
    try:
        await database.create_db()
    finally:
        # An engine belongs to its event loop, and this loop ends.
        await (await database.engine()).dispose()
