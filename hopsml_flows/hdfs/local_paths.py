"""Files of a project as local paths, for programs that read nothing else.

Copies lie in a cache under the version of the file they were made of: a file that has changed is
another copy, and a copy that somebody reads is never written to.
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

from hopsml_flows.hdfs.downloads import PARALLEL, Copy, cache_directory, digest, fetch, version_of
from hopsml_flows.hdfs.places import AnyPath, Place, place_of
from hopsml_flows.storage import FileInfo
from hopsml_flows.storage.retries import persistently

__all__ = ["local_path", "local_paths"]

_KEEP_SECONDS = 24 * 3600.0
"""An older version of a file is removed when nobody has asked for it for so long."""


def local_path(hdfs_path: AnyPath, project: str | None = None) -> str:
    """A file of the project as a path that anything on this machine can read.

    On a local project that is the file itself; elsewhere a copy in a cache, which is used again
    as long as the project's file has not changed. It is for programs that read paths, as
    TensorFlow does where it knows no such storage::

        tf.data.TFRecordDataset(hdfs.local_path("Resources/train.tfrecords"))

    Args:
        hdfs_path: The file. Its copy is only to be read.
        project: Name of another project.

    Returns:
        An absolute path.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a directory; ``local_paths`` takes these.
        NoSpaceError: The disk has not enough room.
    """
    place = place_of(hdfs_path, project)
    info = persistently(lambda: place.project.info(place.path))
    if info.is_directory:
        raise IsADirectoryError(f"{place.full} is a directory: hdfs.local_paths() gives its files")
    return _cache_files(place, [info])[0]


def local_paths(hdfs_path: AnyPath, project: str | None = None) -> list[str]:
    """The files that match a pattern, or all of a directory, as paths on this machine.

    Args:
        hdfs_path: A pattern, such as ``Resources/train-*.tfrecords``, a directory, or a file.
        project: Name of another project.

    Returns:
        Absolute paths, in the order of the files' names; see :func:`local_path`.

    Raises:
        FileNotFoundError: There is none.
        NoSpaceError: The disk has not enough room.
    """
    place = place_of(hdfs_path, project)
    files = sorted(persistently(lambda: _files(place)), key=lambda file: file.name)
    if not files:
        raise FileNotFoundError(f"no file matches {place.full}")
    return _cache_files(place, files)


def _files(place: Place) -> list[FileInfo]:
    project = place.project
    try:
        info = project.info(place.path)
    except FileNotFoundError:
        matching = [project.info(name) for name in project.glob(place.path)]
        return [info for info in matching if not info.is_directory]
    return list(project.walk_files(place.path)) if info.is_directory else [info]


def _cache_files(place: Place, files: Sequence[FileInfo]) -> list[str]:
    """Local paths of files, copied to the cache where they are not there."""
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
    """Remove other versions of a cached file, unless somebody may still read them."""
    with suppress(OSError):
        os.utime(version)
        for other in version.parent.iterdir():
            if other != version and time.time() - other.stat().st_mtime > _KEEP_SECONDS:
                shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Let one process at a time copy the same files: workers start their trials together."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system releases it, also when a process dies
        yield
