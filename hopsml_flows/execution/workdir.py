"""A working directory of its own for each trial, that looks like the experiment's.

HopsML's executors had containers; programs written for it save ``image_file.png`` into the
working directory and return its name. Trials side by side would overwrite each other's, and the
user's. Here each trial works in a directory that holds copies of the original's files, and links
to its directories and to files too large to copy: relative reads find the user's data, and what a
trial writes beside it stays with the trial.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["own_working_directory"]

LARGEST_COPY = 1 << 20
"""Files up to so many bytes are copied, larger ones linked."""

MOST_COPIES = 200
"""So many files are copied; a directory of thousands is somebody's data."""

_Stamp = tuple[int, int]


@contextmanager
def own_working_directory(like: str, scratch: str | None = None) -> Iterator[Path]:
    """Change the process's working directory to one of its own for the block.

    Args:
        like: Absolute path of the directory it stands in for; where there is none (on another
            machine), the new one starts empty.
        scratch: Directory that somebody else removes in the end: the process keeps its working
            directory there and only brings it up to date. Without one it is removed with the
            block.

    Yields:
        The new working directory.
    """
    before = os.getcwd()
    if scratch is None:
        mirror = _Mirror(Path(tempfile.mkdtemp(prefix="hopsml-trial-")), like)
    else:
        mirror = _kept(scratch, like)
    try:
        mirror.refresh()
        os.chdir(mirror.path)
        yield mirror.path
    finally:
        os.chdir(before)
        if scratch is None:
            shutil.rmtree(mirror.path, ignore_errors=True)  # removes links, not what they lead to


@dataclass(slots=True)
class _Mirror:
    """A directory that is kept looking like another one.

    Args:
        path: The directory.
        like: The one it looks like.
        links: Name to target of what is linked.
        copies: Name to the stamps of a copied file: the original's, and the copy's own.
    """

    path: Path
    like: str
    links: dict[str, str] = field(default_factory=dict)
    copies: dict[str, tuple[_Stamp, _Stamp]] = field(default_factory=dict)

    def refresh(self) -> None:
        """Undo what a trial did to it, and take in what changed in the original."""
        self.path.mkdir(exist_ok=True)
        wanted = self._wanted()
        with os.scandir(self.path) as entries:
            present = {entry.name: entry for entry in entries}
        for name, entry in present.items():
            if name in wanted and self._is_good(name, entry, wanted[name]):
                del wanted[name]
            elif entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        for name, stamp in wanted.items():
            self._put(name, stamp)

    def _wanted(self) -> dict[str, _Stamp | None]:
        """Name to the stamp of a file to copy, or to None for what is to be linked."""
        wanted: dict[str, _Stamp | None] = {}
        if not os.path.isdir(self.like):
            return wanted
        copies = 0
        with os.scandir(self.like) as entries:
            for entry in entries:
                stamp = None
                if copies < MOST_COPIES and entry.is_file():
                    found = entry.stat()
                    if found.st_size <= LARGEST_COPY:
                        stamp = (found.st_mtime_ns, found.st_size)
                        copies += 1
                wanted[entry.name] = stamp
        return wanted

    def _is_good(self, name: str, entry: os.DirEntry[str], stamp: _Stamp | None) -> bool:
        if stamp is None:
            return entry.is_symlink() and self.links.get(name) == os.readlink(entry.path)
        if entry.is_symlink() or name not in self.copies:
            return False
        own = entry.stat(follow_symlinks=False)
        return self.copies[name] == (stamp, (own.st_mtime_ns, own.st_size))

    def _put(self, name: str, stamp: _Stamp | None) -> None:
        source, target = os.path.join(self.like, name), self.path / name
        if stamp is not None:
            with suppress(OSError):  # unreadable, or gone: a link says so when it is opened
                shutil.copy(source, target)
                own = target.stat()
                self.copies[name] = (stamp, (own.st_mtime_ns, own.st_size))
                return
            target.unlink(missing_ok=True)
        self.links[name] = source
        os.symlink(source, target)


_mirrors: dict[tuple[str, str, int], _Mirror] = {}


def _kept(scratch: str, like: str) -> _Mirror:
    key = (scratch, like, os.getpid())
    if key not in _mirrors:
        _mirrors.clear()  # one experiment after the other
        _mirrors[key] = _Mirror(Path(scratch) / f"worker-{os.getpid()}", like)
    return _mirrors[key]
