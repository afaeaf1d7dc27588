"""The record of an earlier experiment that somebody names, to go on with it or to learn from it."""

from __future__ import annotations

from hopsml_flows.errors import DamagedFileError, InvalidArgumentError
from hopsml_flows.storage import Project
from hopsml_flows.tracking import ExperimentRecord, read_record

__all__ = ["earlier_record"]


def earlier_record(
    project: Project, experiment_id: str, *, argument: str = "resume", otherwise: str = ""
) -> ExperimentRecord:
    """The record of an experiment of the project.

    Args:
        project: The project.
        experiment_id: The experiment that somebody named.
        argument: By which argument.
        otherwise: What else is allowed there, for the error.

    Raises:
        InvalidArgumentError: There is none, or it cannot be understood.
        StorageUnavailableError: Storage does not say whether there is one.
    """
    try:
        record = read_record(project, experiment_id)
    except DamagedFileError as error:
        raise InvalidArgumentError(
            argument, experiment_id, because=f"its record cannot be read ({error})"
        ) from error
    if record is None:
        raise InvalidArgumentError(
            argument, experiment_id, f"must be {otherwise}an experiment of {project.url}"
        )
    return record
