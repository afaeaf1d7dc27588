"""The checkpoint directory that the members of a distributed trial share.

TensorFlow and PyTorch write only to local file systems. If the project is a local directory, which
all workers see, checkpoints are in the trial's own directory. Otherwise the members on one machine
share a local directory, which the leader copies to the project. An attempt on other machines begins
with the project's copy.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from hopsml_flows.execution.group.member import Process, group_directory
from hopsml_flows.execution.job import Job
from hopsml_flows.storage import GroupFiles, Project
from hopsml_flows.storage.retries import persistently
from hopsml_flows.trials import Trial

__all__ = ["prepare_checkpoints"]


def prepare_checkpoints(job: Job, trial: Trial, process: Process) -> Path:
    """Make the checkpoint directory, with the files that earlier attempts left.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The calling process.

    Returns:
        The local directory.
    """
    inside = job.paths.trial(trial.directory, GroupFiles.CHECKPOINTS)
    if not job.is_staged:
        assert job.project.local_root is not None
        path = job.project.local_root / inside
        path.mkdir(parents=True, exist_ok=True)
        return path
    shared = group_directory(job.scratch, job.experiment_id, trial.number)
    path = shared / GroupFiles.STAGED / GroupFiles.CHECKPOINTS
    with _locked(shared / "lock"):
        # Once per machine and attempt: the first process fetches the files for all.
        done = shared / f"attempt-{process.group}"
        if (trial.may_have_begun or job.resumed) and not done.exists():
            # On one machine its own files are the newest. On several machines all members must
            # begin with the same files.
            if process.several_hosts or not path.exists():
                shutil.rmtree(path, ignore_errors=True)
                _fetch(job.project, inside, path)
            done.touch()
        path.mkdir(parents=True, exist_ok=True)
    return path


def _fetch(project: Project, source: str, target: Path) -> None:
    files = []
    with suppress(FileNotFoundError):
        files = persistently(lambda: list(project.walk_files(source)))
    for file in files:
        local = target / file.name.removeprefix(f"{source}/")
        local.parent.mkdir(parents=True, exist_ok=True)
        persistently(partial(project.download, file.name, local))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
