"""The one reader of what an experiment says of itself: its record and its summary.

Every reader has the same outcomes. None means that storage says there is no such file.
:class:`DamagedFileError` names a file that is there and cannot be understood.
:class:`StorageUnavailableError` means that storage refuses the file, or did not answer within the
usual patience. Errors that may pass are waited out. A record of a newer version is read, without
the keys that this version does not know.
"""

from __future__ import annotations

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.reading import content_of
from hopsml_flows.tracking.record import ExperimentRecord
from hopsml_flows.trials import Past, past_trials

__all__ = ["intact_record", "read_record", "read_summary"]


def read_record(project: Project, experiment_id: str) -> ExperimentRecord | None:
    """Return the record of an experiment, or None if it has none.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Raises:
        DamagedFileError: There is a record, and it cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    path = ExperimentPaths(experiment_id).record
    content = content_of(project, path)
    if content is None:
        return None
    try:
        return ExperimentRecord.from_json(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(project.full(path), f"is no record ({error})") from error


def intact_record(project: Project, experiment_id: str) -> ExperimentRecord | None:
    """Return the record of an experiment, or None if it has none that can be understood.

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
    """Return the finished trials of an experiment: one file, however many they are.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Returns:
        The trials, and the number of entries that cannot be read; None if there is no summary.

    Raises:
        DamagedFileError: There is a summary, and it cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    path = ExperimentPaths(experiment_id).summary
    content = content_of(project, path)
    return None if content is None else past_trials(project.full(path), content)
