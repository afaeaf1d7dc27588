"""Reading a log that may still grow, in whole lines, from where it was read to before.

A log on storage grows at its end or is replaced by a longer one that begins alike. One that was
cut, or written again, is read from its beginning again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from hopsml_flows.storage import Project
from hopsml_flows.storage.retries import answer_limit, persistently

__all__ = ["LogReader"]

CHUNK = 1 << 20
"""Most bytes that are read at once, and held."""

_MARK = 64
"""Bytes before the place reached that are read again: if they differ, it is another log."""

_FIRST_STEP = 1 << 16

T = TypeVar("T")


class LogReader:
    """Reads one log.

    Args:
        project: Where it lies.
        path: The log; it need not be there yet.
        lines: Begin with so many lines from the end of what there is when it is first read; None
            for all of them.
    """

    def __init__(self, project: Project, path: str, lines: int | None = None) -> None:
        self._project = project
        self._path = path
        self._lines = lines
        self._at = 0
        self._mark = b""
        self._partial = b""
        self.anew = 0

    def read(self, size: int | None = None) -> Iterator[bytes]:
        """Read the lines that came since, or of what there is at first.

        ``anew`` counts how often the log turned out to be another one than what was read before.

        Args:
            size: The log's size, if the caller knows it.

        Yields:
            Whole lines, many at once.

        Raises:
            OSError: Storage was away for too long, or refuses.
        """
        lines, self._lines = self._lines, None
        try:
            if size is None:
                size = self._ask(lambda: self._project.info(self._path)).size
            if lines is not None:
                self._at = self._last_lines(size, lines)
            yield from self._up_to(size)
        except FileNotFoundError:  # not there yet, or no more
            return

    def skip_to(self, size: int) -> None:
        """Take what there is up to so many bytes for read."""
        self._at, self._mark, self._partial, self._lines = size, b"", b"", None

    def rest(self) -> bytes:
        """What was read of a last line that has no end, with one; nothing if there is none."""
        rest, self._partial = self._partial, b""
        return rest and rest + b"\n"

    def _up_to(self, size: int) -> Iterator[bytes]:
        if size < self._at:
            self._begin_anew()
        while self._at < size:
            start = self._at - len(self._mark)
            data = self._part(start, min(size, self._at + CHUNK))
            if not data.startswith(self._mark):
                self._begin_anew()
                continue
            if len(data) == len(self._mark):  # it is being replaced
                return
            self._at = start + len(data)
            added, self._mark = data[len(self._mark) :], data[-_MARK:]
            lines, end, rest = (self._partial + added).rpartition(b"\n")
            if not end and len(rest) > CHUNK:  # no log of this project has such a line
                lines, end, rest = rest, b"\n", b""
            self._partial = rest
            if end:
                yield lines + end

    def _begin_anew(self) -> None:
        self.anew += 1
        self._at, self._mark, self._partial = 0, b"", b""

    def _last_lines(self, size: int, count: int) -> int:
        """Where the last lines begin; a line without an end counts, and is never cut."""
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
