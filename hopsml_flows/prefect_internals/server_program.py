"""Prefect's server as a library: its application and its database.

The command ``prefect server start`` cannot use a socket that already listens, and does not say why
it failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from prefect.server.api.server import create_app
from prefect.server.database import provide_database_interface
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.events.services import event_persister
from prefect.server.services import task_run_recorder
from prefect.server.utilities.messaging.memory import Subscription, Topic

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    _Handler = Callable[[Any], Awaitable[None]]
    _HandlerMaker = Callable[..., AbstractAsyncContextManager[_Handler]]

__all__ = ["backlog", "server_application", "upgrade_database"]


def server_application() -> Any:
    """The server as an ASGI application that drops no message, and whose requests do not collide.

    Prefect's queue in memory drops what comes while it holds 10,000 messages, which are those of
    3,300 trials. Here it has no limit: the driver does not wait until the server has taken in all.
    With SQLite, a transaction that reads and then writes fails at once if another one has written
    in between. Prefect answers 503 then, and its clients try again some seconds later, a few times.
    Several experiments that start at once meet that often. Here each transaction that may write
    waits for its turn before it reads.

    The application counts the connections from which events come, for :func:`backlog`. What its
    services have taken in is stored before it ends (:func:`_storing_all`).
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
    persister: Any = event_persister
    persister.create_handler = _storing_all(persister.create_handler)
    persister.write_events = _in_one_transaction(persister.write_events)
    recorder: Any = task_run_recorder
    recorder.consumer = _storing_all(recorder.consumer)
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


def _storing_all(make_handler: _HandlerMaker) -> _HandlerMaker:
    """The maker of a service's message handler, which stores all that it took in before it ends.

    A service of Prefect that stops cancels the batch that it is storing, tries once more, with one
    batch, and forgets what is left then. Here a batch that has begun is finished.
    """

    @asynccontextmanager
    async def storing_all(*args: Any, **kwargs: Any) -> AsyncIterator[_Handler]:
        running: set[asyncio.Task[None]] = set()
        async with make_handler(*args, **kwargs) as handler:
            # The queue and the function that stores a batch of it are local to the maker.
            function: Any = handler
            cells = dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))
            queue, flush = (cells[name].cell_contents for name in ("queue", "flush"))

            async def whole() -> None:
                task = asyncio.create_task(flush())
                running.add(task)
                task.add_done_callback(running.discard)
                await asyncio.shield(task)

            cells["flush"].cell_contents = whole
            try:
                yield handler
            finally:
                # Ends: the services give up on a message that cannot be stored.
                while running or queue.qsize():
                    if running:
                        await asyncio.wait(running)
                        continue
                    with suppress(Exception):
                        await flush()

    return storing_all


def _in_one_transaction(
    write_events: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """The function that stores a batch of events, all of it or nothing.

    Prefect commits events and their resources one after the other. A batch that fails in between
    cannot be stored any more.
    """

    async def write(session: AsyncSession, events: list[Any]) -> None:
        token = SQLITE_BEGIN_MODE.set("IMMEDIATE")
        try:
            await write_events(session=session, events=events)
        finally:
            SQLITE_BEGIN_MODE.reset(token)

    return write


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
