"""Removes experiments from storage, but none that runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hopsml_flows.errors import ExperimentRunningError, NotFoundError, StorageUnavailableError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.lease import take_lease
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.text import one_line

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
        StorageUnavailableError: Storage removed a part of it at most; it can be removed again.
    """
    paths = ExperimentPaths(experiment_id)
    limit = answer_limit(project)
    if not persistently(lambda: project.exists(paths.root), limit=limit):
        raise NotFoundError("ID", experiment_id, because="it does not exist any more")
    try:
        with take_lease(project, paths, notice), suppress(FileNotFoundError):
            # Without a record no driver goes on with it. A beat would write into a directory that
            # is being removed, so the lease is given back first.
            persistently(lambda: project.remove(paths.record), limit=limit)
        _remove_directory(project, paths)
    except ExperimentRunningError as error:
        raise error.renamed("ID") from error
    except FileNotFoundError as error:
        if _is_there(project, paths):
            raise
        raise NotFoundError("ID", experiment_id, because="it does not exist any more") from error


def _remove_directory(project: Project, paths: ExperimentPaths) -> None:
    """Remove an experiment's directory; an error says that this can be done again."""
    try:
        project.remove(paths.root, recursive=True)
    except Exception as error:  # each file system has its own errors
        if isinstance(error, FileNotFoundError) and not _is_there(project, paths):
            raise  # another one was faster
        words = one_line(project.without_secrets(str(error)))[:200]
        raise StorageUnavailableError(
            f"{project.full(paths.root)} was removed only in part "
            f"({type(error).__name__}: {words}); remove it again"
        ) from error


def _is_there(project: Project, paths: ExperimentPaths) -> bool:
    """Whether an experiment's directory may still be there; storage that fails does not know."""
    try:
        return persistently(lambda: project.exists(paths.root), limit=answer_limit(project))
    except Exception:  # each file system has its own errors
        return True
