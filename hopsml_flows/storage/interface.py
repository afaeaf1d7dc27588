"""What every kind of storage does for a project, and the values that cross that seam.

A new kind is a class with these methods, an entry in ``connect.py`` and an entry in the
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
"""Called with the bytes that are copied and the bytes there are, now and then and at the end."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or directory of a project.

    Args:
        name: Its path, relative to the project's root.
        size: Bytes; 0 for a directory.
        is_directory: Whether it is a directory.
        modified: When it was last written, in seconds since 1970, or None where the storage does
            not say (directories of object stores).
    """

    name: str
    size: int
    is_directory: bool
    modified: float | None


class Files(Protocol):
    """Files below a root. Paths are relative to it, with ``/`` between parts; "" is the root."""

    def check_writable(self) -> None:
        """Raise what keeps the root from being written; write nothing."""

    def make_directory(self, path: str) -> None:
        """Create a directory and its parents; one that exists is fine."""

    def replace(self, path: str, content: bytes) -> None:
        """Write a file whole: readers see the old content or the new."""

    def append(self, path: str, content: bytes) -> None:
        """Add to the end of a file, or make it."""

    def create(self, path: str, content: bytes) -> None:
        """Write a file that does not exist; raise FileExistsError if it does."""

    def read(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Content of a file, or the bytes from ``start`` to before ``stop``, as far as it has."""

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file."""

    def info(self, path: str) -> FileInfo:
        """Describe a file or directory; raise FileNotFoundError if there is none."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""

    def entries(self, path: str) -> list[FileInfo]:
        """What is in a directory, in any order; raise FileNotFoundError if there is none."""

    def walk_files(self, path: str) -> Iterator[FileInfo]:
        """All files below a directory, in any order; nothing if there is none."""

    def remove(self, path: str, *, recursive: bool) -> None:
        """Remove a file, or a directory; raise FileNotFoundError if there is none."""

    def rename(self, source: str, target: str) -> None:
        """Rename a file or directory; a file that has the name goes."""

    def copy_file(self, source: str, target: str) -> None:
        """Copy a file inside the storage."""

    def upload(self, source: Path, path: str, progress: Progress | None) -> None:
        """Copy a local file here; its directory exists."""

    def download(self, path: str, target: Path, progress: Progress | None) -> None:
        """Copy a file from here to a local path, which nobody else uses."""

    def free_bytes(self) -> int | None:
        """Room that is left, or None where the storage does not say."""


_PREFIX = ".hopsml-"
_SUFFIX = ".tmp"
_counter = itertools.count()
_process = uuid.uuid4().hex


def temporary_beside(path: str) -> str:
    """A name in the same directory that nobody else uses, for what is renamed when it is whole.

    It does not contain the file's own name: TensorBoard takes for an event file whatever has
    "tfevents" in it.

    Args:
        path: The file that will be replaced.
    """
    directory, slash, _ = path.rpartition("/")
    # The process identifier too: the rest is the same in a forked child.
    return f"{directory}{slash}{_PREFIX}{_process}-{os.getpid()}-{next(_counter)}{_SUFFIX}"


def is_temporary(name: str) -> bool:
    """Whether a file's name is one of :func:`temporary_beside`; listings leave these out."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)
