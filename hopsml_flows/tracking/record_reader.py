"""The one reader of experiments' records: patient, and clear about what it found."""

from __future__ import annotations

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.reading import content_of
from hopsml_flows.tracking.record import ExperimentRecord

__all__ = ["read_record"]


def read_record(project: Project, experiment_id: str) -> ExperimentRecord | None:
    """The record of an experiment, or None where it has none.

    Errors of storage that may pass are waited out.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.

    Raises:
        DamagedFileError: There is a record, and it cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer for as long as is waited.
    """
    path = ExperimentPaths(experiment_id).record
    content = content_of(project, path)
    if content is None:
        return None
    try:
        return ExperimentRecord.from_json(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(project.full(path), f"is no record ({error})") from error
