"""What is in a local directory that is copied whole."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Tree", "tree_of"]

_LONGEST_LOOK = 3.0
"""Seconds to look through a directory that is beyond the limits, to tell how large it is."""

_DEEPEST = 200


@dataclass(slots=True)
class Tree:
    """A directory's content. Names are relative to it, with ``/`` between parts.

    Args:
        files: Name of a file to where its content is.
        directories: Names of the directories, in an order in which they can be made.
        empty: Those without a file, as far as none of their own directories has one; "" for the
            directory itself.
        left_out: What cannot be copied: its name, and why.
        size: Bytes of the files.
        whole: Whether it was looked through to the end.
        newest: When something in it was changed last, in seconds since the epoch.
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
    """Look through a directory.

    A link to a file is that file; a link to a directory is that directory, unless it leads back to
    one that it is in. Links that lead nowhere, pipes, sockets and devices are left out.

    Args:
        root: The directory.
        storable_name: Makes of a part of a name one that storage can have.
        allowed: Whether so much may be copied; beyond that, it is looked at for a while only.
    """
    tree = Tree()
    until = time.monotonic() + _LONGEST_LOOK

    def enough() -> bool:
        return time.monotonic() > until and not allowed(tree)

    tree.newest = _changed(root.stat())
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
    """Look through one directory; whether there are files in it."""
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
        inside = _unused(tree, f"{name}/" if name else "", storable_name(entry.name))
        path = Path(entry.path)
        try:
            status = path.stat()
        except OSError as error:
            tree.left_out.append((inside, _reason(error)))
            continue
        tree.newest = max(tree.newest, _changed(status))
        if stat.S_ISREG(status.st_mode):
            tree.files[inside] = path
            tree.size += status.st_size
            has_files = True
        elif (reason := _refused(status, above)) is not None:
            tree.left_out.append((inside, reason))
        else:
            tree.directories[inside] = None
            inner = (*above, (status.st_dev, status.st_ino))
            has_files = _look(tree, path, inside, inner, storable_name, enough) or has_files
    if not has_files:
        tree.empty.append(name)
    return has_files


def _refused(status: os.stat_result, above: tuple[tuple[int, int], ...]) -> str | None:
    """Why what is no file is not looked through, or None."""
    if not stat.S_ISDIR(status.st_mode):
        return "it is neither a file nor a directory"
    if (status.st_dev, status.st_ino) in above:
        return "it is a link to a directory that it is in"
    return "it is too deep" if len(above) > _DEEPEST else None


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _unused(tree: Tree, before: str, name: str) -> str:
    """A name that no other file has; two that are not UTF-8 may become the same."""
    inside, number = f"{before}{name}", 2
    while inside in tree.files or inside in tree.directories:
        inside, number = f"{before}{number}-{name}", number + 1
    return inside


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is a link that leads nowhere"
    return f"{type(error).__name__}: {error.strerror or error}"


def _changed(status: os.stat_result) -> float:
    """When a file was changed, or put there: a copy may keep the older time of its content."""
    return max(status.st_mtime, status.st_ctime)
