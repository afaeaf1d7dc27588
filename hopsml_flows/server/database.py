"""Where the embedded server's database is, and whether it can be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_HOME
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hopsml_flows.errors import PrefectServerError

__all__ = ["check_writable", "database_file", "lock_file", "shown_database"]


def database_file() -> Path | None:
    """The SQLite file that holds the database; None for one in memory, or on a server."""
    try:
        url = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value() or "")
    except ArgumentError:
        return None
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    in_memory = ":memory:" in url.database or url.query.get("mode") == "memory"
    if in_memory or url.database.startswith("file:"):
        return None
    return Path(url.database)


def shown_database() -> str:
    """The database for people: its file, or its URL without a password."""
    if file := database_file():
        return str(file)
    try:
        return make_url(PREFECT_API_DATABASE_CONNECTION_URL.value() or "").render_as_string()
    except ArgumentError:
        return "which PREFECT_API_DATABASE_CONNECTION_URL names"


def lock_file() -> Path:
    """The file that a process locks while it changes the database's tables."""
    if file := database_file():
        return file.with_name(f"{file.name}.migration.lock")
    return Path(PREFECT_HOME.value()) / "migration.lock"


def check_writable() -> None:
    """Make the database's directory where there is none, and find out whether it can be written.

    Raises:
        PrefectServerError: It cannot; the message names the setting that leads there.
    """
    file = database_file()
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # SQLite keeps a log beside the file.
        with tempfile.NamedTemporaryFile(prefix=".hopsml-", dir=file.parent) as probe:
            probe.write(b"x")
    except OSError as error:
        _raise_unwritable(file, f"{file.parent} cannot be written ({error.strerror or error})")
    if file.exists() and not (file.is_file() and os.access(file, os.R_OK | os.W_OK)):
        _raise_unwritable(file, f"{file} is not a file that this user can read and write")


def _raise_unwritable(file: Path, why: str) -> None:
    home = Path(PREFECT_HOME.value())
    if file.is_relative_to(home):
        setting, allowed, got = "PREFECT_HOME", "a directory", str(home)
    else:
        setting, allowed = "PREFECT_API_DATABASE_CONNECTION_URL", "the URL of a database"
        got = str(PREFECT_API_DATABASE_CONNECTION_URL.value())
    raise PrefectServerError(
        f"{setting}: must be {allowed} that this user can write, for the embedded Prefect server; "
        f"got {got!r}: {why}. Or set PREFECT_API_URL to a server that runs"
    ) from None
