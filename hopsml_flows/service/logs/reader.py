"""Read a log that may still grow: whole lines, from where the last read stopped.

A log on storage grows at its end, or is replaced by a longer one with the same beginning. A log
that was cut or rewritten is read from its beginning again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from hopsml_flows.storage import Project
from hopsml_flows.storage.retries import answer_limit, persistently

__all__ = ["LogReader"]

CHUNK = 1 << 20
"""Most bytes read at once, and kept in memory."""

_MARK = 64
"""Bytes before the current position that are read again. If they differ, the log is another one."""

_FIRST_STEP = 1 << 16

T = TypeVar("T")


class LogReader:
    """Reads one log.

    Args:
        project: The project.
        path: The log's path; the log need not exist yet.
        lines: Begin with this many lines from the log's end at the first read; None for all.
    """

    def __init__(self, project: Project, path: str, lines: int | None = None) -> None:
        self._project = project
        self._path = path
        self._lines = lines
        self._at = 0
        self._mark = b""
        self._partial = b""
        self.restarts = 0

    def read(self, size: int | None = None) -> Iterator[bytes]:
        """Read the lines added since the last read.

        ``restarts`` counts how often the log was found cut or rewritten.

        Args:
            size: The log's size, if the caller knows it.

        Yields:
            Whole lines, many at once; nothing if the log does not exist.

        Raises:
            OSError: Storage refused, or was unavailable for too long.
        """
        lines, self._lines = self._lines, None
        try:
            if size is None:
                size = self._ask(lambda: self._project.info(self._path)).size
            if lines is not None:
                self._at = self._last_lines(size, lines)
            yield from self._up_to(size)
        except FileNotFoundError:  # not written yet, or removed
            return

    def skip_to(self, size: int) -> None:
        """Continue after the first ``size`` bytes, as if they had been read."""
        self._at, self._mark, self._partial, self._lines = size, b"", b"", None

    def rest(self) -> bytes:
        """Return and forget an unfinished last line, with a line end; b"" if there is none."""
        rest, self._partial = self._partial, b""
        return rest and rest + b"\n"

    def _up_to(self, size: int) -> Iterator[bytes]:
        if size < self._at:
            self._restart()
        while self._at < size:
            start = self._at - len(self._mark)
            data = self._part(start, min(size, self._at + CHUNK))
            if not data.startswith(self._mark):
                self._restart()
                continue
            if len(data) == len(self._mark):  # the log is being replaced
                return
            self._at = start + len(data)
            added, self._mark = data[len(self._mark) :], data[-_MARK:]
            lines, end, rest = (self._partial + added).rpartition(b"\n")
            if not end and len(rest) > CHUNK:  # hopsml-flows writes no line this long
                lines, end, rest = rest, b"\n", b""
            self._partial = rest
            if end:
                yield lines + end

    def _restart(self) -> None:
        self.restarts += 1
        self._at, self._mark, self._partial = 0, b"", b""

    def _last_lines(self, size: int, count: int) -> int:
        """Return the position of the last lines. An unfinished line counts as one."""
        start, step, ends = size, _FIRST_STEP, -1
        while start > 0:
            start, stop = max(0, start - step), start
            block = self._part(start, stop)
            if ends < 0:
                ends = count + 1 if block.endswith(b"\n") else max(count, 1)
            position = len(block)
            while (position := block.rfind(b"\n", 0, position)) >= 0:
                ends -= 1
                if ends == 0:
                    return start + position + 1
            step = min(4 * step, CHUNK)
        return 0

    def _part(self, start: int, stop: int) -> bytes:
        return self._ask(lambda: self._project.read(self._path, start, stop), stop - start)

    def _ask(self, action: Callable[[], T], size: int = 0) -> T:
        return persistently(action, limit=answer_limit(self._project, size))
