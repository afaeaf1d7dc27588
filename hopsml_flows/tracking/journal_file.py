"""Writes ``journal.jsonl``: what an asynchronous search was told and what it decided, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopsml_flows.storage.retries import replace_file

if TYPE_CHECKING:
    from hopsml_flows.storage import ExperimentPaths, Project

__all__ = ["JournalFile"]

_MIN_SECONDS = 2.0
_SHARE = 0.02
"""Largest share of the time that goes into rewriting, where a file cannot grow."""


class JournalFile:
    """Collects the lines of a journal, and writes them.

    On this machine's disk each line is written at once: it is there if the driver is killed. On
    remote storage the whole file is replaced at intervals, by a thread, and a driver that is killed
    loses the last lines; resume finds the trials of those in their directories.

    Only where the file cannot grow are all lines in memory.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        lines: The lines that it begins with; they are not written before another one is added.
        exists: Whether those lines are in the file.
    """

    def __init__(
        self, project: Project, paths: ExperimentPaths, lines: str, *, exists: bool
    ) -> None:
        self._project = project
        self._path = paths.journal
        self._is_local = project.local_root is not None
        self._grows = self._is_local and exists
        self._size = len(lines.encode()) if self._grows else 0
        """Bytes of the file that this one does not hold in memory; a part of a line may follow."""
        self._lines = [] if self._grows else [lines]
        self._is_whole = exists
        self._upload: _Upload | None = None
        self._due = 0.0

    @property
    def is_due(self) -> bool:
        """Whether :meth:`write_behind` has something to do."""
        if self._upload is not None:
            return self._upload.is_over
        return not self._is_whole and time.monotonic() >= self._due

    def add(self, line: str) -> None:
        """Add a line. On this machine's disk it is written at once, if the disk takes it.

        Args:
            line: The line, with its end.
        """
        if self._grows:
            try:
                self._project.append(self._path, line)
            except OSError:  # a part of the line may be there: the file is replaced later
                self._grows = False
            else:
                self._size += len(line.encode())
                return
        self._lines.append(line)
        self._is_whole = False

    def write_behind(self) -> None:
        """Begin to write the whole file, if it lacks lines; on remote storage, do not wait for it.

        Raises:
            Exception: Storage's error. On remote storage it is that of the write before.
        """
        if self._is_local:
            self.write(patience=0)
        elif self._upload is None or self._upload.is_over:
            error = self._finish_upload()
            if error is not None:
                raise error
            if self.is_due:
                self._upload = _Upload(self._project, self._path, self._lines)

    def write(self, *, patience: float | None = None) -> None:
        """Write the whole file, if it lacks lines, and wait until that is done.

        Args:
            patience: Seconds to retry while storage is unavailable; None for the default.

        Raises:
            Exception: Storage's last error.
        """
        self._finish_upload()  # if it failed, the next try counts
        if self._is_whole:
            return
        began = time.monotonic()
        content = self._kept_on_disk() + "".join(self._lines).encode()
        replace_file(self._project, self._path, content, patience=patience)
        self._written(time.monotonic() - began)
        if self._is_local:
            self._grows = True
            self._size = len(content)
            self._lines.clear()

    def _kept_on_disk(self) -> bytes:
        """The whole lines of the file that are not in memory."""
        if not self._size:
            return b""
        kept = self._project.read(self._path, 0, self._size)
        return kept[: kept.rfind(b"\n") + 1]

    def _written(self, seconds: float) -> None:
        """Take note that the file has all lines, which took so long."""
        self._is_whole = True
        self._due = time.monotonic() + max(_MIN_SECONDS, seconds / _SHARE)

    def _finish_upload(self) -> Exception | None:
        """Wait for an upload that was begun; return storage's error if it took nothing."""
        upload, self._upload = self._upload, None
        if upload is None:
            return None
        upload.join()
        if upload.error is None:
            self._written(upload.seconds)
            self._is_whole = upload.count == len(self._lines)
        return upload.error


class _Upload:
    """A thread that replaces the file by the lines that are there now.

    Args:
        project: The experiment's project.
        path: The file.
        lines: The lines; others may be added meanwhile.
    """

    def __init__(self, project: Project, path: str, lines: Sequence[str]) -> None:
        self._project = project
        self._path = path
        self._lines = lines
        self.count = len(lines)
        self.seconds = 0.0
        self.error: Exception | None = None
        # The process need not wait for it: a file is replaced whole or not at all.
        self._thread = threading.Thread(target=self._run, name="hopsml-journal", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            content = "".join(self._lines[: self.count])
            replace_file(self._project, self._path, content, patience=0)
        except Exception as error:  # raised in the driver's thread
            self.error = error
        self.seconds = time.monotonic() - began
