"""What the process of one member of a distributed trial knows about itself and its group."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hopsml_flows.errors import NotInTrialError
from hopsml_flows.storage import TrialFiles, process_log
from hopsml_flows.trials import Framework, GroupShape, Member, Role

__all__ = ["Process", "current_process", "group_directory", "make_private", "run_as"]


@dataclass(frozen=True, slots=True)
class Process:
    """The process of one member, in one attempt of a distributed trial.

    Args:
        group: Identifier of the attempt of the group.
        member: The member that the process is.
        shape: The group.
        verb: Name of the verb that runs the trial, for errors.
        several_hosts: Whether the group's processes run on more than one machine.
        environment: Environment variables that the user sets for all processes of the group.
    """

    group: str
    member: Member
    shape: GroupShape
    verb: str
    several_hosts: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether this process gives the trial its outputs and events."""
        return self.member == self.shape.leader

    @property
    def evaluates(self) -> bool:
        """Whether the process is the evaluator."""
        return self.member.role is Role.EVALUATOR

    @property
    def serves(self) -> bool:
        """Whether it is a worker or server of the parameter server strategy, led by the chief."""
        with_servers = self.shape.framework is Framework.PARAMETER_SERVER
        return with_servers and self.member in self.shape.listeners

    @property
    def log_name(self) -> str:
        """Name of its log. In a search, the leader's log has the usual name of a trial's log."""
        if self.leads and self.shape.framework is Framework.ANY:
            return TrialFiles.LOG
        return process_log(self.member.role.value, self.member.index)


_current: list[tuple[Process, Path]] = []


def run_as(process: Process, checkpoints: Path) -> None:
    """Set what :func:`current_process` returns in this process from now on.

    Args:
        process: The process that this one is.
        checkpoints: Its checkpoint directory.
    """
    _current[:] = [(process, checkpoints)]


def current_process(caller: str) -> tuple[Process, Path]:
    """The group's process that this one is, and its checkpoint directory.

    Args:
        caller: Name of the public function that asks, for the error.

    Raises:
        NotInTrialError: This process is not part of a distributed trial.
    """
    if not _current:
        raise NotInTrialError(
            f"{caller} works only inside a training function that runs under experiment.mirrored, "
            "parameter_server or distributed, or in a search with processes_per_trial"
        )
    return _current[0]


def group_directory(scratch: str | None, experiment_id: str, number: int) -> Path:
    """The local directory that a trial's processes on one machine share, in all attempts.

    Args:
        scratch: Parent directory, which the driver removes at the end; None for the system's
            directory for temporary files.
        experiment_id: The experiment's identifier, which other users cannot guess.
        number: The trial's number.
    """
    return Path(scratch or tempfile.gettempdir()) / f"hopsml-group-{experiment_id}-{number}"


def make_private(directory: Path) -> None:
    """Make a directory that only this user may enter; if it exists, check that the user owns it.

    Raises:
        PermissionError: The directory belongs to another user, or is a symbolic link.
    """
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        return
    if directory.is_symlink() or directory.lstat().st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to another user")
