"""Files of an experiment for pages: by a path that comes from a browser, and so is not trusted.

A path is a list of plain names below the experiment's directory. On this machine's disk a link is
followed only if it stays in the project, and what is no regular file is not opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice

from hopsml_flows.storage import ExperimentPaths, FileInfo, Project
from hopsml_flows.storage.retries import answer_limit, persistently

__all__ = [
    "CHUNK",
    "checked_path",
    "file_chunks",
    "file_end",
    "file_info",
    "file_part",
    "files_below",
    "is_inside",
]

CHUNK = 1 << 20
"""Bytes that are read at once."""

_LONGEST = 1024


def checked_path(experiment_id: str, path: str) -> str:
    r"""Return the project's path of a file of an experiment.

    Args:
        experiment_id: The experiment's identifier, which the index knows.
        path: The file's path below the experiment's directory, as the browser sent it.

    Raises:
        FileNotFoundError: The path is no list of plain names.

    Example:
        >>> checked_path("digits-20260101-120000-ab12cd", "0001/plot.png")
        'Experiments/digits-20260101-120000-ab12cd/0001/plot.png'
        >>> checked_path("digits-20260101-120000-ab12cd", "../other")
        Traceback (most recent call last):
        FileNotFoundError: '../other'
    """
    names = path.split("/")
    plain = all(name not in ("", ".", "..") and "\\" not in name for name in names)
    if not plain or len(path) > _LONGEST or any(ord(character) < 32 for character in path):
        raise FileNotFoundError(repr(path))
    return f"{ExperimentPaths(experiment_id).root}/{path}"


def file_info(project: Project, path: str) -> FileInfo:
    """Describe a file.

    Args:
        project: The project.
        path: The file, as :func:`checked_path` returned it.

    Raises:
        FileNotFoundError: It is no regular file of the project.
    """
    _check_inside(project, path)
    info = persistently(lambda: project.info(path), limit=answer_limit(project))
    if info.is_directory:
        raise FileNotFoundError(path)
    return info


def file_part(project: Project, path: str, start: int, stop: int) -> bytes:
    """Return a part of a file.

    Args:
        project: The project.
        path: The file, as :func:`checked_path` returned it.
        start: First byte, from 0.
        stop: Byte to stop before.

    Raises:
        FileNotFoundError: It is no regular file of the project.
    """
    _check_inside(project, path)
    return persistently(
        lambda: project.read(path, start, stop), limit=answer_limit(project, stop - start)
    )


def file_chunks(project: Project, path: str, size: int) -> Iterator[bytes]:
    """Yield a file's content.

    Args:
        project: The project.
        path: The file, as :func:`checked_path` returned it.
        size: Its size; what it has grown by since is left out.

    Raises:
        FileNotFoundError: It is no regular file of the project.
    """
    at = 0
    while at < size:
        part = file_part(project, path, at, min(size, at + CHUNK))
        if not part:  # it was cut meanwhile
            return
        at += len(part)
        yield part


def file_end(project: Project, path: str, most: int) -> tuple[bytes, int]:
    """Return the end of a file, from the beginning of a line on, and where it begins.

    Args:
        project: The project.
        path: The file, as :func:`checked_path` returned it.
        most: Most bytes to return.

    Raises:
        FileNotFoundError: It is no regular file of the project.
    """
    length = file_info(project, path).size
    start = max(0, length - most)
    content = file_part(project, path, start, length)
    cut = content.find(b"\n") + 1 if start else 0
    return content[cut:], start + cut


def files_below(project: Project, path: str, most: int) -> list[FileInfo]:
    """Return files of a directory and of those in it; on local disks no links that lead out.

    Args:
        project: The project.
        path: The directory.
        most: Most files to return.
    """

    def found() -> list[FileInfo]:
        inside = (info for info in project.walk_files(path) if is_inside(project, info.name))
        return list(islice(inside, most))

    return persistently(found, limit=answer_limit(project))


def is_inside(project: Project, path: str) -> bool:
    """Whether a path leads to a file of the project: on local disks, not by a link that leads out.

    Args:
        project: The project.
        path: The path. On other storage it may also lead to nothing.
    """
    try:
        _check_inside(project, path)
    except FileNotFoundError:
        return False
    return True


def _check_inside(project: Project, path: str) -> None:
    root = project.local_root
    if root is None:
        return
    whole = os.path.realpath(root / path)
    inside = os.path.realpath(root)
    try:
        regular = stat.S_ISREG(os.stat(whole).st_mode)
    except (OSError, ValueError):
        raise FileNotFoundError(path) from None
    if not regular or os.path.commonpath((whole, inside)) != inside:
        raise FileNotFoundError(path)
