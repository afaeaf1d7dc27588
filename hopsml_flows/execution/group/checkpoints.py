"""The checkpoint directory that the processes of a distributed trial share.

TensorFlow and PyTorch write to local file systems alone. On a local project, that all workers see,
the directory is the trial's own. Elsewhere the processes on a machine share a local one, which the
leader brings to the project; an attempt on other machines begins with what was brought.
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

__all__ = ["shared_checkpoints"]


def shared_checkpoints(job: Job, trial: Trial, process: Process) -> Path:
    """The checkpoint directory, with what earlier attempts left.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: Which process asks.

    Returns:
        A local directory that exists.
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
        # Once per machine and attempt: the first process to come does it for all.
        done = shared / f"attempt-{process.group}"
        if (trial.may_have_begun or job.resumed) and not done.exists():
            # What lies here is newest where it was written; on several machines all must begin
            # with the same.
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
