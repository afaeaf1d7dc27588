"""Writes ``journal.jsonl``: what an asynchronous search was told and what it decided, in order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hopsml_flows.storage.retries import replace_file

if TYPE_CHECKING:
    from hopsml_flows.storage import ExperimentPaths, Project

__all__ = ["JournalFile"]

_MIN_SECONDS = 2.0
_SHARE = 0.02
"""Largest share of the driver's time that goes into rewriting, where a file cannot grow."""


class JournalFile:
    """Collects the lines of a journal, and writes them.

    On this machine's disk each line is written at once: it is there if the driver is killed. On
    remote storage the whole file is replaced at intervals, and a driver that is killed loses the
    last lines; resume finds the trials of those in their directories.

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
        self._lines = [lines]
        self._grows = project.local_root is not None and exists
        self._is_whole = exists
        self._due = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the file lacks lines and the interval has passed."""
        return not self._is_whole and time.monotonic() >= self._due

    def add(self, line: str) -> None:
        """Add a line. On this machine's disk it is written at once, if the disk takes it.

        Args:
            line: The line, with its end.
        """
        self._lines.append(line)
        if self._grows:
            try:
                self._project.append(self._path, line)
            except OSError:  # a part of the line may be there: the file is replaced later
                self._grows = False
        self._is_whole = self._grows

    def write(self, *, patience: float | None = None) -> None:
        """Write the whole file, if it lacks lines.

        Args:
            patience: Seconds to retry while storage is unavailable; None for the default.
        """
        if self._is_whole:
            return
        began = time.monotonic()
        content = "".join(self._lines)
        replace_file(self._project, self._path, content, patience=patience)
        self._is_whole = True
        self._grows = self._project.local_root is not None
        now = time.monotonic()
        self._due = now + max(_MIN_SECONDS, (now - began) / _SHARE)
