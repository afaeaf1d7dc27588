"""Bringing files of a project to this machine, if there is room, and each of them whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hopsml_flows.errors import NoSpaceError
from hopsml_flows.hdfs.copy_progress import readable, show_copy
from hopsml_flows.hdfs.places import Place
from hopsml_flows.storage.content_version import Version, content_version
from hopsml_flows.storage.retries import persistently

if TYPE_CHECKING:
    from hopsml_flows.storage import Progress

__all__ = [
    "CACHE_VARIABLE",
    "PARALLEL",
    "Copy",
    "cache_directory",
    "check_room",
    "digest",
    "fetch",
    "version_of",
]

CACHE_VARIABLE = "HOPSML_CACHE"
"""Environment variable that names the directory for cached copies, and what is known of copies."""

PARALLEL = 4
"""Files that are copied at a time: most are small, and wait for answers."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of a project, and where on this machine its copy is or will be.

    Args:
        place: The file.
        target: The local path.
        size: Its bytes.
    """

    place: Place
    target: Path
    size: int

    def fetch(self, progress: Progress | None = None) -> str:
        """Copy the file; again where it changed under the copy.

        Args:
            progress: Who is told how far it is.

        Returns:
            The key of the version that was copied.
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
        directory: Directory that will hold all of them.
        what: What is copied, and where to, for people.

    Returns:
        The keys of the versions that were copied.

    Raises:
        NoSpaceError: There is not enough room for all; nothing was copied.
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
    """See to it that a copy fits.

    Args:
        wanted: Its bytes.
        free: Bytes there are; None where that is not known.
        where: Where, for people.

    Raises:
        NoSpaceError: It does not.
    """
    if free is not None and wanted > free:
        raise NoSpaceError(f"{readable(wanted)} to copy, and only {readable(free)} free in {where}")


def version_of(place: Place) -> Version:
    """Which content a file has."""
    return persistently(lambda: content_version(place.project, place.path))


def cache_directory() -> Path:
    """Where cached copies lie: ``HOPSML_CACHE``, else the user's cache, else temporary files."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).absolute()
    try:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hopsml"
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            return directory
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        pass
    return Path(tempfile.gettempdir()) / f"hopsml-cache-{os.getuid()}"


def digest(text: str) -> str:
    """A name for a file that stands for a text."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
