"""Notes which files of projects a trial reads; outside of a trial, nothing.

A note never fails and never waits long: what storage does not say at once is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from hopsml_flows.errors import NotInTrialError
from hopsml_flows.execution import TrialContext, current_trial
from hopsml_flows.hdfs.places import Place
from hopsml_flows.storage import FileInfo, Project
from hopsml_flows.storage.time_limit import within
from hopsml_flows.trials import InputFile

__all__ = ["note_files", "note_model", "note_read"]

_SECONDS = 5.0
"""Longest wait for what storage says of a file that was just read."""


def note_read(place: Place, size: int | None = None) -> None:
    """Note that a file was read, as storage describes it now.

    Args:
        place: The file.
        size: The bytes that were read, if that is known.
    """
    trial = _trial()
    if trial is None:
        return
    path = _path(trial, place.project, place.path)
    told: FileInfo | None = None
    if not trial.lineage.knows(path):  # else it costs no request
        limit = _SECONDS if place.project.local_root is None else None
        with suppress(Exception):  # each file system has errors of its own
            told = within(limit, lambda: place.project.info(place.path))
    length = size if told is None else told.size
    modified = None if told is None else told.modified
    trial.lineage.add_inputs([InputFile(path, length, modified)])


def note_files(project: Project, files: Iterable[FileInfo]) -> None:
    """Note that files were read, which are described already.

    Args:
        project: Their project.
        files: The files.
    """
    trial = _trial()
    if trial is not None:
        trial.lineage.add_inputs(
            InputFile(_path(trial, project, file.name), file.size, file.modified) for file in files
        )


def note_model(project: Project, directory: str, size: int, modified: float | None) -> None:
    """Note that a version of a model was read, as one thing.

    Args:
        project: Its project.
        directory: Its directory.
        size: The bytes of its files.
        modified: When it was exported, seconds since 1970; None if that is not known.
    """
    note_files(project, [FileInfo(directory, size, is_directory=True, modified=modified)])


def _trial() -> TrialContext | None:
    try:
        return current_trial()
    except NotInTrialError:
        return None


def _path(trial: TrialContext, project: Project, path: str) -> str:
    """Return a path relative to the experiment's project, or a full one where it lies elsewhere."""
    return path if project.url == trial.project.url else project.full(path)
