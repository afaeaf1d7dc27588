"""Copy files completely or not at all, under names that storage accepts."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from hopsml_flows.storage.local import write_beside

__all__ = ["copy_whole", "free_name", "storable"]

# Characters that libhdfs refuses in a name.
_UNSAFE_ELSEWHERE = frozenset("%#?\\")


def copy_whole(source: Path, target: Path) -> int:
    """Copy a regular file; an error leaves no partial copy.

    Args:
        source: The file; links are followed.
        target: The copy; its directory must exist.

    Returns:
        The copy's size.

    Raises:
        OSError: The file cannot be read, the copy cannot be written, or the source is not a
            regular file (reading a pipe would wait).
    """
    if not stat.S_ISREG(source.stat().st_mode):
        raise OSError(f"{source} is not a regular file")
    with write_beside(os.fspath(target)) as beside:
        shutil.copyfile(source, beside)
        return os.stat(beside).st_size


def storable(name: str, *, locally: bool) -> str:
    """A file name that storage accepts. Invalid UTF-8 and control characters become "_".

    Args:
        name: One part of a path.
        locally: Whether the storage is a disk of this machine. Elsewhere %, #, ? and backslash
            become "_" too.
    """
    text = os.fsencode(name).decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "_")
    unsafe = frozenset() if locally else _UNSAFE_ELSEWHERE
    return "".join("_" if c in unsafe or c < " " or c == "\x7f" else c for c in text)


def free_name(path: Path) -> Path:
    """The path; if it exists, a free one with a number before the suffix."""
    if not os.path.lexists(path):
        return path
    number = 2
    while os.path.lexists(other := path.with_name(f"{path.stem}-{number}{path.suffix}")):
        number += 1
    return other
