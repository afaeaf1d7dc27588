"""Prefect homes of users who have run something before."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.servers.fetch import prefect_database


def used_home(directory: Path) -> Path:
    """Make a Prefect home with a database; a server on a new one needs ten seconds to make its own.

    Args:
        directory: The home; where it has a database already, nothing is done.
    """
    directory.mkdir(parents=True, exist_ok=True)
    database = directory / "prefect.db"
    if not database.exists():
        shutil.copyfile(prefect_database(), database)
    return directory
