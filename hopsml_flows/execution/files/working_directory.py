"""Give each trial its own working directory, which mirrors the experiment's.

HopsML's executors had containers. Programs written for it save ``image_file.png`` into the working
directory and return its name. Concurrent trials would overwrite each other's files, and the user's.
So each trial works in a directory with copies of the original's files, and links to its directories
and to files too large to copy. Relative reads find the user's data, and files that a trial writes
beside it stay with the trial.

Entries that cannot be mirrored, such as a link in a circle, are left out, and the trial's log says
so. A separate thread looks up the targets of links, since a dead mount blocks its caller. A link
whose target does not answer is mirrored unseen.
"""

from __future__ import annotations

import os
import queue
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hopsml_flows.execution.current_directory import here
from hopsml_flows.execution.files.sizes import name_text
from hopsml_flows.storage.time_limit import within

__all__ = ["WorkingDirectory", "own_working_directory"]

LARGEST_COPY = 1 << 20
"""Files up to so many bytes are copied, larger ones are linked."""

MOST_COPIES = 200
"""Most files that are copied; a directory of thousands is a data set. The others are linked."""

LIST_SECONDS = 30.0
"""Longest wait for the listing of the original."""

LINK_SECONDS = 3.0
"""Longest wait for the file system of a link's target."""

_MOST_SILENT = 3
"""After so many links whose file systems do not answer, no more targets are looked up."""

_MOST_LINES = 10
_CACHES = frozenset({"__pycache__", ".ipynb_checkpoints"})

_Stamp = tuple[int, int]


@contextmanager
def own_working_directory(like: str, scratch: str | None = None) -> Iterator[WorkingDirectory]:
    """Change the process's working directory to one of its own, for the block.

    Args:
        like: Absolute path of the directory to mirror. If it does not exist here (on another
            machine), the new one starts empty.
        scratch: Directory that the caller removes in the end. The process keeps its working
            directory in it, and refreshes it for each block. Without one, the working directory
            is temporary and removed after the block.

    Yields:
        The new working directory.
    """
    before = here()
    if scratch is None:
        own = WorkingDirectory(Path(tempfile.mkdtemp(prefix="hopsml-trial-")), like)
    else:
        own = _reusable_mirror(scratch, like)
    try:
        own.refresh()
        os.chdir(own.path)
        yield own
    finally:
        _go_back(before)
        if scratch is None:
            _remove(own.path)  # removes links, not what they lead to


@dataclass(slots=True)
class WorkingDirectory:
    """A directory that mirrors another one, the original.

    Args:
        path: The directory.
        like: The original.
        links: Name to target of each link made here.
        copies: Name to the stamps of each copied file: the original's, and the copy's own.
        left_out: Name to the reason of each entry not mirrored; "" is the original itself.
        _silent: Links to file systems that did not answer; they are not looked up again.
    """

    path: Path
    like: str
    links: dict[str, str] = field(default_factory=dict)
    copies: dict[str, tuple[_Stamp, _Stamp]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)

    @property
    def notes(self) -> list[str]:
        """Lines for the trial's log: what was left out, and which links may hang."""
        lines = [
            f"{self._display_name(name)} is not in the trial's working directory: {reason}"
            for name, reason in self.left_out.items()
        ]
        lines += [
            f"{self._display_name(name)} leads to a file system that did not answer within "
            f"{LINK_SECONDS:g} s; reading it may hang"
            for name in sorted(self._silent)
        ]
        if len(lines) <= _MOST_LINES:
            return lines
        more = len(lines) - _MOST_LINES
        return [*lines[:_MOST_LINES], f"and {more} more are missing, or do not answer"]

    def _display_name(self, name: str) -> str:
        return name_text(os.path.join(self.like, name) if name else self.like)

    def refresh(self) -> None:
        """Undo a trial's changes, and apply the changes of the original."""
        if self.path.is_symlink() or not self.path.is_dir():  # a trial replaced it
            _remove(self.path)
        self.path.mkdir(exist_ok=True)
        with suppress(OSError):  # it belongs to another user
            self.path.chmod(0o700)
        self.left_out = {}
        wanted = self._scan_original()
        with os.scandir(self.path) as entries:
            present = {entry.name: entry for entry in entries}
        for name, entry in present.items():
            if name in wanted and self._is_good(name, entry, wanted[name]):
                del wanted[name]
            else:
                _remove(Path(entry.path))
        for name, stamp in wanted.items():
            try:
                self._put(name, stamp)
            except OSError as error:
                self.left_out[name] = _reason(error)

    def written(self) -> Iterator[tuple[str, Path, int]]:
        """The files that the trial wrote or changed: name, path and size of each.

        Names are relative to the directory, in no order. Links are left out, and so are caches of
        Python and Jupyter.
        """
        for name, entry in _entries(self.path):
            if entry.is_symlink() or self._is_copy(name, entry):
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield from _file(name, entry)
            elif name not in _CACHES:
                yield from _below(entry.path, name)

    def _is_copy(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is an unchanged copy of one of the user's files."""
        with suppress(OSError):
            if name in self.copies:
                return self.copies[name][1] == _stamp(entry.stat(follow_symlinks=False))
        return False

    def _scan_original(self) -> dict[str, _Stamp | None]:
        """Name to the stamp of each file to copy, or to None for each entry to link."""
        try:
            listed = within(LIST_SECONDS, self._list_original)
        except (FileNotFoundError, NotADirectoryError):  # the original is on another machine
            return {}
        except OSError as error:
            self.left_out[""] = _reason(error)
            return {}
        wanted: dict[str, _Stamp | None] = {}
        links = []
        copies = 0
        for entry in listed:
            try:
                if entry.is_symlink():
                    links.append(entry.name)
                    continue
                wanted[entry.name] = None
                if copies < MOST_COPIES and entry.is_file(follow_symlinks=False):
                    wanted[entry.name] = _to_copy(entry.stat(follow_symlinks=False))
            except OSError as error:
                wanted.pop(entry.name, None)
                self.left_out[entry.name] = _reason(error)
                continue
            copies += wanted[entry.name] is not None
        for name, found in self._look_up(links).items():
            # A missing target may appear later, so link to it.
            if found is None or isinstance(found, FileNotFoundError):
                wanted[name] = None
            elif isinstance(found, OSError):
                self.left_out[name] = _reason(found)
            else:
                wanted[name] = _to_copy(found) if copies < MOST_COPIES else None
                copies += wanted[name] is not None
        return wanted

    def _list_original(self) -> list[os.DirEntry[str]]:
        if not self.like:  # the driver's directory was removed
            return []
        with os.scandir(self.like) as entries:
            return list(entries)

    def _look_up(self, links: list[str]) -> dict[str, os.stat_result | OSError | None]:
        """Link to its target's status, or to the error; None for a target that was not seen."""
        found: dict[str, os.stat_result | OSError | None] = dict.fromkeys(links)
        waiting = [name for name in links if name not in self._silent]
        while waiting and len(self._silent) < _MOST_SILENT:
            answers: queue.SimpleQueue[tuple[str, os.stat_result | OSError]] = queue.SimpleQueue()
            paths = {name: os.path.join(self.like, name) for name in waiting}
            look = threading.Thread(target=_look, args=(paths, answers), name="hopsml-links")
            look.daemon = True
            look.start()
            try:
                while waiting:
                    name, answer = answers.get(timeout=LINK_SECONDS)
                    found[name] = answer
                    waiting.remove(name)
            except queue.Empty:
                self._silent.add(waiting.pop(0))
        return found

    def _is_good(self, name: str, entry: os.DirEntry[str], stamp: _Stamp | None) -> bool:
        with suppress(OSError):
            if stamp is None:
                return entry.is_symlink() and self.links.get(name) == os.readlink(entry.path)
            if not entry.is_symlink() and name in self.copies:
                own = _stamp(entry.stat(follow_symlinks=False))
                return self.copies[name] == (stamp, own)
        return False

    def _put(self, name: str, stamp: _Stamp | None) -> None:
        source, target = os.path.join(self.like, name), self.path / name
        if stamp is not None:
            with suppress(OSError):  # unreadable or gone: opening the link below will say so
                shutil.copy(source, target)
                self.copies[name] = (stamp, _stamp(target.stat()))
                return
            target.unlink(missing_ok=True)
        os.symlink(source, target)
        self.links[name] = source


_mirrors: dict[tuple[str, str, int], WorkingDirectory] = {}


def _reusable_mirror(scratch: str, like: str) -> WorkingDirectory:
    key = (scratch, like, os.getpid())
    if key not in _mirrors:
        _mirrors.clear()  # a process serves one experiment after the other
        _mirrors[key] = WorkingDirectory(Path(scratch) / f"worker-{os.getpid()}", like)
    return _mirrors[key]


def _go_back(before: str | None) -> None:
    for directory in (before, tempfile.gettempdir(), "/"):
        if directory is not None:
            with suppress(OSError):
                os.chdir(directory)
                return


def _look(paths: dict[str, str], answers: queue.SimpleQueue[Any]) -> None:
    for name, path in paths.items():
        try:
            answers.put((name, os.stat(path)))
        except OSError as error:
            answers.put((name, error))
        except ValueError as error:
            answers.put((name, OSError(str(error))))


def _to_copy(status: os.stat_result) -> _Stamp | None:
    """The stamp of a file to copy; None for what is linked, also pipes."""
    small = stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_COPY
    return _stamp(status) if small else None


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size


def _remove(path: Path) -> None:
    """Remove a trial's file or directory, also directories that it made unwritable."""
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        shutil.rmtree(path, onerror=_retry_unlocked)


def _retry_unlocked(remove: Any, path: str, _: object) -> None:
    """Retry a failed removal after making the directory writable."""
    with suppress(OSError):
        for directory in (os.path.dirname(path), path):
            if os.path.isdir(directory) and not os.path.islink(directory):
                os.chmod(directory, 0o700)
        if remove in (os.scandir, os.open, os.lstat):
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)


def _entries(path: str | Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(path) as entries:
            found = list(entries)
    except OSError:  # removed or unreadable
        return
    for entry in found:
        yield entry.name, entry


def _below(directory: str, name: str) -> Iterator[tuple[str, Path, int]]:
    """The files below a directory: name, path and size of each."""
    waiting = [(directory, name)]
    while waiting:
        path, before = waiting.pop()
        for own, entry in _entries(path):
            inside = f"{before}/{own}"
            with suppress(OSError):
                if not entry.is_dir(follow_symlinks=False):
                    yield from _file(inside, entry)
                elif own not in _CACHES:
                    waiting.append((entry.path, inside))


def _file(name: str, entry: os.DirEntry[str]) -> Iterator[tuple[str, Path, int]]:
    with suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            yield name, Path(entry.path), status.st_size


def _reason(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{type(error).__name__}: {text}" if type(error) is not OSError else text
