"""The reader of records and summaries for those who go on from them, and must not guess.

All functions have the same outcomes. None: storage says that the file does not exist.
:class:`DamagedFileError`: the file exists and cannot be understood.
:class:`StorageUnavailableError`: storage refuses the file, or did not answer within the time limit.
Transient errors are retried until then. A record of a newer version is read without the keys that
this version does not know.
"""

from __future__ import annotations

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.reading import LARGEST_RECORD, LARGEST_SUMMARY, content_of
from hopsml_flows.tracking.record import ExperimentRecord
from hopsml_flows.trials import Past, TrialResult, past_trials
from hopsml_flows.trials.trial_files import told_trials

__all__ = ["intact_record", "read_record", "read_summary", "read_trials"]


def read_record(project: Project, experiment_id: str) -> ExperimentRecord | None:
    """Return the record of an experiment, or None if it has none.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Raises:
        DamagedFileError: The record exists and cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    path = ExperimentPaths(experiment_id).record
    content = content_of(project, path, LARGEST_RECORD)
    if content is None:
        return None
    try:
        return ExperimentRecord.from_json(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(project.full(path), f"is no record ({error})") from error


def intact_record(project: Project, experiment_id: str) -> ExperimentRecord | None:
    """Return the record of an experiment, or None if it has no record or a damaged one.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Raises:
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    try:
        return read_record(project, experiment_id)
    except DamagedFileError:
        return None


def read_summary(project: Project, experiment_id: str) -> tuple[list[Past], int] | None:
    """Return the finished trials of an experiment. Reads one file for any number of trials.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Returns:
        The trials, and the number of entries that cannot be read; None if there is no summary.

    Raises:
        DamagedFileError: The summary exists and cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    path = ExperimentPaths(experiment_id).summary
    content = content_of(project, path, LARGEST_SUMMARY)
    return None if content is None else past_trials(project.full(path), content)


def read_trials(project: Project, experiment_id: str) -> list[TrialResult]:
    """Return the trials of an experiment that have ended, however; none if it has no summary.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Raises:
        DamagedFileError: The summary exists and cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    path = ExperimentPaths(experiment_id).summary
    content = content_of(project, path, LARGEST_SUMMARY)
    return [] if content is None else told_trials(project.full(path), content)
