"""The checkpoint directory of a trial of one process.

It is part of the trial's files: on a local project it is in the trial's directory, otherwise it is
copied there. A later attempt finds what the earlier one left, and a trial that continues another
one begins with a copy of what that has.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from hopsml_flows.execution.job import Job
from hopsml_flows.storage import Project, TrialFiles
from hopsml_flows.storage.retries import persistently
from hopsml_flows.trials import Trial

__all__ = ["begin_with", "checkpoint_directory", "fetch"]


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
        earlier: Directories of trials to look for checkpoints in, before the one that the trial
            continues.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    coming = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    continued = [] if trial.continues is None else [trial.continues]
    for source in (*earlier, *continued):
        if fetch(job.project, job.paths.trial(source, TrialFiles.CHECKPOINTS), coming):
            break
    coming.chmod(0o755)
    try:
        coming.rename(path)
    except OSError:  # another process was first
        shutil.rmtree(coming, ignore_errors=True)
        if not path.is_dir():
            raise


def fetch(project: Project, source: str, target: Path) -> bool:
    """Copy all files of a directory of the project to a local one.

    Args:
        project: The project.
        source: The directory in the project; there may be none.
        target: The local directory, which exists.

    Returns:
        Whether there were any.
    """
    files = []
    with suppress(FileNotFoundError):
        files = persistently(lambda: list(project.walk_files(source)))
    for file in files:
        local = target / file.name.removeprefix(f"{source}/")
        local.parent.mkdir(parents=True, exist_ok=True)
        persistently(partial(project.download, file.name, local))
    return bool(files)
