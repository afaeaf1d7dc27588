"""Copies files of a project to this machine, each from a single version, if there is room."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hopsml_flows.errors import NoSpaceError
from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.hdfs.copy_progress import show_copy
from hopsml_flows.hdfs.places import Place
from hopsml_flows.storage.content_version import Version, content_version
from hopsml_flows.storage.retries import persistently

if TYPE_CHECKING:
    from hopsml_flows.storage import Progress

__all__ = [
    "PARALLEL",
    "Copy",
    "check_room",
    "digest",
    "fetch",
    "version_of",
]

PARALLEL = 4
"""Files that are copied at the same time: most are small, and wait for answers."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of a project, and the local path of its copy, which may not exist yet.

    Args:
        place: The file.
        target: The local path.
        size: The file's bytes.
    """

    place: Place
    target: Path
    size: int

    def fetch(self, progress: Progress | None = None) -> str:
        """Copy the file, and again if it changes meanwhile.

        Args:
            progress: Called with the progress.

        Returns:
            The key of the copied version.

        Raises:
            OSError: The file changed during every try.
        """
        project, path = self.place.project, self.place.path
        for _ in range(_TRIES):
            version = version_of(self.place)
            persistently(partial(project.download, path, self.target, progress))
            if version_of(self.place).text == version.text:
                return version.key
        raise OSError(f"{self.place.full} changes faster than it can be copied")


def fetch(copies: Sequence[Copy], directory: Path, what: str) -> list[str]:
    """Copy files to this machine.

    Args:
        copies: The files.
        directory: A directory above all targets; its disk must have room.
        what: Source and target, for people.

    Returns:
        The keys of the copied versions.

    Raises:
        NoSpaceError: The disk has not enough room for all; nothing was copied.
    """
    total = sum(copy.size for copy in copies)
    check_room(total, shutil.disk_usage(directory).free, str(directory))
    for parent in {copy.target.parent for copy in copies}:
        parent.mkdir(parents=True, exist_ok=True)
    with show_copy(what, total) as progress:
        told = [progress.of(copy.place.path) if progress else None for copy in copies]
        if len(copies) == 1:
            return [copies[0].fetch(told[0])]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(Copy.fetch, copies, told))


def check_room(wanted: int, free: int | None, where: str) -> None:
    """Check that a copy fits.

    Args:
        wanted: Bytes to copy.
        free: Bytes that are free; None if unknown, which passes.
        where: The target, for people.

    Raises:
        NoSpaceError: The copy does not fit.
    """
    if free is not None and wanted > free:
        raise NoSpaceError(
            f"{size_text(wanted)} to copy, and only {size_text(free)} free in {where}"
        )


def version_of(place: Place) -> Version:
    """Return the version of a file's content."""
    return persistently(lambda: content_version(place.project, place.path))


def digest(text: str) -> str:
    """Return a file name that stands for a text: half of its SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
