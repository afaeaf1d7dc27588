"""The verbs of ``hops.hdfs`` that make, remove, copy, move, and change owners and permissions."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, UnsupportedOperationError
from hopsml_flows.hdfs.lookup import info_of, isdir
from hopsml_flows.hdfs.places import AnyPath, Place, place_of, shared_root
from hopsml_flows.storage.content_version import file_system

__all__ = ["chmod", "chown", "cp", "delete", "mkdir", "move", "rename", "rmr"]


def mkdir(hdfs_path: AnyPath, project: str | None = None) -> None:
    """Make a directory and its parents. On object stores this does nothing: they need none.

    Args:
        hdfs_path: The directory.
        project: Name of another project.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.mkdir("Resources/images")
        >>> hdfs.isdir("Resources/images")
        True
    """
    place = place_of(hdfs_path, project)
    place.project.make_directory(place.path)


def delete(hdfs_path: AnyPath, recursive: bool = False) -> None:
    """Remove a file or directory. If it does not exist, nothing happens.

    Args:
        hdfs_path: The file or directory; not the project itself.
        recursive: Remove a directory with all that is in it.

    Raises:
        OSError: The directory is not empty, and ``recursive`` is false.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Resources/old.txt")
        >>> hdfs.delete("Resources/old.txt")
        >>> hdfs.exists("Resources/old.txt")
        False
    """
    with suppress(FileNotFoundError):
        _remove(place_of(hdfs_path), recursive=recursive)


def rmr(hdfs_path: AnyPath, project: str | None = None) -> None:
    """Remove a file, or a directory with all that is in it.

    Args:
        hdfs_path: The file or directory; not the project itself.
        project: Name of another project.

    Raises:
        FileNotFoundError: It does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Old/one.txt")
        >>> hdfs.rmr("Old")
        >>> hdfs.exists("Old")
        False
    """
    _remove(place_of(hdfs_path, project), recursive=True)


def cp(src_hdfs_path: AnyPath, dest_hdfs_path: AnyPath, overwrite: bool = False) -> None:
    """Copy a file or directory within the storage.

    Args:
        src_hdfs_path: The file or directory.
        dest_hdfs_path: The copy's path, or an existing directory to copy into.
        overwrite: Replace what is at the copy's path. A directory that is copied into stays.

    Raises:
        FileNotFoundError: The source does not exist.
        FileExistsError: The copy's path exists, and ``overwrite`` is false.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Resources/one.txt")
        >>> hdfs.cp("Resources/one.txt", "Resources/two.txt", overwrite=True)
        >>> hdfs.load("Resources/two.txt")
        b'1'
    """
    source, target = place_of(src_hdfs_path), place_of(dest_hdfs_path)
    target = _taken_in(source, target)
    _check_apart(source, target)
    if info_of(target) is not None:
        if not overwrite:
            raise FileExistsError(f"{target.full} exists; overwrite=True replaces it")
        if isdir(target.full) or source.project.info(source.path).is_directory:
            _remove(target, recursive=True)
    _copy(source, target)


def move(src: AnyPath, dest: AnyPath) -> None:
    """Move a file or directory.

    Args:
        src: The file or directory.
        dest: Its new path, or an existing directory to move it into.

    Raises:
        FileNotFoundError: The source does not exist.
        FileExistsError: The new path exists.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Moved/one.txt")
        >>> hdfs.mkdir("Moved/here")
        >>> hdfs.move("Moved/one.txt", "Moved/here")
        >>> hdfs.load("Moved/here/one.txt")
        b'1'
    """
    source, target = place_of(src), place_of(dest)
    _rename(source, _taken_in(source, target))


def rename(src: AnyPath, dest: AnyPath) -> None:
    """Give a file or directory another path.

    Args:
        src: The file or directory.
        dest: Its new path.

    Raises:
        FileNotFoundError: The source does not exist.
        FileExistsError: The new path exists.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Renamed/one.txt")
        >>> hdfs.rename("Renamed/one.txt", "Renamed/first.txt")
        >>> hdfs.load("Renamed/first.txt")
        b'1'
    """
    _rename(place_of(src), place_of(dest))


def chown(
    hdfs_path: AnyPath, user: str | None, group: str | None, project: str | None = None
) -> None:
    """Change the owner and group of a file or directory.

    Args:
        hdfs_path: The file or directory.
        user: The new owner; None to keep it.
        group: The new group; None to keep it.
        project: Name of another project.

    Raises:
        FileNotFoundError: The file or directory does not exist.
        UnsupportedOperationError: The storage has no owners, or its client cannot change them.
    """
    place = place_of(hdfs_path, project)
    if place.project.local_root is not None:
        os.stat(place.full)
        if user is not None:
            shutil.chown(place.full, user=user)
        if group is not None:
            shutil.chown(place.full, group=group)
        return
    _with_owners(place, "chown").chown(place.full, owner=user, group=group)


def chmod(hdfs_path: AnyPath, mode: int | str, project: str | None = None) -> None:
    """Change the permissions of a file or directory.

    Args:
        hdfs_path: The file or directory.
        mode: Such as ``0o644`` or ``"644"``.
        project: Name of another project.

    Raises:
        FileNotFoundError: The file or directory does not exist.
        UnsupportedOperationError: The storage has no permissions, or its client cannot change them.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Resources/one.txt")
        >>> hdfs.chmod("Resources/one.txt", 0o600)
        >>> oct(hdfs.stat("Resources/one.txt").permissions)
        '0o600'
    """
    try:
        bits = int(mode, 8) if isinstance(mode, str) else int(mode)
    except (TypeError, ValueError):
        bits = -1
    if not 0 <= bits <= 0o7777:
        raise InvalidArgumentError("mode", mode, 'must be like 0o644 or "644"')
    place = place_of(hdfs_path, project)
    if place.project.local_root is not None:
        os.chmod(place.full, bits)
        return
    _with_owners(place, "chmod").chmod(place.full, f"{bits:o}")


def _remove(place: Place, *, recursive: bool) -> None:
    if not place.path:
        raise InvalidArgumentError(
            "hdfs_path", place.full, "must be a path inside the project, not the project itself"
        )
    place.project.remove(place.path, recursive=recursive)


def _taken_in(source: Place, target: Place) -> Place:
    """Return the path of a copy: the target, or below it if it is an existing directory."""
    info = info_of(target)
    return target.below(source.name) if info is not None and info.is_directory else target


def _check_apart(source: Place, target: Place) -> None:
    if f"{target.full}/".startswith(f"{source.full}/"):
        raise InvalidArgumentError("dest", target.full, f"must not be {source.full} or inside it")


def _copy(source: Place, target: Place) -> None:
    together = shared_root(source, target)
    if together is not None:
        one, other = together
        one.project.copy(one.path, other.path)
        return
    info = source.project.info(source.path)
    files = [info]
    if info.is_directory:
        files = list(source.project.walk_files(source.path))
    with tempfile.TemporaryDirectory(prefix="hopsml-copy-") as directory:
        passing = os.path.join(directory, "file")
        for file in files:
            source.project.download(file.name, passing)
            below = file.name[len(source.path) :].lstrip("/")
            target.project.upload(passing, target.below(below).path)


def _rename(source: Place, target: Place) -> None:
    if not source.path:
        raise InvalidArgumentError(
            "src", source.full, "must be a path inside the project, not the project itself"
        )
    source.project.info(source.path)  # raises FileNotFoundError if it does not exist
    _check_apart(source, target)
    if info_of(target) is not None:
        raise FileExistsError(f"{target.full} exists")
    together = shared_root(source, target)
    if together is not None:
        one, other = together
        other.project.make_directory(other.parent)
        one.project.rename(one.path, other.path)
        return
    _copy(source, target)
    source.project.remove(source.path, recursive=True)


def _with_owners(place: Place, verb: str) -> Any:
    """Return the file system of a place; raise an error if it has no owners and permissions."""
    place.project.info(place.path)  # raises FileNotFoundError if it does not exist
    fs = file_system(place.project)
    # Both must exist: S3's chmod sets access lists, which are something else.
    if not (hasattr(fs, "chown") and hasattr(fs, "chmod")):
        protocol = place.project.url.partition("://")[0]
        hint = " (webhdfs:// can)" if protocol in ("hdfs", "hopsfs") else ""
        raise UnsupportedOperationError(
            f"{verb}: the client of {protocol}:// cannot change owners or permissions{hint}"
        )
    return fs
