"""List the content of a local directory that is to be copied."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Tree", "tree_of"]

_LONGEST_LOOK = 3.0
"""Longest scan of a directory that exceeds the limits, in seconds; it tells how large it is."""

_DEEPEST = 200


@dataclass(slots=True)
class Tree:
    """A directory's content. Names are relative to it, with ``/`` between parts.

    Args:
        files: File name to the path of its content.
        directories: Names of the directories, parents first.
        empty: Names of directories without any file below them; "" is the directory itself.
        left_out: Name and reason for each entry that cannot be copied.
        size: Bytes of all files.
        whole: Whether the scan was complete.
        newest: Time of the last change in it, in seconds since the epoch.
    """

    files: dict[str, Path] = field(default_factory=dict)
    directories: dict[str, None] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    size: int = 0
    whole: bool = True
    newest: float = 0.0


def tree_of(
    root: Path,
    *,
    storable_name: Callable[[str], str] = str,
    allowed: Callable[[Tree], bool] = lambda _: True,
) -> Tree:
    """Scan a directory.

    Links to files and directories are followed, except a link to a directory that contains it.
    Broken links, pipes, sockets and devices are left out.

    Args:
        root: The directory.
        storable_name: Maps one part of a name to one that storage accepts.
        allowed: Whether so much may be copied. Beyond that, the scan ends after a few seconds.
    """
    tree = Tree()
    until = time.monotonic() + _LONGEST_LOOK

    def enough() -> bool:
        return time.monotonic() > until and not allowed(tree)

    tree.newest = _change_time(root.stat())
    _look(tree, root, "", (_identity(root),), storable_name, enough)
    return tree


def _look(
    tree: Tree,
    directory: Path,
    name: str,
    above: tuple[tuple[int, int], ...],
    storable_name: Callable[[str], str],
    enough: Callable[[], bool],
) -> bool:
    """Scan one directory; return whether there are files in or below it."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        tree.left_out.append((name, _reason(error)))
        return False
    has_files = False
    for entry in found:
        if enough():
            tree.whole = False
            return True
        inside = _unused_name(tree, f"{name}/" if name else "", storable_name(entry.name))
        path = Path(entry.path)
        try:
            status = path.stat()
        except OSError as error:
            tree.left_out.append((inside, _reason(error)))
            continue
        tree.newest = max(tree.newest, _change_time(status))
        if stat.S_ISREG(status.st_mode):
            tree.files[inside] = path
            tree.size += status.st_size
            has_files = True
        elif (reason := _refusal(status, above)) is not None:
            tree.left_out.append((inside, reason))
        else:
            tree.directories[inside] = None
            inner = (*above, (status.st_dev, status.st_ino))
            has_files = _look(tree, path, inside, inner, storable_name, enough) or has_files
    if not has_files:
        tree.empty.append(name)
    return has_files


def _refusal(status: os.stat_result, above: tuple[tuple[int, int], ...]) -> str | None:
    """Why an entry that is not a regular file cannot be scanned, or None."""
    if not stat.S_ISDIR(status.st_mode):
        return "it is neither a file nor a directory"
    if (status.st_dev, status.st_ino) in above:
        return "it is a link to a directory that contains it"
    return "it is too deep" if len(above) > _DEEPEST else None


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _unused_name(tree: Tree, before: str, name: str) -> str:
    """A name that is still free: different names may become the same storable one."""
    inside, number = f"{before}{name}", 2
    while inside in tree.files or inside in tree.directories:
        inside, number = f"{before}{number}-{name}", number + 1
    return inside


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is a link that leads nowhere"
    return f"{type(error).__name__}: {error.strerror or error}"


def _change_time(status: os.stat_result) -> float:
    """When a file was changed or put there. A copy may keep the original's modification time."""
    return max(status.st_mtime, status.st_ctime)
