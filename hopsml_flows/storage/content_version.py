"""What lies behind a project: its fsspec file system, and what tells two contents apart."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hopsml_flows.storage.connection import connect
from hopsml_flows.storage.project import Project

__all__ = ["DOUBT_SECONDS", "Version", "content_version", "file_system"]

# Reading a file changes these, and not its content.
_OF_READING = frozenset({"accessTime", "atime", "time_accessed", "last_accessed"})

# Any of these is new with every content.
_PRECISE = ("ETag", "etag", "fileId", "generation", "md5Hash", "created")

DOUBT_SECONDS = 10.0
"""For so long after a file was written, its time alone does not tell two contents apart."""


def file_system(project: Project) -> Any:
    """The fsspec file system that holds a project.

    Args:
        project: The project.
    """
    if project.local_root is not None:
        import fsspec  # here, so that importing this package stays light

        return fsspec.filesystem("file")
    protocol = project.url.partition("://")[0]
    # fsspec keeps instances: this is the one that the project itself uses.
    return connect(protocol, project.url, project.storage_options)._fs  # type: ignore[attr-defined]  # noqa: SLF001 - a module of the same package


@dataclass(frozen=True, slots=True)
class Version:
    """Which content a file has.

    Args:
        text: Differs from that of another content, as far as the storage says what it has.
        settled: Whether a later content is sure to have another text.
    """

    text: str
    settled: bool

    @property
    def key(self) -> str:
        """What a copy of the content may be found by again; nothing is, where that is unsure."""
        return self.text if self.settled else f"{self.text[:16]}{uuid4().hex[:16]}"


def content_version(project: Project, path: str) -> Version:
    """Find out which content a file has, without reading it.

    The version is made of all that the storage says: size, time, and where there are such things
    its ETag, inode or identifier. libhdfs says only in which second a file was written: the
    version is settled when that is over for certain, clocks being what they are.

    Args:
        project: The project.
        path: A file of it.

    Raises:
        FileNotFoundError: There is none.
    """
    if project.local_root is not None:
        found = (project.local_root / path).stat()
        told = [("size", found.st_size), ("mtime", found.st_mtime_ns), ("inode", found.st_ino)]
        return Version(_digest(told), settled=True)
    info = file_system(project).info(project.full(path))
    told = sorted((key, value) for key, value in info.items() if key not in _OF_READING)
    settled = any(info.get(key) for key in _PRECISE)
    if not settled:
        modified = project.info(path).modified
        settled = modified is not None and time.time() - modified > DOUBT_SECONDS
    return Version(_digest(told), settled)


def _digest(told: object) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
