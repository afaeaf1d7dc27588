"""The interface that every kind of storage implements, and the values that cross it.

A new kind is a class with these methods, an entry in ``connection.py`` and an entry in the
conformance tests.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = ["FileInfo", "Files", "Progress", "is_temporary", "temporary_beside"]

Progress = Callable[[int, int], None]
"""Called during a copy and at its end, with the bytes copied so far and the bytes in total."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or directory of a project.

    Args:
        name: Its path, relative to the project's root.
        size: Bytes; 0 for a directory.
        is_directory: Whether it is a directory.
        modified: Time of the last write in seconds since 1970. None where the storage has none
            (directories of object stores).
    """

    name: str
    size: int
    is_directory: bool
    modified: float | None


class Files(Protocol):
    """The files below a root. Paths are relative to it, with ``/`` between parts; "" means it."""

    def check_writable(self) -> None:
        """Raise an error if the root cannot be written; write nothing."""

    def make_directory(self, path: str) -> None:
        """Create a directory and its parents; it may exist already."""

    def replace(self, path: str, content: bytes) -> None:
        """Write a whole file: readers see either the old content or the new."""

    def append(self, path: str, content: bytes) -> None:
        """Append to a file, and create it if it does not exist."""

    def create(self, path: str, content: bytes) -> None:
        """Write a new file; raise FileExistsError if it exists."""

    def read(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's bytes from ``start`` to before ``stop``; fewer if the file is shorter."""

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file."""

    def info(self, path: str) -> FileInfo:
        """Describe a file or directory; raise FileNotFoundError if it does not exist."""

    def exists(self, path: str) -> bool:
        """Whether a file or directory exists."""

    def entries(self, path: str) -> list[FileInfo]:
        """List a directory, in any order; raise FileNotFoundError if it does not exist."""

    def walk_files(self, path: str) -> Iterator[FileInfo]:
        """Yield all files below a directory, in any order; none if it does not exist."""

    def remove(self, path: str, *, recursive: bool) -> None:
        """Remove a file or directory; raise FileNotFoundError if it does not exist."""

    def rename(self, source: str, target: str) -> None:
        """Rename a file or directory, and replace a file that has the new name."""

    def copy_file(self, source: str, target: str) -> None:
        """Copy a file within the storage."""

    def upload(self, source: Path, path: str, progress: Progress | None) -> None:
        """Copy a local file to the storage; its directory exists."""

    def download(self, path: str, target: Path, progress: Progress | None) -> None:
        """Copy a file to a local path that no other process uses."""

    def free_bytes(self) -> int | None:
        """Return the free bytes, or None where the storage does not say."""


_PREFIX = ".hopsml-"
_SUFFIX = ".tmp"
_counter = itertools.count()
_process = uuid.uuid4().hex


def temporary_beside(path: str) -> str:
    """Return an unused name in the same directory, for what is renamed when it is whole.

    The name does not contain the target's: TensorBoard reads every file with "tfevents" in its
    name as an event file.

    Args:
        path: The file or directory that it will become.
    """
    directory, slash, _ = path.rpartition("/")
    # With the process number: a forked child shares the rest.
    return f"{directory}{slash}{_PREFIX}{_process}-{os.getpid()}-{next(_counter)}{_SUFFIX}"


def is_temporary(name: str) -> bool:
    """Whether a name comes from :func:`temporary_beside`. Listings leave such files out."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)
