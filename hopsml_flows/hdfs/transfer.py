"""Copies between a project and this machine.

An existing local copy is used again only if neither it nor the project's file has changed since.
The notes on copies lie in the cache directory, not beside the user's files.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hopsml_flows.hdfs.copy_progress import show_copy
from hopsml_flows.hdfs.downloads import (
    PARALLEL,
    Copy,
    check_room,
    digest,
    fetch,
    version_of,
)
from hopsml_flows.hdfs.inputs import note_files
from hopsml_flows.hdfs.places import AnyPath, Place, place_of
from hopsml_flows.storage import FileInfo
from hopsml_flows.storage.cache_directory import cache_directory
from hopsml_flows.storage.retries import persistently

__all__ = ["copy_to_hdfs", "copy_to_local", "write_whole"]


def copy_to_hdfs(
    local_path: AnyPath,
    relative_hdfs_path: AnyPath,
    overwrite: bool = False,
    project: str | None = None,
) -> None:
    """Copy a local file or directory into the project.

    Args:
        local_path: The file or directory; relative to the working directory.
        relative_hdfs_path: Directory to copy it into. If nothing exists there, ``overwrite`` is
            false, and it has a slash inside and none at its end, it is the path of the copy.
        overwrite: Replace an existing copy.
        project: Name of another project.

    Raises:
        FileNotFoundError: The local file or directory does not exist.
        FileExistsError: The copy's path exists, and ``overwrite`` is false.
        NoSpaceError: The storage has not enough room.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import hdfs
        >>> _ = Path("table.csv").write_text("a,b")
        >>> hdfs.copy_to_hdfs("table.csv", "Resources", overwrite=True)
        >>> hdfs.load("Resources/table.csv")
        b'a,b'
    """
    source = Path(os.fsdecode(local_path)).absolute()
    if not source.exists():
        raise FileNotFoundError(f"local_path: there is no {source}")
    target = _target(source, relative_hdfs_path, project, overwrite=overwrite)
    files = [(source, target)]
    if source.is_dir():
        found = sorted(file for file in source.rglob("*") if file.is_file())
        files = [(file, target.below(file.relative_to(source).as_posix())) for file in found]
        target.project.make_directory(target.path)
    total = sum(file.stat().st_size for file, _ in files)
    check_room(total, target.project.free_bytes(), target.project.url)
    stale: set[str] = set()
    if overwrite and source.is_dir():
        stale = {info.name for info in target.project.walk_files(target.path)}
    with show_copy(f"{source} to {target.full}", total) as progress:

        def bring(file: Path, place: Place) -> None:
            told = progress.of(place.path) if progress else None
            persistently(lambda: place.project.upload(file, place.path, told))

        if len(files) == 1:
            bring(*files[0])
        else:
            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(bring, *zip(*files, strict=True)))
    for name in stale - {place.path for _, place in files}:
        target.project.remove(name)


def copy_to_local(
    hdfs_path: AnyPath,
    local_path: AnyPath = "",
    overwrite: bool = False,
    project: str | None = None,
) -> str:
    """Copy a file or directory of the project to this machine.

    An earlier copy that has changed on neither side is kept. Any other local file of that name is
    replaced.

    Args:
        hdfs_path: The file or directory.
        local_path: Local directory to copy it into; "" for the working directory.
        overwrite: Copy even what is unchanged.
        project: Name of another project.

    Returns:
        Absolute path of the copy.

    Raises:
        FileNotFoundError: The file or directory does not exist.
        IsADirectoryError: A local directory has the name of the file.
        NotADirectoryError: ``local_path`` is not a directory.
        NoSpaceError: The disk has not enough room.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Resources/notes.txt")
        >>> Path(hdfs.copy_to_local("Resources/notes.txt")).read_text()
        'hello'
    """
    place = place_of(hdfs_path, project)
    directory = Path(os.fsdecode(local_path)).absolute()
    if not directory.is_dir():
        raise NotADirectoryError(f"local_path: {directory} is not a directory on this machine")
    target = directory / place.name
    info = persistently(lambda: place.project.info(place.path))
    files = [info]
    if info.is_directory:
        files = persistently(lambda: list(place.project.walk_files(place.path)))
        copies = _prepare_copies(place, target, files)
    elif target.is_dir():
        raise IsADirectoryError(f"local_path: {target} is a directory")
    else:
        copies = [Copy(place, target, info.size)]
    wanted = [copy for copy in copies if overwrite or not _is_good(copy)]
    if wanted:
        keys = fetch(wanted, directory, f"{place.full} to {target}")
        for copy, key in zip(wanted, keys, strict=True):
            _Known(copy.place.full, key).note(copy.target)
    note_files(place.project, files)
    return str(target)


def write_whole(place: Place, write: Callable[[Path], object]) -> None:
    """Write a file of the project with a library that writes only local files.

    Args:
        place: The file. It appears, or is replaced, when it is whole.
        write: Writes the content to a local path with the file's name.
    """
    with tempfile.TemporaryDirectory(prefix="hopsml-written-") as directory:
        local = Path(directory) / place.name
        write(local)
        persistently(lambda: place.project.upload(local, place.path))


def _target(source: Path, path: AnyPath, project: str | None, *, overwrite: bool) -> Place:
    """Return the place in the project that a local file or directory is copied to."""
    place = place_of(path, project, argument="relative_hdfs_path")
    try:
        info = persistently(lambda: place.project.info(place.path))
    except FileNotFoundError:
        # HopsML's overwrite=True copies into the path. The first level of a project are its
        # datasets; on an object store, an empty one does not exist.
        into = overwrite or "/" not in place.path or os.fsdecode(path).endswith("/")
        return place.below(source.name) if into and place.name != source.name else place
    target = place.below(source.name) if info.is_directory else place
    if not overwrite and persistently(lambda: target.project.exists(target.path)):
        raise FileExistsError(f"{target.full} exists; overwrite=True replaces it")
    return target


def _prepare_copies(place: Place, target: Path, files: Iterable[FileInfo]) -> list[Copy]:
    start = len(place.path) + 1 if place.path else 0
    copies = [
        Copy(Place(place.project, file.name), target / file.name[start:], file.size)
        for file in files
    ]
    target.mkdir(exist_ok=True)
    for file in {*target.rglob("*")} - {copy.target for copy in copies}:
        if _Known.of(file) is not None:  # a copy of a file that is gone now
            file.unlink()
    return copies


def _is_good(copy: Copy) -> bool:
    """Whether a copy exists, and neither it nor the project's file has changed."""
    known = _Known.of(copy.target)
    if known is None or known.url != copy.place.full:
        return False
    return known.version == version_of(copy.place).key


@dataclass(frozen=True, slots=True)
class _Known:
    """The origin of a copy.

    Args:
        url: The file that was copied.
        version: The key of the version that was copied.
    """

    url: str
    version: str

    @classmethod
    def of(cls, copy: Path) -> _Known | None:
        """Return the origin of a local file; None if it is no copy, or has changed since."""
        try:
            found = copy.stat()
            noted = json.loads(_note_of(copy).read_text())
            if noted["copy"] == [str(copy), found.st_size, found.st_mtime_ns]:
                return cls(noted["url"], noted["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def note(self, copy: Path) -> None:
        """Note the origin of a copy."""
        with suppress(OSError):  # then the file is copied again next time
            found = copy.stat()
            told = {
                "copy": [str(copy), found.st_size, found.st_mtime_ns],
                "url": self.url,
                "version": self.version,
            }
            file = _note_of(copy)
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_name(f"{file.name}.{os.getpid()}")
            beside.write_text(json.dumps(told))
            beside.replace(file)


def _note_of(copy: Path) -> Path:
    return cache_directory() / "copies" / f"{digest(str(copy))}.json"
