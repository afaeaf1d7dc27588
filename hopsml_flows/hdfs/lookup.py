"""The verbs of ``hops.hdfs`` that look into the project and change nothing."""

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
    """Whether a file or directory exists.

    Args:
        hdfs_path: The path.
        project: Name of another project.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.exists("Resources/no-such-file")
        False
    """
    return info_of(place_of(hdfs_path, project)) is not None


def isdir(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Whether a path is an existing directory.

    Args:
        hdfs_path: The path.
        project: Name of another project.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.mkdir("Resources")
        >>> hdfs.isdir("Resources")
        True
    """
    info = info_of(place_of(hdfs_path, project))
    return info is not None and info.is_directory


def isfile(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Whether a path is an existing file.

    Args:
        hdfs_path: The path.
        project: Name of another project.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.mkdir("Resources")
        >>> hdfs.isfile("Resources")
        False
    """
    info = info_of(place_of(hdfs_path, project))
    return info is not None and not info.is_directory


def stat(hdfs_path: AnyPath, project: str | None = None) -> StatResult:
    """Describe a file or directory, with the names of ``os.stat`` where it has them.

    Args:
        hdfs_path: The path.
        project: Name of another project.

    Raises:
        FileNotFoundError: The path does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Resources/notes.txt")
        >>> status = hdfs.stat("Resources/notes.txt")
        >>> status.kind, status.st_size
        ('file', 5)
    """
    place = place_of(hdfs_path, project)
    return status_of(place, place.project.info(place.path))


def ls(
    hdfs_path: AnyPath,
    recursive: bool = False,
    exclude_nn_addr: bool = False,
    project: str | None = None,
) -> list[str]:
    """List the full paths of a directory's entries; for a file, its own.

    Args:
        hdfs_path: The directory.
        recursive: List everything below the directory.
        exclude_nn_addr: Accepted for programs written for HopsML; has no effect.
        project: Name of another project.

    Raises:
        FileNotFoundError: The directory does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Lists/a.txt")
        >>> hdfs.dump("2", "Lists/b.txt")
        >>> [path.rpartition("/")[2] for path in hdfs.ls("Lists")]
        ['a.txt', 'b.txt']
    """
    del exclude_nn_addr
    return [place.full for place, _ in _list(place_of(hdfs_path, project), recursive)]


def lsl(
    hdfs_path: AnyPath, recursive: bool = False, project: str | None = None
) -> list[dict[str, Any]]:
    """Describe each entry of a directory.

    Args:
        hdfs_path: The directory.
        recursive: Describe everything below the directory.
        project: Name of another project.

    Returns:
        One dict per entry with ``name``, ``kind``, ``size`` (bytes), ``last_mod`` and
        ``last_access`` (seconds since 1970), ``permissions``, ``owner``, ``group``, ``replication``
        and ``block_size`` (bytes). A value is None where the storage does not say.

    Raises:
        FileNotFoundError: The directory does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Described/notes.txt")
        >>> [(entry["kind"], entry["size"]) for entry in hdfs.lsl("Described")]
        [('file', 5)]
    """
    return [
        status_of(place, info).as_dict()
        for place, info in _list(place_of(hdfs_path, project), recursive)
    ]


def glob(hdfs_path: AnyPath, recursive: bool = False, project: str | None = None) -> list[str]:
    """List the full paths that match a pattern, sorted.

    Args:
        hdfs_path: A path in which ``*``, ``?`` and ``[…]`` match within a part, and the part ``**``
            matches any number of parts.
        recursive: Look for the last part of the pattern in all directories below the other parts.
        project: Name of another project.

    Raises:
        FileNotFoundError: The directory before the last part has no wildcards, and does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Globs/one.csv")
        >>> [path.rpartition("/")[2] for path in hdfs.glob("Globs/*.csv")]
        ['one.csv']
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
    """Whether a path can be read or written, as ``os.access``.

    Remote storage is tried: by reading a byte, and by writing an empty file beside the path.

    Args:
        hdfs_path: The path.
        mode: ``os.F_OK``, or a sum of ``os.R_OK``, ``os.W_OK`` and ``os.X_OK``. Also the mode of a
            file, as HopsML's programs write it: ``0o755``, ``755`` or ``"755"``. Each right that it
            gives to owner, group or others is asked for.
        project: Name of another project.

    Example:
        >>> import os
        >>> from hopsml_flows import hdfs
        >>> hdfs.access("Resources/no-such-file", os.F_OK)
        False
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
        # A refusal of HDFS, by clients without its class.
        if "AccessControlException" in str(error):
            return False
        raise
    return True


# As octal numbers these would be unusual modes; their decimal digits are meant.
_WRITTEN_AS_DIGITS = frozenset({400, 440, 444, 500})


def _of_caller(mode: object) -> int:
    """Return the rights in a mode, as a sum of ``os.R_OK``, ``os.W_OK`` and ``os.X_OK``."""
    bits = -1
    if isinstance(mode, str) and re.fullmatch("(0o?)?[0-7]{1,4}", mode):
        bits = int(mode.removeprefix("0o"), 8)
    elif isinstance(mode, int) and not isinstance(mode, bool):
        # 777 means 0o777, and is greater than it.
        digits = str(mode)
        as_digits = mode > 0o777 or mode in _WRITTEN_AS_DIGITS
        if as_digits and re.fullmatch("[0-7]{3,4}", digits):
            bits = int(digits, 8)
        elif mode < 8 or 0o77 < mode <= 0o777:  # between them, no mode has three octal digits
            bits = mode
    if not 0 <= bits <= 0o7777:
        raise InvalidArgumentError(
            "mode", mode, "must be os.F_OK, a sum of os.R_OK, W_OK and X_OK, or like 0o755"
        )
    return (bits | bits >> 3 | bits >> 6) & 7


def info_of(place: Place) -> FileInfo | None:
    """Describe a place; None if it does not exist."""
    try:
        return place.project.info(place.path)
    except (FileNotFoundError, NotADirectoryError):  # the latter: its directory's path is a file
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
