"""Prefect's server as a library: its application and its database.

The command ``prefect server start`` cannot use a socket that already listens, and does not say why
it failed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from prefect.server.api.server import create_app
from prefect.server.database import provide_database_interface
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.utilities.messaging.memory import Subscription, Topic

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["backlog", "server_application", "upgrade_database"]


def server_application() -> Any:
    """The server as an ASGI application that drops no message, and whose requests do not collide.

    Prefect's queue in memory drops what comes while it holds 10,000 messages, which are those of
    3,300 trials. Here it has no limit: the driver does not wait until the server has taken in all.
    With SQLite, a transaction that reads and then writes fails at once if another one has written
    in between. Prefect answers 503 then, and its clients try again some seconds later, a few times.
    Several experiments that start at once meet that often. Here each transaction that may write
    waits for its turn before it reads.

    The application counts the connections from which events come, for :func:`backlog`.
    """

    def unlimited(self: Subscription, *args: Any, **kwargs: Any) -> None:
        limited(self, *args, **kwargs)
        self._queue = asyncio.Queue()

    limited = Subscription.__init__
    Subscription.__init__ = unlimited  # type: ignore[method-assign]

    def in_turn(
        self: AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = True,  # noqa: ARG001
    ) -> Any:
        return deferred(self, session, with_for_update=True)

    deferred = AioSqliteConfiguration.begin_transaction
    AioSqliteConfiguration.begin_transaction = in_turn  # type: ignore[method-assign]
    application: Any = create_app()

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket" or not scope["path"].endswith("/events/in"):
            await application(scope, receive, send)
            return
        _senders.add(connection := object())
        try:
            await application(scope, receive, send)
        finally:
            _senders.remove(connection)

    return counting


_senders: set[object] = set()
"""The connections from which events come."""


def backlog() -> int:
    """Number of messages and connections that this process has as a server, and has not handled.

    A connection counts until the server has read all that its client sent before it left. What a
    service has taken out to store it in a batch does not count: it is stored before the service
    ends.
    """
    return len(_senders) + sum(
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
