"""``hops.hdfs``'s verbs that remove, copy, move, and change owners and permissions."""

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
    """Make a directory and those above it; object stores have none, and none is needed there.

    Args:
        hdfs_path: The directory.
        project: Name of another project.
    """
    place = place_of(hdfs_path, project)
    place.project.make_directory(place.path)


def delete(hdfs_path: AnyPath, recursive: bool = False) -> None:
    """Remove a file or directory; what does not exist is fine.

    Args:
        hdfs_path: What to remove; not the project itself.
        recursive: Remove a directory with all that is in it.

    Raises:
        OSError: The directory is not empty, and ``recursive`` is false.
    """
    with suppress(FileNotFoundError):
        _remove(place_of(hdfs_path), recursive=recursive)


def rmr(hdfs_path: AnyPath, project: str | None = None) -> None:
    """Remove a file, or a directory with all that is in it.

    Args:
        hdfs_path: What to remove; not the project itself.
        project: Name of another project.

    Raises:
        FileNotFoundError: There is none.
    """
    _remove(place_of(hdfs_path, project), recursive=True)


def cp(src_hdfs_path: AnyPath, dest_hdfs_path: AnyPath, overwrite: bool = False) -> None:
    """Copy a file or directory inside the storage.

    Args:
        src_hdfs_path: What to copy.
        dest_hdfs_path: The copy's path; a directory that exists takes it in.
        overwrite: Replace what is at the copy's path. The directory that takes it in stays.

    Raises:
        FileNotFoundError: There is nothing to copy.
        FileExistsError: There is something at the copy's path.
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
        src: What to move.
        dest: Its new path; a directory that exists takes it in.

    Raises:
        FileNotFoundError: There is nothing to move.
        FileExistsError: There is something at the new path.
    """
    source, target = place_of(src), place_of(dest)
    _rename(source, _taken_in(source, target))


def rename(src: AnyPath, dest: AnyPath) -> None:
    """Give a file or directory another path.

    Args:
        src: What to rename.
        dest: Its new path.

    Raises:
        FileNotFoundError: There is nothing to rename.
        FileExistsError: There is something at the new path.
    """
    _rename(place_of(src), place_of(dest))


def chown(
    hdfs_path: AnyPath, user: str | None, group: str | None, project: str | None = None
) -> None:
    """Change who a file or directory belongs to.

    Args:
        hdfs_path: Which.
        user: The new owner, or None.
        group: The new group, or None.
        project: Name of another project.

    Raises:
        UnsupportedOperationError: The storage knows no owners, or its client cannot change them.
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
        hdfs_path: Which.
        mode: Such as ``0o644`` or ``"644"``.
        project: Name of another project.

    Raises:
        UnsupportedOperationError: The storage knows none, or its client cannot change them.
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
        raise InvalidArgumentError("hdfs_path", place.full, "must be something in the project")
    place.project.remove(place.path, recursive=recursive)


def _taken_in(source: Place, target: Place) -> Place:
    """The path under which a copy goes to a place: a directory there takes it in."""
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
        raise InvalidArgumentError("src", source.full, "must be something in the project")
    source.project.info(source.path)  # raises where there is none
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
    """The file system of a place, if it has owners and permissions."""
    place.project.info(place.path)  # raises where there is none
    fs = file_system(place.project)
    # Both: S3's own chmod sets access lists, which are something else.
    if not (hasattr(fs, "chown") and hasattr(fs, "chmod")):
        protocol = place.project.url.partition("://")[0]
        hint = " (webhdfs:// can)" if protocol in ("hdfs", "hopsfs") else ""
        raise UnsupportedOperationError(
            f"{verb}: the client of {protocol}:// cannot change owners or permissions{hint}"
        )
    return fs
