"""Local paths of a project's files, for programs that can read only those.

The cache keeps each copy under the version of its file. A file that has changed gets another copy;
an existing copy is never written to, so processes can read it meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from hopsml_flows.hdfs.downloads import PARALLEL, Copy, digest, fetch, version_of
from hopsml_flows.hdfs.inputs import note_files
from hopsml_flows.hdfs.places import AnyPath, Place, place_of
from hopsml_flows.storage import FileInfo
from hopsml_flows.storage.cache_directory import cache_directory
from hopsml_flows.storage.retries import persistently

__all__ = ["local_path", "local_paths"]

_KEEP_SECONDS = 24 * 3600.0
"""Age at which an unused copy of an older version is removed."""


def local_path(hdfs_path: AnyPath, project: str | None = None) -> str:
    """Return a local path of a file of the project.

    On a local project this is the file itself. Elsewhere it is a copy in a cache, which is used
    again while the project's file is unchanged. Use it for libraries that read local paths, such
    as TensorFlow where it does not support the storage::

        tf.data.TFRecordDataset(hdfs.local_path("Resources/train.tfrecords"))

    Args:
        hdfs_path: The file. Do not write to its copy.
        project: Name of another project.

    Returns:
        An absolute path.

    Raises:
        FileNotFoundError: The file does not exist.
        IsADirectoryError: The path is a directory; use ``local_paths``.
        NoSpaceError: The disk has not enough room.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Resources/notes.txt")
        >>> Path(hdfs.local_path("Resources/notes.txt")).read_text()
        'hello'
    """
    place = place_of(hdfs_path, project)
    info = persistently(lambda: place.project.info(place.path))
    if info.is_directory:
        raise IsADirectoryError(f"{place.full} is a directory: hdfs.local_paths() gives its files")
    (path,) = _cache_files(place, [info])
    note_files(place.project, [info])
    return path


def local_paths(hdfs_path: AnyPath, project: str | None = None) -> list[str]:
    """Return local paths of the files that match a pattern, or of all files below a directory.

    Args:
        hdfs_path: A pattern, such as ``Resources/train-*.tfrecords``, a directory, or a file.
        project: Name of another project.

    Returns:
        Absolute paths, in the order of the files' names; see :func:`local_path`.

    Raises:
        FileNotFoundError: No file matches.
        NoSpaceError: The disk has not enough room.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Parts/part-0.txt")
        >>> hdfs.dump("2", "Parts/part-1.txt")
        >>> [Path(path).read_text() for path in hdfs.local_paths("Parts/part-*.txt")]
        ['1', '2']
    """
    place = place_of(hdfs_path, project)
    files = sorted(persistently(lambda: _files(place)), key=lambda file: file.name)
    if not files:
        raise FileNotFoundError(f"no file matches {place.full}")
    paths = _cache_files(place, files)
    note_files(place.project, files)
    return paths


def _files(place: Place) -> list[FileInfo]:
    project = place.project
    try:
        info = project.info(place.path)
    except FileNotFoundError:
        matching = [project.info(name) for name in project.glob(place.path)]
        return [info for info in matching if not info.is_directory]
    return list(project.walk_files(place.path)) if info.is_directory else [info]


def _cache_files(place: Place, files: Sequence[FileInfo]) -> list[str]:
    """Return local paths of files; copy those to the cache that it lacks."""
    local = place.project.local_root
    if local is not None:
        return [str(local / file.name) for file in files]
    cache = cache_directory() / "files"
    cache.mkdir(parents=True, exist_ok=True)
    places = [Place(place.project, file.name) for file in files]
    with _only_one(cache / f"{digest(place.full)}.lock"):
        with ThreadPoolExecutor(PARALLEL) as pool:
            versions = list(pool.map(version_of, places))
        copies = [
            Copy(one, cache / digest(one.full) / version.key / one.name, file.size)
            for one, version, file in zip(places, versions, files, strict=True)
        ]
        missing = [copy for copy in copies if not copy.target.exists()]
        if missing:
            fetch(missing, cache, f"{place.full} to {cache}")
    for copy in copies:
        _drop_older(copy.target.parent)
    return [str(copy.target) for copy in copies]


def _drop_older(version: Path) -> None:
    """Remove other versions of a cached file, unless a process may still read them."""
    with suppress(OSError):
        os.utime(version)
        for other in version.parent.iterdir():
            if other != version and time.time() - other.stat().st_mtime > _KEEP_SECONDS:
                shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Let one process at a time copy the same files: trials start on many workers together."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system releases it, also when a process dies
        yield
