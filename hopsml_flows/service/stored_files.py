"""Reads an experiment's record and summary from storage; a file that is none is told as a problem.

What is no regular file, or too large for one of its kind, is not read.
"""

from __future__ import annotations

from functools import partial

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.service.index.entries import (
    ExperimentEntry,
    SummaryEntries,
    read_entry,
    read_trials,
)
from hopsml_flows.service.index.scan import is_silent
from hopsml_flows.storage import ExperimentPaths, Project, process_lives
from hopsml_flows.storage.reading import LARGEST_RECORD, LARGEST_SUMMARY, content_of

__all__ = ["stored_content", "stored_entry", "stored_summary"]


def stored_entry(project: Project, experiment_id: str) -> ExperimentEntry:
    """Return what an experiment's record says, and whether its driver is gone.

    Args:
        project: The project.
        experiment_id: The whole identifier.

    Raises:
        StorageUnavailableError: Storage refuses the file, or did not answer in time.
    """
    paths = ExperimentPaths(experiment_id)
    try:
        entry = read_entry(experiment_id, content_of(project, paths.record, LARGEST_RECORD))
    except DamagedFileError as error:
        entry = ExperimentEntry(experiment_id, None, error.reason)
    return entry.marked_lost(process_lives, partial(is_silent, project, paths))


def stored_summary(project: Project, experiment_id: str) -> SummaryEntries:
    """Return the trials that an experiment's summary tells of.

    Args:
        project: The project.
        experiment_id: The whole identifier.

    Raises:
        StorageUnavailableError: Storage refuses the file, or did not answer in time.
    """
    path = ExperimentPaths(experiment_id).summary
    try:
        return read_trials(content_of(project, path, LARGEST_SUMMARY))
    except DamagedFileError as error:
        return SummaryEntries(error.reason)


def stored_content(project: Project, path: str) -> bytes | None:
    """Return the content of a program or environment; None without one that can be read.

    Args:
        project: The project.
        path: The file, relative to the project's root.

    Raises:
        StorageUnavailableError: Storage refuses the file, or did not answer in time.
    """
    try:
        return content_of(project, path, LARGEST_RECORD)
    except DamagedFileError:
        return None
