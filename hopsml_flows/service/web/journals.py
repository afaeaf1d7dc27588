"""What pages need of experiments' journals: what they say of trials, read once per change.

A journal may have tens of megabytes, and each view of a trial or a plot needs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.service.web.kept import Kept
from hopsml_flows.service.web.project_files import file_info, file_part
from hopsml_flows.service.web.views.learning_curves import condensed
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials.journal import Journal

__all__ = ["Journals"]

_LARGEST = 1 << 26
"""Most bytes of a journal that is read."""

_LARGE = 1 << 20
"""Bytes from which a journal that grows is not read for each view."""

_MOST = 8
"""Most journals of which the entries are kept."""


class Journals:
    """The journals of experiments, condensed. Its methods may be called from several threads.

    Args:
        project: The project.
        clock: A clock that never goes back.
    """

    def __init__(self, project: Project, clock: Callable[[], float] = time.monotonic) -> None:
        self._project = project
        self._kept: Kept[Sequence[Mapping[str, Any]]] = Kept(_MOST, clock)

    def entries(self, experiment_id: str, *, grows: bool) -> Sequence[Mapping[str, Any]]:
        """Return what a journal says of trials, with all reports of a trial in one entry.

        Of very many reports of a trial, the entry has an even choice.

        Args:
            experiment_id: The whole identifier.
            grows: Whether the experiment runs: then what a large journal said a moment ago will do.

        Returns:
            The entries; none without a journal that can be read, or if it is too large.
        """
        path = ExperimentPaths(experiment_id).journal
        try:
            info = file_info(self._project, path)
        except FileNotFoundError:
            return ()
        return self._kept.get(
            experiment_id,
            (info.size, info.modified),
            lambda: self._read(path, info.size),
            may_be_old=grows and info.size > _LARGE,
        )

    def _read(self, path: str, size: int) -> Sequence[Mapping[str, Any]]:
        if size > _LARGEST:
            return ()
        try:
            return condensed(Journal.read(path, file_part(self._project, path, 0, size)).entries)
        except (FileNotFoundError, DamagedFileError):
            return ()
