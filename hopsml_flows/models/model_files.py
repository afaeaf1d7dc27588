"""The local files of a model that is to be exported, and their digests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hopsml_flows.execution.files.copies import storable
from hopsml_flows.execution.files.directory_tree import tree_of
from hopsml_flows.models.record import ModelFile
from hopsml_flows.storage import ModelFiles
from hopsml_flows.storage.interface import is_temporary
from hopsml_flows.user_warnings import warn

__all__ = ["LocalFile", "digest_of", "local_files"]

_OWN = frozenset({ModelFiles.RECORD, ModelFiles.CLAIM})
_CHUNK = 1 << 20
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A local file, and its name below the version's directory.

    Args:
        path: The file.
        name: The name, with ``/`` between parts.
    """

    path: Path
    name: str

    def describe(self) -> tuple[ModelFile, tuple[int, int]]:
        """Return what the record says of it, and a stamp that a later change changes.

        Raises:
            OSError: It cannot be read.
        """
        before = self.stamp()
        digest, size = digest_of(self.path)
        return ModelFile(self.name, size, digest), before

    def stamp(self) -> tuple[int, int]:
        """Return its size and the time of its last change."""
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns


def local_files(source: Path) -> list[LocalFile]:
    """Return the files of a model, sorted by name: one file, or all below a directory.

    Links are followed. What is no file is left out, with a warning, and so are the project's own
    files of another version. Parts of names that not every storage accepts get "_".

    Args:
        source: The file or directory.

    Raises:
        FileNotFoundError: There is none, or the directory has no files.
    """
    if not source.is_dir():
        if not source.is_file():
            raise FileNotFoundError(f"model_path: {source.absolute()} is no file or directory")
        return [LocalFile(source, _storable(source.name))]
    tree = tree_of(source, storable_name=_storable)
    files = [
        LocalFile(path, name)
        for name, path in sorted(tree.files.items())
        if name not in _OWN and not is_temporary(name.rpartition("/")[2])
    ]
    if not files:
        raise FileNotFoundError(f"model_path: {source.absolute()} has no files")
    _tell_left_out(source, tree.left_out)
    return files


def digest_of(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a local file, in hexadecimal, and its number of bytes.

    Args:
        path: The file.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _storable(name: str) -> str:
    return storable(name, locally=False)


def _tell_left_out(source: Path, left_out: Sequence[tuple[str, str]]) -> None:
    if left_out:
        told = [f"{name} ({reason})" for name, reason in left_out[:_MOST_NAMED]]
        more = len(left_out) - len(told)
        words = "; ".join(told) + (f"; and {more} more" if more else "")
        warn(f"the exported model lacks what is no file in {source}: {words}")
