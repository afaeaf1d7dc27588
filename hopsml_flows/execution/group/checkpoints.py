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
from contextlib import contextmanager
from pathlib import Path

from hopsml_flows.execution.files.checkpoints import begin_with
from hopsml_flows.execution.group.member import Process, group_directory
from hopsml_flows.execution.job import Job
from hopsml_flows.storage import GroupFiles, TrialFiles
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
    inside = job.paths.trial(trial.directory, TrialFiles.CHECKPOINTS)
    if not job.is_staged:
        assert job.project.local_root is not None
        path = job.project.local_root / inside
        begin_with(job, trial, path)
        return path
    shared = group_directory(job.scratch, job.experiment_id, trial.number)
    path = shared / GroupFiles.STAGED / TrialFiles.CHECKPOINTS
    again = trial.may_have_begun or job.resumed
    with _locked(shared / "lock"):
        # Once per machine and attempt: the first process fetches the files for all.
        done = shared / f"attempt-{process.group}"
        # Files of the attempt before are the newest, if it was on this machine. On several machines
        # all members must begin with the same files.
        last = shared / "last-attempt"
        elsewhere = trial.attempt > 1 and _content(last) != str(trial.attempt - 1)
        if again and (process.several_hosts or elsewhere) and not done.exists():
            shutil.rmtree(path, ignore_errors=True)
        begin_with(job, trial, path, [trial.directory] if again else [])
        last.write_text(str(trial.attempt))
        done.touch()
    return path


def _content(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
