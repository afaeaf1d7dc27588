"""A project's fsspec file system, and the version of a file's content."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hopsml_flows.storage.connection import connect
from hopsml_flows.storage.project import Project

__all__ = ["DOUBT_SECONDS", "Version", "content_version", "file_system"]

# A read changes these, but not the content.
_OF_READING = frozenset({"accessTime", "atime", "time_accessed", "last_accessed"})

# Each of these changes with every new content.
_PRECISE = ("ETag", "etag", "fileId", "generation", "md5Hash", "created")

DOUBT_SECONDS = 10.0
"""Seconds after a write in which the file's time alone may not tell two contents apart."""


def file_system(project: Project) -> Any:
    """Return the fsspec file system that holds a project.

    Args:
        project: The project.
    """
    if project.local_root is not None:
        import fsspec  # here, so that importing this package stays light

        return fsspec.filesystem("file")
    protocol = project.url.partition("://")[0]
    # fsspec caches instances: this is the one that the project uses.
    return connect(protocol, project.url, project.storage_options)._fs  # type: ignore[attr-defined]  # noqa: SLF001 - a module of the same package


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a file's content.

    Args:
        text: Differs between two contents, as far as the storage tells them apart.
        settled: Whether every later content is certain to have another ``text``.
        size: Bytes of the file; None if storage does not say.
    """

    text: str
    settled: bool
    size: int | None = None

    @property
    def key(self) -> str:
        """Cache key for a copy. Unique on every call if the version is not settled."""
        return self.text if self.settled else f"{self.text[:16]}{uuid4().hex[:16]}"


def content_version(project: Project, path: str) -> Version:
    """Return the version of a file's content, without reading the file.

    The version is a digest of all that the storage says: size, time, and its ETag, inode or
    identifier where it has one. libhdfs gives the time of a write in whole seconds only. There a
    version counts as settled ``DOUBT_SECONDS`` after the write, which allows for clocks that
    differ.

    Args:
        project: The project.
        path: The file, relative to the project's root.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    if project.local_root is not None:
        found = os.stat(f"{project.local_root}/{path}")  # thousands at a time: no path objects
        told = [("size", found.st_size), ("mtime", found.st_mtime_ns), ("inode", found.st_ino)]
        return Version(_digest(told), settled=True, size=found.st_size)
    info = file_system(project).info(project.full(path))
    told = sorted((key, value) for key, value in info.items() if key not in _OF_READING)
    settled = any(info.get(key) for key in _PRECISE)
    if not settled:
        modified = project.info(path).modified
        settled = modified is not None and time.time() - modified > DOUBT_SECONDS
    size = info.get("size")
    return Version(_digest(told), settled, size if isinstance(size, int) else None)


def _digest(told: object) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
