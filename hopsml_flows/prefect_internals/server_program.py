"""Prefect's server as a library: its application and its database.

The command ``prefect server start`` cannot use a socket that already listens, and does not say why
it failed.
"""

from __future__ import annotations

from typing import Any

from prefect.server.api.server import create_app
from prefect.server.database import provide_database_interface

__all__ = ["server_application", "upgrade_database"]


def server_application() -> Any:
    """The server as an ASGI application."""
    return create_app()


async def upgrade_database() -> None:
    """Migrate the configured database to the revision of the installed Prefect."""
    database = provide_database_interface()
    try:
        await database.create_db()
    finally:
        # An engine belongs to its event loop, and this loop ends.
        await (await database.engine()).dispose()
