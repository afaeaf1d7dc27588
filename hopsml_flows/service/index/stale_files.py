"""Removes index files that no one will use again from the machine's cache directory.

Beside each index lies a lock file, which says what the index is of, and whose time is that of the
last use. Who uses an index shares the lock; who removes one has it alone. An index that is removed
by mistake is made again: nothing but time is lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["About", "lock_shared", "remove_files", "remove_stale"]

_DAY = 86400.0

_GONE_SECONDS = 7 * _DAY
"""Unused for so long, the index of a directory that is gone, or of another version, is removed.
A disk may be away for some days, and two versions may be used in turn."""

_UNUSED_SECONDS = 90 * _DAY
"""Unused for so long, any index is removed. Whether a remote project is gone is not asked."""

_LOCK = ".lock"
_PARTS = ("", "-wal", "-shm", "-journal")
_SWEPT = "swept"
_VERSION_AT = 60  # of the user's version in the header of an SQLite file
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class About:
    """What an index is of.

    Args:
        url: The project.
        is_local: Whether the project is a directory of this machine.
        version: Version of the tables.
        host: The machine.
    """

    url: str
    is_local: bool
    version: int
    host: str = ""

    def to_json(self) -> bytes:
        """Return the content of a lock file."""
        return json.dumps(asdict(self)).encode()


def lock_shared(path: Path, about: About) -> int:
    """Share the lock of an index: nothing removes it until the lock is closed.

    Args:
        path: The index.
        about: What it is of.

    Returns:
        The descriptor that holds the lock.

    Raises:
        OSError: The directory cannot be used.
    """
    while True:
        lock = os.open(f"{path}{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if _is_there(lock, path):
                _write_about(lock, about)
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # the index was removed between the two


def remove_files(path: Path) -> None:
    """Remove the files of an index, but not its lock, which the caller has alone.

    Args:
        path: The index.

    Raises:
        OSError: They cannot be removed.
    """
    for part in _PARTS:
        Path(f"{path}{part}").unlink(missing_ok=True)


def remove_stale(directory: Path, version: int, *, now: float | None = None) -> list[Path]:
    """Remove the index files of a directory that no one will use again; at most once a day.

    Several processes may do this at the same time, and use indexes meanwhile. Errors are ignored.

    Args:
        directory: The directory.
        version: The present version of the tables.
        now: The present time, in seconds since 1970; None for that of the clock.

    Returns:
        The indexes that were removed.
    """
    time_now = time.time() if now is None else now
    removed = []
    with suppress(OSError):
        if _is_due(directory / _SWEPT, time_now):
            names = {entry.name for entry in os.scandir(directory)}
            for name in sorted({n.partition(".sqlite")[0] for n in names if ".sqlite" in n}):
                path = directory / f"{name}.sqlite"
                if _is_stale(path, version, time_now) and _remove_alone(path, version, time_now):
                    removed.append(path)
    return removed


def _is_due(mark: Path, now: float) -> bool:
    """Whether the last look was a day ago; the present one is marked."""
    with suppress(FileNotFoundError):
        if abs(now - mark.stat().st_mtime) < _DAY:
            return False
    mark.touch(mode=0o600)
    os.utime(mark, (now, now))
    return True


def _is_stale(path: Path, version: int, now: float) -> bool:
    unused = now - _last_use(path)
    if unused < _GONE_SECONDS:
        return False
    if unused > _UNUSED_SECONDS:
        return True
    about = _read_about(path)
    if about is None:  # of an older version, which wrote nothing about it
        return _version_of(path) != version
    if about.version != version:
        return True
    # A directory of another machine that shares this one's home may well exist there.
    return about.is_local and about.host == socket.gethostname() and not os.path.isdir(about.url)


def _remove_alone(path: Path, version: int, now: float) -> bool:
    """Remove an index and its lock; whether that could be done, as no process uses it."""
    with suppress(OSError), _locked_alone(path) as alone:
        # Looked at again: it may have been used, or removed and made, before the lock was had.
        if alone and _is_stale(path, version, now):
            remove_files(path)
            os.unlink(f"{path}{_LOCK}")
            return True
    return False


@contextmanager
def _locked_alone(path: Path) -> Iterator[bool]:
    lock = os.open(f"{path}{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield _is_there(lock, path)
    finally:
        os.close(lock)


def _is_there(lock: int, path: Path) -> bool:
    """Whether an open lock is still the one that other processes find."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock), os.stat(f"{path}{_LOCK}"))
    return False


def _last_use(path: Path) -> float:
    times = []
    for part in (*_PARTS, _LOCK):
        with suppress(OSError):
            times.append(os.stat(f"{path}{part}").st_mtime)
    return max(times, default=0.0)


def _write_about(lock: int, about: About) -> None:
    # Those who share the lock write the same, apart from versions of this package.
    content = About(about.url, about.is_local, about.version, socket.gethostname()).to_json()
    os.pwrite(lock, content, 0)
    os.ftruncate(lock, len(content))
    os.utime(lock)


def _read_about(path: Path) -> About | None:
    try:
        with open(f"{path}{_LOCK}", "rb") as file:
            told: Any = json.loads(file.read(_LONGEST))
        about = About(**told)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    is_right = isinstance(about.url, str) and isinstance(about.version, int)
    return about if is_right and isinstance(about.host, str) else None


def _version_of(path: Path) -> int | None:
    # Not with SQLite: to open a file of another version, or in use elsewhere, may change it.
    try:
        with path.open("rb") as file:
            header = file.read(_VERSION_AT + 4)
    except OSError:
        return None
    return int.from_bytes(header[_VERSION_AT:], "big")
