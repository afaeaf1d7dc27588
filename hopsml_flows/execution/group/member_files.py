"""The files of one member of a distributed trial.

The leader's files are the trial's: it stages them as any trial does, and the trial is done when it
commits them. Of the other members the log is kept, and of the evaluator its event files too.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from hopsml_flows.execution.files.attachments import Terms
from hopsml_flows.execution.files.staging import Staging, take_over_log
from hopsml_flows.execution.files.sync import Sync
from hopsml_flows.execution.group.member import Process, group_directory
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.storage import GroupFiles, is_log
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["FollowerFiles", "LeaderStaging", "last_words", "make_working_parent", "tidy"]

_UNKEPT = "unkept"
"""Directory of a follower's scalars and event files that are not kept."""

_WORKING = "working"
"""Parent of a process's working directory, which a process that is ended cannot remove itself."""


class LeaderStaging(Staging):
    """The staging of a distributed trial, in its leader.

    The files of an earlier attempt stay: training goes on from its checkpoints, and its events are
    the first part of the curves.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The leader.
    """

    def __init__(self, job: Job, trial: Trial, process: Process) -> None:
        self.log_name = process.log_name
        self._place = _writing_directory(job, trial, process)
        super().__init__(
            job.project,
            job.paths,
            trial,
            local_logdir=job.local_logdir,
            scratch=job.scratch,
            resumed=job.resumed,
            sync_interval=job.sync_interval,
        )
        self.logdir.mkdir(parents=True, exist_ok=True)

    @property
    def logdir(self) -> Path:
        """The local directory for the leader's event files."""
        return self.path / GroupFiles.LOGDIR

    def close(self) -> None:
        """Stop the periodic copying; local files stay for a next attempt."""
        if self._sync is not None:
            self._sync.stop()

    def _local_directory(self, scratch: str | None) -> Path:  # noqa: ARG002 - shared by attempts
        self._place.mkdir(parents=True, exist_ok=True)
        return self._place

    def _take_over(self) -> int:
        return take_over_log(self._project, self._target(self.log_name), self.log)

    def _clear(self) -> None:
        """Keep the files of earlier attempts."""

    def _entries(self) -> list[Path]:
        # The other members write their logs to the same directory, longer than the leader looks.
        entries = super()._entries()
        return [entry for entry in entries if entry.name == self.log_name or not is_log(entry.name)]


class FollowerFiles:
    """The files of a member that does not lead.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process.
    """

    def __init__(self, job: Job, trial: Trial, process: Process) -> None:
        place = _writing_directory(job, trial, process)
        place.mkdir(parents=True, exist_ok=True)
        self.log = place / process.log_name
        self.path = _own_directory(job, trial, process) / _UNKEPT
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        kept = process.evaluates
        self.logdir = place / GroupFiles.EVALUATOR_LOGDIR if kept else self.path / GroupFiles.LOGDIR
        self.logdir.mkdir(parents=True, exist_ok=True)
        self._sync: Sync | None = None
        if not job.is_staged:
            return

        def target(name: str) -> str:
            return job.paths.trial(trial.directory, name)

        def files() -> list[Path]:
            events = [file for file in self.logdir.rglob("*") if file.is_file()] if kept else []
            return [file for file in (self.log, *events) if file.exists()]

        self._sync = Sync(
            job.project,
            place,
            target,
            files,
            seconds=job.sync_interval,
            only_log=job.local_logdir,
        )
        again = trial.may_have_begun or job.resumed
        log_has = take_over_log(job.project, target(process.log_name), self.log) if again else 0
        self._sync.start(log_has=log_has)

    is_local = True
    kept: Path | None = None
    """Only the leader's working directory has files that are kept."""

    def attach(self, outputs: dict[str, Any], terms: Terms | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the outputs unchanged: only the leader's outputs are kept."""
        return outputs

    def sync_also_in(self, seconds: float) -> None:
        """Copy files to the project once more, after so many seconds."""
        if self._sync is not None:
            self._sync.also_in(seconds)

    def commit(self, result: TrialResult) -> TrialResult:
        """Copy the log, and the evaluator's events, to the project.

        Args:
            result: The result of the process; returned unchanged.
        """
        if self._sync is not None:
            self._sync.finish()
        return result

    def close(self) -> None:
        """Stop copying files, and remove the directory of those that are not kept."""
        if self._sync is not None:
            self._sync.stop()
        shutil.rmtree(self.path, ignore_errors=True)


def last_words(job: Job, trial: Trial, process: Process, text: str) -> None:
    """Write how a process ended into its log, and copy the log to the project.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process.
        text: How it ended, as far as the worker knows.
    """
    path = _writing_directory(job, trial, process) / process.log_name
    if not path.parent.exists():
        return
    log = OutputLog(path)
    log.note(text)
    log.close()
    if job.is_staged:
        target = job.paths.trial(trial.directory, process.log_name)
        content = path.read_bytes()
        limit = answer_limit(job.project, len(content))
        persistently(lambda: job.project.replace(target, content), limit=limit)


def tidy(job: Job, trial: Trial, process: Process) -> None:
    """Remove a member's temporary files after it ended, even if the driver is gone.

    Files that a next attempt needs stay.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process.
    """
    own = _own_directory(job, trial, process)
    for name in (_UNKEPT, _WORKING):
        shutil.rmtree(own / name, ignore_errors=True)
    for directory in (own, own.parent):
        with suppress(OSError):  # it is not empty, or it is gone
            directory.rmdir()


def make_working_parent(job: Job, trial: Trial, process: Process) -> Path:
    """Make the directory that will hold a process's working directory.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process.
    """
    place = _own_directory(job, trial, process) / _WORKING
    place.mkdir(parents=True, exist_ok=True)
    return place


def _own_directory(job: Job, trial: Trial, process: Process) -> Path:
    shared = group_directory(job.scratch, job.experiment_id, trial.number)
    return shared / str(process.member)


def _writing_directory(job: Job, trial: Trial, process: Process) -> Path:
    """The local directory to which a process writes its files."""
    if not job.is_staged:
        assert job.project.local_root is not None
        return job.project.local_root / job.paths.trial(trial.directory)
    if process.leads:
        shared = group_directory(job.scratch, job.experiment_id, trial.number)
        return shared / GroupFiles.STAGED
    return _own_directory(job, trial, process)
