"""Removes experiments from storage, but none that runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hopsml_flows.errors import ExperimentRunningError, NotFoundError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.lease import take_lease

__all__ = ["remove_experiment"]


def remove_experiment(project: Project, experiment_id: str, notice: Callable[[str], None]) -> None:
    """Remove an experiment's directory with all that is in it.

    Takes the experiment's lease first, as a driver does: an experiment that runs is refused, and no
    driver can go on with it meanwhile. If a driver on another machine may hold the lease, this
    waits up to 35 s for its sign of life.

    Args:
        project: The project.
        experiment_id: The whole identifier.
        notice: Called with the reason when this waits.

    Raises:
        ExperimentRunningError: A driver runs the experiment.
        NotFoundError: There is no such experiment any more.
    """
    paths = ExperimentPaths(experiment_id)
    if not project.exists(paths.root):
        raise NotFoundError("ID", experiment_id, because="it does not exist any more")
    try:
        with take_lease(project, paths, notice), suppress(FileNotFoundError):
            # Without a record no driver goes on with it. A beat would write into a directory that
            # is being removed, so the lease is given back first.
            project.remove(paths.record)
        project.remove(paths.root, recursive=True)
    except ExperimentRunningError as error:
        raise error.renamed("ID") from error
    except FileNotFoundError as error:
        if project.exists(paths.root):
            raise
        raise NotFoundError("ID", experiment_id, because="it does not exist any more") from error
