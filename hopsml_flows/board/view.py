"""A local directory that TensorBoard reads in place of directories that it cannot read itself.

Remote event files are copied as they grow; local ones are linked. So every storage looks the same
to TensorBoard. TensorBoard opens a file once and only reads on, so a replaced file gets another
name here. Nothing is written to the project.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hopsml_flows.board import combined_hparams
from hopsml_flows.board.scope import Shown
from hopsml_flows.storage import FileInfo, TrialFiles
from hopsml_flows.storage.retries import answer_limit
from hopsml_flows.storage.time_limit import within

__all__ = ["View"]

_SHORTEST_PAUSE = 2.0
_SHARE = 0.1
"""Share of the time that the view may use for requests, to leave storage to trials."""

_ALL_EVERY = 30
"""One round in this many also looks at trials that have ended: they may run again."""

_CHUNK = 4 << 20

T = TypeVar("T")


@dataclass(slots=True)
class _File:
    """A file in the view.

    Args:
        path: The copy, or the link.
        identity: Device and inode of a local file; None for a remote one.
        size: Bytes copied so far.
    """

    path: Path
    identity: tuple[int, int] | None = None
    size: int = 0


class View:
    """A local directory that follows the directories which a TensorBoard shows.

    Args:
        shown: The directories.
        root: The local directory, which is created.
    """

    def __init__(self, shown: Shown, root: Path) -> None:
        self.root = root
        self.looked = threading.Event()
        """Set after the first round."""
        root.mkdir(parents=True)
        self._project = shown.project
        self._directories = shown.directories
        self._files: dict[str, dict[str, _File]] = {}
        self._over: set[str] = set()
        self._descriptions: dict[str, tuple[int, Any]] = {}
        self._joined: _File | None = None
        self._renewals = 0
        self._rounds = 0
        self._failed: list[Exception] = []

    def keep(self) -> None:
        """Bring the view up to date in rounds, forever."""
        while True:
            began = time.monotonic()
            for error in self.round():  # the parent keeps the end of this process's output
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self.looked.set()
            taken = time.monotonic() - began
            time.sleep(max(_SHORTEST_PAUSE, taken * (1 - _SHARE) / _SHARE))

    def round(self) -> list[Exception]:
        """Bring the view up to date.

        Returns:
            The errors. What failed is tried again in the next round.
        """
        self._failed = []
        if self._rounds % _ALL_EVERY == 0:
            self._over.clear()
        self._rounds += 1
        before = dict(self._descriptions)
        for name, path in self._directories:
            self._look(path, self.root / name, joins=bool(name))
        if self._descriptions != before:
            self._joined = _File(
                self._renew_path(self.root / TrialFiles.EVENTS_START, self._joined)
            )
            whole = combined_hparams.joined(
                description for _, description in self._descriptions.values()
            )
            self._joined.path.write_bytes(whole)
        return self._failed

    def _look(self, source: str, target: Path, *, joins: bool = False) -> bool:
        """Bring a directory and all below it up to date.

        Args:
            source: The directory's path in the project.
            target: The directory's path in the view.
            joins: Whether to join its description of hyperparameters with those of others.

        Returns:
            Whether anything was new, or failed.
        """
        try:
            entries = self._ask(lambda: self._project.entries(source))
        except Exception as error:  # each file system has its own errors
            self._failed.append(error)
            return True
        known = self._files.setdefault(source, {})
        news = False
        present = set()
        for entry in entries:
            name = entry.name.rpartition("/")[2]
            if entry.is_directory:
                if entry.name not in self._over:
                    news |= self._look(entry.name, target / name)
                continue
            if not _is_shown(entry.name):
                continue
            present.add(name)
            try:
                if (
                    joins
                    and name == TrialFiles.EVENTS_START
                    and self._take_description(source, entry)
                ):
                    continue
                news |= self._show(entry, target / name, known)
            except Exception as error:
                self._failed.append(error)
                news = True
        for name in known.keys() - present:
            known.pop(name).path.unlink(missing_ok=True)
            news = True
        if TrialFiles.EVENTS_END in present and not news:
            self._over.add(source)
        return news

    def _show(self, file: FileInfo, target: Path, known: dict[str, _File]) -> bool:
        """Bring a file up to date; return whether it had anything new."""
        have = known.get(target.name)
        root = self._project.local_root
        if root is not None:
            found = (root / file.name).stat()
            identity = (found.st_dev, found.st_ino)
            if have is not None and have.identity == identity:
                return False
            have = known[target.name] = _File(self._renew_path(target, have), identity)
            have.path.symlink_to(root / file.name)
            return True
        if have is None or file.size < have.size:  # another file has replaced it
            have = known[target.name] = _File(self._renew_path(target, have))
            have.path.touch()
        news = have.size < file.size
        while have.size < file.size:
            stop = min(file.size, have.size + _CHUNK)
            read = partial(self._project.read, file.name, have.size, stop)
            data = self._ask(read, stop - have.size)
            if not data:
                break
            with have.path.open("r+b") as copy:
                copy.seek(have.size)
                copy.write(data)
            have.size += len(data)
        return news

    def _renew_path(self, target: Path, before: _File | None = None) -> Path:
        """Remove the old path of a file, if any, and return a path that it has not had yet."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if before is None:
            return target
        before.path.unlink(missing_ok=True)
        self._renewals += 1
        return target.with_name(f"{target.name}.{self._renewals}")

    def _take_description(self, source: str, file: FileInfo) -> bool:
        """Take the description of hyperparameters from a file; return whether it has one."""
        size, _ = self._descriptions.get(source, (-1, None))
        if size == file.size:
            return True
        description = combined_hparams.read_description(
            self._ask(lambda: self._project.read(file.name))
        )
        if description is None:
            return False
        self._descriptions[source] = (file.size, description)
        return True

    def _ask(self, action: Callable[[], T], size: int = 0) -> T:
        """Make a request to storage, with a time limit."""
        return within(answer_limit(self._project, size), action)


def _is_shown(path: str) -> bool:
    """Whether a file is for TensorBoard: an event file, or one of a plugin like the profiler."""
    return "tfevents" in path.rpartition("/")[2] or "/plugins/" in path
