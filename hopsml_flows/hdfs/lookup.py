"""What there is in the project: ``hops.hdfs``'s verbs that change nothing."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.hdfs.places import AnyPath, Place, place_of
from hopsml_flows.hdfs.status import StatResult, status_of
from hopsml_flows.storage import FileInfo

__all__ = ["access", "exists", "glob", "info_of", "isdir", "isfile", "ls", "lsl", "stat"]


def exists(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Whether there is a file or directory.

    Args:
        hdfs_path: Where.
        project: Name of another project.
    """
    return info_of(place_of(hdfs_path, project)) is not None


def isdir(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Whether there is a directory.

    Args:
        hdfs_path: Where.
        project: Name of another project.
    """
    info = info_of(place_of(hdfs_path, project))
    return info is not None and info.is_directory


def isfile(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Whether there is a file.

    Args:
        hdfs_path: Where.
        project: Name of another project.
    """
    info = info_of(place_of(hdfs_path, project))
    return info is not None and not info.is_directory


def stat(hdfs_path: AnyPath, project: str | None = None) -> StatResult:
    """What is known of a file or directory, as far as possible with the names of ``os.stat``.

    Args:
        hdfs_path: Which.
        project: Name of another project.

    Raises:
        FileNotFoundError: There is none.
    """
    place = place_of(hdfs_path, project)
    return status_of(place, place.project.info(place.path))


def ls(
    hdfs_path: AnyPath,
    recursive: bool = False,
    exclude_nn_addr: bool = False,
    project: str | None = None,
) -> list[str]:
    """Full paths of what is in a directory; of a file, its own.

    Args:
        hdfs_path: The directory.
        recursive: All that is below it.
        exclude_nn_addr: Accepted for programs written for HopsML; has no effect.
        project: Name of another project.

    Raises:
        FileNotFoundError: There is no such directory.
    """
    del exclude_nn_addr
    return [place.full for place, _ in _list(place_of(hdfs_path, project), recursive)]


def lsl(
    hdfs_path: AnyPath, recursive: bool = False, project: str | None = None
) -> list[dict[str, Any]]:
    """What is known of all that is in a directory.

    Args:
        hdfs_path: The directory.
        recursive: All that is below it.
        project: Name of another project.

    Returns:
        Dicts with ``name``, ``kind``, ``size``, ``last_mod``, ``last_access``, ``permissions``,
        ``owner``, ``group``, ``replication`` and ``block_size``; None is what the storage does not
        say.

    Raises:
        FileNotFoundError: There is no such directory.
    """
    return [
        status_of(place, info).as_dict()
        for place, info in _list(place_of(hdfs_path, project), recursive)
    ]


def glob(hdfs_path: AnyPath, recursive: bool = False, project: str | None = None) -> list[str]:
    """Full paths that match a pattern, sorted.

    Args:
        hdfs_path: A path with ``*``, ``?`` and ``[…]``, which match within a part, and ``**``, any
            number of parts.
        recursive: Look for the last part of the pattern in all directories below the others.
        project: Name of another project.

    Raises:
        FileNotFoundError: The directory before the first wildcard does not exist.
    """
    place = place_of(hdfs_path, project)
    above = place.parent
    if not any(sign in above for sign in "*?[") and not isdir(place.project.full(above)):
        raise FileNotFoundError(f"there is no directory {place.project.full(above)}")
    if not recursive:
        return [place.project.full(name) for name in place.project.glob(place.path)]
    pattern = place.path.rpartition("/")[2]
    found = place.project.glob(f"{above}/**" if above else "**")
    matching = [name for name in found if fnmatchcase(name.rpartition("/")[2], pattern)]
    return [place.project.full(name) for name in matching]


def access(hdfs_path: AnyPath, mode: int | str, project: str | None = None) -> bool:
    """Whether something can be read or written, as ``os.access`` tells.

    Storage that is not local is asked by trying: reading a byte, writing an empty file beside.

    Args:
        hdfs_path: What.
        mode: ``os.F_OK``, or a sum of ``os.R_OK``, ``os.W_OK`` and ``os.X_OK``; also a mode of
            files, as HopsML's programs write it: ``0o755``, ``755`` or ``"755"``. Of that counts
            what it allows to anyone.
        project: Name of another project.
    """
    mode = _of_caller(mode)
    place = place_of(hdfs_path, project)
    if place.project.local_root is not None:
        return os.access(place.full, mode)
    info = info_of(place)
    if info is None or (mode & os.X_OK and not info.is_directory):
        return False
    try:
        if mode & (os.R_OK | os.X_OK):
            _try_reading(place, info)
        if mode & os.W_OK:
            _try_writing(place, info)
    except PermissionError:
        return False
    except OSError as error:
        if "AccessControlException" in str(error):  # HDFS, by clients without an error of their own
            return False
        raise
    return True


# As octal numbers these would be odd; they are what the digits say.
_WRITTEN_AS_DIGITS = frozenset({400, 440, 444, 500})


def _of_caller(mode: object) -> int:
    """What of reading, writing and executing a mode is about."""
    bits = -1
    if isinstance(mode, str) and re.fullmatch("(0o?)?[0-7]{1,4}", mode):
        bits = int(mode.removeprefix("0o"), 8)
    elif isinstance(mode, int) and not isinstance(mode, bool):
        # 777 is written for 0o777, and greater than it.
        digits = str(mode)
        as_digits = mode > 0o777 or mode in _WRITTEN_AS_DIGITS
        if as_digits and re.fullmatch("[0-7]{3,4}", digits):
            bits = int(digits, 8)
        elif mode < 8 or 0o77 < mode <= 0o777:  # between them no mode has all its digits
            bits = mode
    if not 0 <= bits <= 0o7777:
        raise InvalidArgumentError(
            "mode", mode, "must be os.F_OK, a sum of os.R_OK, W_OK and X_OK, or like 0o755"
        )
    return (bits | bits >> 3 | bits >> 6) & 7


def info_of(place: Place) -> FileInfo | None:
    """What the storage says of a place, or None where there is nothing."""
    try:
        return place.project.info(place.path)
    except (FileNotFoundError, NotADirectoryError):  # a file where a directory would be
        return None


def _try_reading(place: Place, info: FileInfo) -> None:
    if info.is_directory:
        place.project.entries(place.path)
        return
    with place.project.open(place.path) as file:
        file.read(1)


def _try_writing(place: Place, info: FileInfo) -> None:
    directory = place.path if info.is_directory else place.parent
    probe = Place(place.project, directory).below(f".hopsml-{uuid4().hex}.tmp").path
    place.project.replace(probe, b"")
    place.project.remove(probe)


def _list(place: Place, recursive: bool) -> list[tuple[Place, FileInfo]]:
    info = place.project.info(place.path)
    if not info.is_directory:
        return [(place, info)]
    found = []
    for entry in place.project.entries(place.path):
        below = Place(place.project, entry.name)
        found.append((below, entry))
        if recursive and entry.is_directory:
            found += _list(below, recursive)
    return found
