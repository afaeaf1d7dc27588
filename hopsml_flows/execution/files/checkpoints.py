"""The checkpoint directory of a trial of one process.

It is part of the trial's files: on a local project it is in the trial's directory, otherwise it is
copied there. A trial that continues another one begins with a copy of what that has, and a later
attempt finds what the earlier one left, laid over that copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from hopsml_flows.execution.job import Job
from hopsml_flows.storage import Project, TrialFiles
from hopsml_flows.storage.interface import temporary_beside
from hopsml_flows.storage.retries import persistently
from hopsml_flows.trials import Trial

__all__ = ["begin_with", "checkpoint_directory"]


def checkpoint_directory(job: Job, trial: Trial, staged: Path) -> Path:
    """Make the checkpoint directory of a trial, with the files to go on from.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        staged: The local directory of the trial's files.

    Returns:
        The local directory.

    Raises:
        OSError: Storage does not give the files.
    """
    path = staged / TrialFiles.CHECKPOINTS
    earlier = [trial.directory] if trial.may_have_begun or job.resumed else []
    begin_with(job, trial, path, earlier if job.is_staged else [])
    return path


def begin_with(job: Job, trial: Trial, path: Path, earlier: Iterable[str] = ()) -> None:
    """Make a checkpoint directory that does not exist, with the files to go on from.

    Several processes may do so at the same time; the directory appears whole.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        path: The directory.
        earlier: Directories of trials whose checkpoints are laid over those of the trial that it
            continues.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Listings and uploads leave it out, also if this process is killed while it copies.
    coming = Path(temporary_beside(str(path)))
    coming.mkdir()
    try:
        # Both: an attempt whose worker died may have uploaded only some of what it began with.
        for source in (*([] if trial.continues is None else [trial.continues]), *earlier):
            _fetch(job.project, job.paths.trial(source, TrialFiles.CHECKPOINTS), coming)
        coming.rename(path)
    except BaseException as error:
        shutil.rmtree(coming, ignore_errors=True)
        was_second = isinstance(error, OSError) and path.is_dir()  # another process has made it
        if not was_second:
            raise


def _fetch(project: Project, source: str, target: Path) -> None:
    """Copy all files of a directory of the project to a local one.

    Args:
        project: The project.
        source: The directory in the project; there may be none.
        target: The local directory, which exists.
    """
    files = []
    with suppress(FileNotFoundError):
        files = persistently(lambda: list(project.walk_files(source)))
    for file in files:
        local = target / file.name.removeprefix(f"{source}/")
        _make_way(local, target)
        persistently(partial(project.download, file.name, local))


def _make_way(local: Path, top: Path) -> None:
    """Make the parents of a file; remove a file or directory that has the name of one of them."""
    for parent in reversed(local.relative_to(top).parents):
        if (top / parent).is_file():
            (top / parent).unlink()
    local.parent.mkdir(parents=True, exist_ok=True)
    if local.is_dir():
        shutil.rmtree(local)
