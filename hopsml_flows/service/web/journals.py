"""What pages need of experiments' journals: what they say of trials, read once per change.

A journal may have tens of megabytes, and each view of a trial or a plot needs it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.service.web.project_files import file_info, file_part
from hopsml_flows.service.web.views.learning_curves import condensed
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials.journal import Journal

__all__ = ["Journals"]

_LARGEST = 1 << 26
"""Most bytes of a journal that is read."""

_LARGE = 1 << 20
"""Bytes from which a journal that grows is not read for each view."""

_SHARE = 20
"""The time between two reads of a large journal is at least this many times that of a read."""

_MOST = 8
"""Most journals of which the entries are kept."""


@dataclass(slots=True)
class _Known:
    """What is known of a journal."""

    version: tuple[int, float | None] | None = None
    entries: Sequence[Mapping[str, Any]] = ()
    due: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Journals:
    """The journals of experiments, condensed. Its methods may be called from several threads.

    Args:
        project: The project.
        clock: A clock that never goes back.
    """

    def __init__(self, project: Project, clock: Callable[[], float] = time.monotonic) -> None:
        self._project = project
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def entries(self, experiment_id: str) -> Sequence[Mapping[str, Any]]:
        """Return what a journal says of trials, with all reports of a trial in one entry.

        Of very many reports of a trial, the entry has an even choice.

        Args:
            experiment_id: The whole identifier.

        Returns:
            The entries; none without a journal that can be read, or if it is too large.
        """
        path = ExperimentPaths(experiment_id).journal
        known = self._used(experiment_id)
        with known.lock:  # one request reads it, and others wait for that
            try:
                info = file_info(self._project, path)
            except FileNotFoundError:
                return ()
            version = (info.size, info.modified)
            if version != known.version and self._clock() >= known.due:
                began = self._clock()
                known.entries = self._read(path, info.size)
                known.version = version
                now = self._clock()
                known.due = now + (_SHARE * (now - began) if info.size > _LARGE else 0.0)
            return known.entries

    def _used(self, experiment_id: str) -> _Known:
        """Return what is known of a journal, which from now on was used last."""
        with self._lock:
            known = self._known.pop(experiment_id, None) or _Known()
            self._known[experiment_id] = known
            for name in list(self._known)[:-_MOST]:
                del self._known[name]
            return known

    def _read(self, path: str, size: int) -> Sequence[Mapping[str, Any]]:
        if size > _LARGEST:
            return ()
        try:
            return condensed(Journal.read(path, file_part(self._project, path, 0, size)).entries)
        except (FileNotFoundError, DamagedFileError):
            return ()
