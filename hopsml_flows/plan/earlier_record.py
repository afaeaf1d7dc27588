"""Records of earlier experiments, which a plan continues or learns from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hopsml_flows.errors import DamagedFileError, InvalidArgumentError
from hopsml_flows.storage import Project
from hopsml_flows.tracking import ExperimentRecord, read_record
from hopsml_flows.user_warnings import warn

__all__ = ["earlier_record", "intact_records"]


def earlier_record(
    project: Project, experiment_id: str, *, argument: str = "resume", otherwise: str = ""
) -> ExperimentRecord:
    """Return the record of an experiment that the user named.

    Args:
        project: The project.
        experiment_id: The experiment's identifier.
        argument: The argument that names it.
        otherwise: What else is allowed there, for the error.

    Raises:
        InvalidArgumentError: There is no record, or it cannot be understood.
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


def intact_records(
    project: Project, experiment_ids: Iterable[str], complaint: str
) -> Iterator[ExperimentRecord]:
    """Yield the records of experiments one by one, without missing and damaged ones.

    An experiment has no record while it is being made, or if it ended before it wrote one.

    Args:
        project: The project.
        experiment_ids: The experiments' identifiers.
        complaint: The beginning of the warning about a damaged record, before the identifier.

    Raises:
        StorageUnavailableError: Storage does not say whether there is one.
    """
    for experiment_id in experiment_ids:
        try:
            record = read_record(project, experiment_id)
        except DamagedFileError as error:
            warn(f"{complaint} {experiment_id}: {error}")
            continue
        if record is not None:
            yield record
