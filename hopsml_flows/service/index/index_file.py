"""The file of an index: an SQLite database in the machine's cache directory.

Several processes read and write it. A file that is damaged, of another version or of another
project is thrown away, if no other process uses it. Where the cache cannot be used, the index lives
in this process's memory. SQLite's write-ahead log must not be shared between machines, so the name
of the file contains the machine's. Files that no one will use again are removed by the way.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hopsml_flows.service.index.stale_files import (
    About,
    lock_shared,
    remove_files,
    remove_stale,
)
from hopsml_flows.storage import Project
from hopsml_flows.storage.cache_directory import cache_directory
from hopsml_flows.text import unicode_text

__all__ = ["IndexFile", "index_path"]

_APPLICATION = 0x686F7073  # "hops", in the file's header
_VERSION = 3
"""Version of the tables; a file of another version is made again."""

_BUSY_SECONDS = 10.0
"""How long a process waits for another one that writes."""

_TABLES = """
CREATE TABLE project (url TEXT NOT NULL);
CREATE TABLE experiments (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    record_version TEXT, summary_version TEXT, settled INTEGER NOT NULL, modified REAL,
    record TEXT, problem TEXT, summary_problem TEXT, told INTEGER NOT NULL DEFAULT 0,
    unread INTEGER NOT NULL DEFAULT 0, columns TEXT NOT NULL DEFAULT '[]',
    name TEXT NOT NULL, state TEXT NOT NULL, kind TEXT, user TEXT, description TEXT, tags TEXT,
    metric REAL, direction TEXT, start REAL NOT NULL, "end" REAL, duration REAL,
    trials INTEGER, failed INTEGER, stopped INTEGER,
    gone INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE latest (version INTEGER NOT NULL);
CREATE INDEX by_start ON experiments (start);
CREATE INDEX by_name ON experiments (name, start);
CREATE TABLE trials (
    experiment INTEGER NOT NULL, place INTEGER NOT NULL,
    number INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, metric REAL,
    started REAL, ended REAL, seconds REAL, generation INTEGER, budget REAL, attempt INTEGER,
    error TEXT, worker TEXT, cells TEXT NOT NULL,
    PRIMARY KEY (experiment, place)
) WITHOUT ROWID;
CREATE TABLE entries (
    experiment INTEGER NOT NULL, place INTEGER NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (experiment, place)
) WITHOUT ROWID;
"""


def index_path(project: Project) -> Path:
    """Return the path of a project's index on this machine.

    Args:
        project: The project.
    """
    text = f"{socket.gethostname()}\n{project.url}"
    name = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_directory() / "index" / f"{name}.sqlite"


class IndexFile:
    """An open index. Its methods may be called from several threads.

    Args:
        project: The project that it is of.

    Raises:
        sqlite3.Error: Not even an index in memory can be made.
    """

    def __init__(self, project: Project) -> None:
        self._url = unicode_text(project.url)
        self._about = About(self._url, project.local_root is not None, _VERSION)
        self._path: Path | None = None if project.in_memory else index_path(project)
        self._lock_file: int | None = None
        self._reading = threading.RLock()
        self._writing = threading.RLock()
        if not self._opened():
            self.move_to_memory()
        elif self._path is not None:
            remove_stale(self._path.parent, _VERSION)

    @property
    def in_memory(self) -> bool:
        """Whether no other process sees it."""
        return self._path is None

    def close(self) -> None:
        """Close the index; it can be opened again with a new object."""
        with self._writing, self._reading:
            for connection in {self._reader, self._writer}:
                with suppress(sqlite3.Error):
                    connection.close()
            self._unlock()

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection; what it reads in the block belongs to one state of the index."""
        with self._reading:
            if self._reader is self._writer:
                yield self._reader
                return
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                with suppress(sqlite3.Error):
                    self._reader.execute("ROLLBACK")

    @contextmanager
    def writer(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection; all that is written in the block becomes visible at its end."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def discard(self) -> None:
        """Give up a file that cannot be used, and begin with an empty index."""
        with self._writing, self._reading:
            for connection in {self._reader, self._writer}:
                with suppress(sqlite3.Error):
                    connection.close()
            if self._path is None or not (self._remove(self._path) and self._opened()):
                self.move_to_memory()

    def move_to_memory(self) -> None:
        """Begin with an empty index in memory: the cache directory cannot be used."""
        with self._writing, self._reading:
            self._unlock()
            self._path = None
            self._reader = self._writer = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False
            )
            self._reading = self._writing
            _make_tables(self._writer, self._url)

    def _opened(self) -> bool:
        """Open the file; whether it can be used."""
        if self._path is None:
            return False
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock(self._path)
            if not self._is_usable(self._path) and not self._remove(self._path):
                return False
            self._writer = _connected(self._path)
            _prepare(self._writer, self._url)
            self._reader = _connected(self._path)
            self._reader.execute("SELECT count(*) FROM experiments").fetchone()
        except (OSError, sqlite3.Error):
            return False
        return True

    def _is_usable(self, path: Path) -> bool:
        """Whether the file is an index of this project and version, or not yet one."""
        if not path.exists():
            return True
        try:
            connection = _connected(path)
            try:
                if connection.execute("PRAGMA schema_version").fetchone() == (0,):
                    return True
                about = connection.execute("PRAGMA application_id").fetchone()
                version = connection.execute("PRAGMA user_version").fetchone()
                if (about, version) != ((_APPLICATION,), (_VERSION,)):
                    return False
                urls = connection.execute("SELECT url FROM project").fetchall()
                return urls == [(self._url,)]
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            # Another process may hold it for long: that is no reason to remove it.
            if "locked" in str(error) or "busy" in str(error):
                raise
            return False
        except (sqlite3.Error, UnicodeDecodeError):
            return False

    def _lock(self, path: Path) -> None:
        """Share the lock of the file: nothing removes a file that another process uses."""
        if self._lock_file is None:
            self._lock_file = lock_shared(path, self._about)

    def _unlock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _remove(self, path: Path) -> bool:
        """Remove the file; whether that could be done, as no other process uses it."""
        if self._lock_file is None:
            return False
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_files(path)
            fcntl.flock(self._lock_file, fcntl.LOCK_SH)
        except OSError:
            return False
        return True


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _prepare(connection: sqlite3.Connection, url: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA schema_version").fetchone() == (0,):
            _make_tables(connection, url)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _make_tables(connection: sqlite3.Connection, url: str) -> None:
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement)
    connection.execute("INSERT INTO project VALUES (?)", (url,))
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
