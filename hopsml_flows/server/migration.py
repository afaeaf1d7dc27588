"""Upgrades of the embedded server's database, one process at a time.

Prefect's migrations read the database's revision once, and then go step by step: a second process
that does the same meanwhile fails with "duplicate column name", or breaks the first one.
"""

from __future__ import annotations

import asyncio
import fcntl
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hopsml_flows.server.database import lock_file
from hopsml_flows.server.news import Phase

__all__ = ["UnknownRevisionError", "alone", "migrate"]

_TRIES = 3
_PAUSE_SECONDS = (0.5, 2.0)


class UnknownRevisionError(Exception):
    """The database has a revision that this Prefect does not know: a newer one upgraded it.

    Args:
        revision: The database's revision.
    """

    def __init__(self, revision: str) -> None:
        super().__init__(revision)
        self.revision = revision


def migrate(tell: Callable[[Phase], None]) -> None:
    """Upgrade the configured database, or create it. Call it within :func:`alone`.

    It is tried again: what does not take the lock, such as ``prefect server start``, may upgrade
    the same database at the same time.

    Args:
        tell: Called with what it does now.

    Raises:
        UnknownRevisionError: A newer Prefect upgraded the database.
    """
    from hopsml_flows.prefect_internals.server_program import upgrade_database

    tell(Phase.MIGRATING)
    for last in (*[False] * (_TRIES - 1), True):
        try:
            asyncio.run(upgrade_database())
            return
        except Exception as error:
            if revision := _unknown_revision(error):
                raise UnknownRevisionError(revision) from error
            if last:
                raise
            time.sleep(random.uniform(*_PAUSE_SECONDS))


@contextmanager
def alone(tell: Callable[[Phase], None]) -> Iterator[None]:
    """Hold the lock of the database, which the system takes from a process that dies.

    A server holds it until it serves: at its start, it also registers what all databases have.

    Where the file cannot be made or locked, as on some network file systems, it goes without.
    """
    try:
        file = lock_file().open("a")
    except OSError:
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(Phase.WAITING)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass
        yield


def _unknown_revision(error: BaseException | None) -> str | None:
    """The revision that Alembic looked for in vain, if that is what an error is about."""
    from alembic.script.revision import ResolutionError

    while error is not None:
        if isinstance(error, ResolutionError):
            return error.argument
        error = error.__cause__ or error.__context__
    return None
