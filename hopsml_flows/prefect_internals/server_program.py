"""Prefect's server as a library: its application and its database.

The command ``prefect server start`` takes no socket that listens already, and names no failure.
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
    """Bring the configured database to this Prefect's revision."""
    database = provide_database_interface()
    try:
        await database.create_db()
    finally:
        # Engines belong to an event loop, and this one ends.
        await (await database.engine()).dispose()
