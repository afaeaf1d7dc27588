"""Copies of files that are whole, or not there."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from hopsml_flows.storage.local import write_beside

__all__ = ["copy_whole", "free_name", "storable"]

# What libhdfs does not take in a name.
_UNSAFE_ELSEWHERE = frozenset("%#?\\")


def copy_whole(source: Path, target: Path) -> int:
    """Copy a regular file; after an error there is no part of a copy.

    Args:
        source: The file; a link to one is followed.
        target: The copy; its directory exists.

    Returns:
        The copy's size.

    Raises:
        OSError: It cannot be read, the copy cannot be written, or it is no regular file, such as
            a pipe, which would be waited for.
    """
    if not stat.S_ISREG(source.stat().st_mode):
        raise OSError(f"{source} is not a regular file")
    with write_beside(os.fspath(target)) as beside:
        shutil.copyfile(source, beside)
        return os.stat(beside).st_size


def storable(name: str, *, locally: bool) -> str:
    """A file's name as storage can have it: what is not UTF-8, or no text, becomes "_".

    Args:
        name: One part of a path.
        locally: Whether the storage is a disk of this machine, which takes more.
    """
    text = os.fsencode(name).decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "_")
    unsafe = frozenset() if locally else _UNSAFE_ELSEWHERE
    return "".join("_" if c in unsafe or c < " " or c == "\x7f" else c for c in text)


def free_name(path: Path) -> Path:
    """The path, or where there is something already one with a number before the suffix."""
    if not os.path.lexists(path):
        return path
    number = 2
    while os.path.lexists(other := path.with_name(f"{path.stem}-{number}{path.suffix}")):
        number += 1
    return other
