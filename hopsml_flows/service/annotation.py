"""Adds tags and a note to an experiment that is over: the user's own words, in its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from hopsml_flows.errors import ExperimentRunningError, NotFoundError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.lease import take_lease
from hopsml_flows.storage.retries import replace_file
from hopsml_flows.text import one_line, readable
from hopsml_flows.tracking import read_record

__all__ = ["annotate_experiment"]

_LONGEST_TAG = 100
_LONGEST_NOTE = 100_000


def annotate_experiment(
    project: Project,
    experiment_id: str,
    *,
    tags: Iterable[str],
    note: str,
    notice: Callable[[str], None],
) -> None:
    """Replace the tags and the note in an experiment's record.

    Takes the experiment's lease first, as a driver does: the record of an experiment that runs is
    its driver's.

    Args:
        project: The project.
        experiment_id: The whole identifier.
        tags: The tags that it has from now on.
        note: The note; "" for none.
        notice: Called with the reason when this waits for the lease.

    Raises:
        ExperimentRunningError: A driver runs the experiment.
        NotFoundError: There is no such experiment any more, or it has no record.
        DamagedFileError: Its record cannot be understood.
        StorageUnavailableError: Storage refuses the record, or did not answer in time.
    """
    paths = ExperimentPaths(experiment_id)
    if not project.exists(paths.record):
        raise NotFoundError("ID", experiment_id, because="it has no record")
    try:
        with take_lease(project, paths, notice):
            record = read_record(project, experiment_id)
            if record is None:
                raise NotFoundError("ID", experiment_id, because="it has no record")
            plain = dict.fromkeys(one_line(tag)[:_LONGEST_TAG] for tag in tags)
            words = readable(note.replace("\r\n", "\n")).strip()[:_LONGEST_NOTE]
            changed = replace(record, tags=tuple(filter(None, plain)), note=words or None)
            replace_file(project, paths.record, changed.to_json())
    except ExperimentRunningError as error:
        raise error.renamed("ID") from error
