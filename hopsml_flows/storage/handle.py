"""What lies behind a project: its fsspec file system, and what tells two contents apart."""

from __future__ import annotations

import hashlib
from typing import Any

from hopsml_flows.storage.connect import connected
from hopsml_flows.storage.project import Project

__all__ = ["content_version", "file_system"]

# Reading a file changes these, and not its content.
_OF_READING = frozenset({"accessTime", "atime", "time_accessed", "last_accessed"})


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
    return connected(protocol, project.url, project.storage_options)._fs  # type: ignore[attr-defined]  # noqa: SLF001 - a module of the same package


def content_version(project: Project, path: str) -> str:
    """A text that changes when a file's content does.

    It is made of all that the storage says of the file without reading it: size, time, and where
    there are such things its ETag, inode or identifier.

    Args:
        project: The project.
        path: A file of it.

    Raises:
        FileNotFoundError: There is none.
    """
    if project.local_root is not None:
        found = (project.local_root / path).stat()
        told = [("size", found.st_size), ("mtime", found.st_mtime_ns), ("inode", found.st_ino)]
    else:
        info = file_system(project).info(project.full(path))
        told = sorted((key, value) for key, value in info.items() if key not in _OF_READING)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
