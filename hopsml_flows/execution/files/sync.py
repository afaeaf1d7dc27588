"""Upload a trial's files to the project while it runs, and completely at its end.

One thread of the process serves all trials that run in it. Logs and event files only grow: a small
one is replaced whole, to a larger one the new part is appended. After a failed append, which may
have arrived in part, the whole file is written again. Any other file is uploaded once it has
stopped changing, so that no half-written checkpoint is seen. What fails while the trial runs is
tried again in a later round; only a failure at the end counts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hopsml_flows.redaction import redacted
from hopsml_flows.storage import Project, TrialFiles, is_log, is_own_file
from hopsml_flows.storage.retries import PATIENCE_SECONDS, answer_limit, persistently
from hopsml_flows.storage.time_limit import within

__all__ = ["SYNC_SECONDS", "Sync"]

SYNC_SECONDS = 10.0
"""Default number of seconds between two uploads of a running trial's files."""

WHOLE_UP_TO = 1 << 20
"""Growing files up to so many bytes are written whole: one request, and no partial append."""

_PARALLEL = 4
"""Parallel uploads at the end: small files cost latency, not bandwidth."""

_LONGEST_PAUSE = 60.0

_AT_ONCE = frozenset({TrialFiles.HPARAMS, TrialFiles.EVENTS_START})

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Stamp:
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class _Uploaded:
    """The state of a file in the project.

    Args:
        stamp: The local file's stamp just before it was read.
        size: Bytes in the project; a file may grow while it is read.
    """

    stamp: _Stamp
    size: int


class Sync:
    """Uploads the files of one trial's local directory to the project.

    Args:
        project: The project.
        directory: The local directory.
        target: Maps a file's name, relative to the directory, to its path in the project.
        files: Lists the local files.
        seconds: Seconds between two uploads while the trial runs.
        only_log: While the trial runs, upload only the log and the files that say that it began.
    """

    def __init__(
        self,
        project: Project,
        directory: Path,
        target: Callable[[str], str],
        files: Callable[[], list[Path]],
        *,
        seconds: float = SYNC_SECONDS,
        only_log: bool = False,
    ) -> None:
        self._project = project
        self._directory = directory
        self._target = target
        self._files = files
        self._only_log = only_log
        self.seconds = seconds
        self._lock = threading.Lock()
        self._over = False
        self._uploaded: dict[str, _Uploaded] = {}
        self._seen: dict[str, _Stamp] = {}
        self._doubtful: set[str] = set()
        self._log_has = 0

    def start(self, *, log_has: int = 0) -> None:
        """Begin to upload files at intervals.

        Args:
            log_has: Bytes of the log that the project already has from an earlier attempt.
        """
        self._log_has = log_has
        _rounds.add(self)

    def also_in(self, seconds: float) -> None:
        """Upload files once more after so many seconds: it may be the last chance."""
        _rounds.hasten(self, seconds)

    def stop(self) -> None:
        """Stop uploads at intervals."""
        self._over = True
        _rounds.remove(self)

    def round(self) -> None:
        """Upload the changed files that may be uploaded while the trial runs.

        Raises:
            Exception: Storage's error on the first file that failed. The others were tried too.
        """
        with self._lock:
            failed: list[Exception] = []
            if self._over:
                return
            for name, stamp in self._select_ready(sorted(self._scan(), key=_upload_order)):
                try:
                    within(self._limit(stamp), partial(self._upload, name, stamp))
                except Exception as error:  # each file system has errors of its own
                    failed.append(error)
        if failed:
            raise failed[0]

    def finish(self, last: str = "") -> None:
        """Upload all that the project lacks, and remove uploaded files that are gone here.

        Args:
            last: A file to upload after all others, for readers that wait for it.

        Raises:
            TimeoutError: A round of uploads is still waiting for storage.
            Exception: Storage's last error, after the time that storage has to come back.
        """
        self.stop()
        # The thread's round has a limit per file, and may have many files: do not wait forever.
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            raise TimeoutError("storage did not answer a request")
        try:
            files = list(self._scan())
            changed = [(name, stamp) for name, stamp in files if self._differs(name, stamp)]
            first = [entry for entry in changed if entry[0] != last]
            if len(first) > 1:
                with ThreadPoolExecutor(_PARALLEL, "hopsml-flush") as pool:
                    for done in [pool.submit(self._persist, *entry) for entry in first]:
                        done.result()
            elif first:
                self._persist(*first[0])
            for entry in changed:
                if entry not in first:
                    self._persist(*entry)
            for name in self._uploaded.keys() - {name for name, _ in files}:
                with suppress(FileNotFoundError):
                    persistently(
                        partial(self._project.remove, self._target(name)),
                        limit=answer_limit(self._project),
                    )
                del self._uploaded[name]
        finally:
            self._lock.release()

    def _persist(self, name: str, stamp: _Stamp) -> None:
        persistently(lambda: self._upload(name, stamp), limit=self._limit(stamp))

    def _limit(self, stamp: _Stamp) -> float | None:
        return answer_limit(self._project, stamp.size)

    def _scan(self) -> Iterable[tuple[str, _Stamp]]:
        for file in self._files():
            with suppress(FileNotFoundError):  # removed meanwhile
                found = file.stat()
                name = file.relative_to(self._directory).as_posix()
                yield name, _Stamp(found.st_size, found.st_mtime_ns)

    def _select_ready(self, files: Iterable[tuple[str, _Stamp]]) -> Iterable[tuple[str, _Stamp]]:
        for name, stamp in files:
            if self._only_log and not (is_log(name) or name in _AT_ONCE):
                continue
            resting = _grows(name) or is_own_file(name) or self._seen.get(name) == stamp
            self._seen[name] = stamp
            if resting and self._differs(name, stamp):
                yield name, stamp

    def _differs(self, name: str, stamp: _Stamp) -> bool:
        uploaded = self._uploaded.get(name)
        if uploaded is None:
            return True
        return uploaded.stamp != stamp and not (_grows(name) and uploaded.size == stamp.size)

    def _upload(self, name: str, stamp: _Stamp) -> None:
        file, target = self._directory / name, self._target(name)
        if not _grows(name):
            self._project.upload(file, target)
            self._uploaded[name] = _Uploaded(stamp, stamp.size)
            return
        uploaded = self._uploaded.get(name)
        has = uploaded.size if uploaded else (self._log_has if is_log(name) else 0)
        append = WHOLE_UP_TO < has < stamp.size and name not in self._doubtful
        if append:
            self._doubtful.add(name)
            data = _content(file, start=has)
            self._project.append(target, data)
            has += len(data)
        elif stamp.size > WHOLE_UP_TO:
            self._project.upload(file, target)
            has = self._project.info(target).size  # it may have grown meanwhile
        else:
            if uploaded is None:
                self._project.make_directory(target.rpartition("/")[0])
            data = _content(file)
            self._project.replace(target, data)
            has = len(data)
        self._doubtful.discard(name)
        self._uploaded[name] = _Uploaded(stamp, has)


class _Rounds:
    """The one thread of the process, which uploads the files of its running trials."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Sync, float] = {}
        self._also: dict[Sync, float] = {}
        self._failures: dict[Sync, int] = {}
        self._thread: threading.Thread | None = None

    def add(self, sync: Sync) -> None:
        with self._changed:
            self._due[sync] = time.monotonic() + sync.seconds
            self._failures[sync] = 0
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hopsml-sync", daemon=True)
                self._thread.start()
            self._changed.notify()

    def hasten(self, sync: Sync, seconds: float) -> None:
        with self._changed:
            if sync in self._due:
                self._also[sync] = time.monotonic() + seconds
                self._due[sync] = min(self._due[sync], self._also[sync])
                self._changed.notify()

    def remove(self, sync: Sync) -> None:
        with self._changed:
            for kept in (self._due, self._also, self._failures):
                kept.pop(sync, None)

    def _run(self) -> None:
        while True:
            sync = self._next()
            try:
                sync.round()
            except Exception as error:  # a later round tries again; only the end counts
                self._plan_next(sync, failed=True)
                _logger.warning(
                    "storage did not accept a running trial's files; they are tried again (%s: %s)",
                    type(error).__name__,
                    redacted(str(error)),
                )
            else:
                self._plan_next(sync, failed=False)

    def _next(self) -> Sync:
        """Wait until a trial is due, and return its sync."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = min(self._due, key=self._due.__getitem__, default=None)
                if due is not None and self._due[due] <= now:
                    return due
                self._changed.wait(None if due is None else self._due[due] - now)

    def _plan_next(self, sync: Sync, *, failed: bool) -> None:
        with self._changed:
            if sync not in self._due:
                return
            self._failures[sync] = self._failures[sync] + 1 if failed else 0
            pause = sync.seconds
            if failed:
                pause = max(pause, min(pause * 2.0 ** self._failures[sync], _LONGEST_PAUSE))
            now = time.monotonic()
            also = self._also.get(sync, 0.0)
            self._due[sync] = min(now + pause, also) if also > now else now + pause


_rounds = _Rounds()


def _grows(name: str) -> bool:
    """Whether a file only grows: logs and TensorBoard's event files."""
    return is_log(name) or "tfevents" in name.rpartition("/")[2]


def _upload_order(entry: tuple[str, _Stamp]) -> tuple[bool, int, str]:
    """Sort key: the log first, since users need it when the worker dies; then the oldest file.

    So a checkpoint's parts, which are written first, are uploaded before the file that names them.
    """
    name, stamp = entry
    return not is_log(name), stamp.mtime_ns, name


def _content(file: Path, *, start: int = 0) -> bytes:
    with file.open("rb") as source:
        source.seek(start)
        return source.read()
