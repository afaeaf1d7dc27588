"""What one process of a distributed trial is told about itself and its group."""

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
    """A process of one attempt of a distributed trial.

    Args:
        group: Identifier of the attempt of the group.
        member: Which process it is.
        shape: The group.
        verb: The verb that runs it, for errors.
        several_hosts: Whether the group's processes run on more than one machine.
        environment: Environment variables of the user's, for all processes.
    """

    group: str
    member: Member
    shape: GroupShape
    verb: str
    several_hosts: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether the trial's outputs and events are this process's."""
        return self.member == self.shape.leader

    @property
    def evaluates(self) -> bool:
        """Whether it is the evaluator."""
        return self.member.role is Role.EVALUATOR

    @property
    def serves(self) -> bool:
        """Whether it is there for the chief, which tells it what to do."""
        with_servers = self.shape.framework is Framework.PARAMETER_SERVER
        return with_servers and self.member in self.shape.listeners

    @property
    def log_name(self) -> str:
        """Name of its log; that of a search's trial is its leader's, as everywhere."""
        if self.leads and self.shape.framework is Framework.ANY:
            return TrialFiles.LOG
        return process_log(self.member.role.value, self.member.index)


_current: list[tuple[Process, Path]] = []


def run_as(process: Process, checkpoints: Path) -> None:
    """Say which process of which group this one is, from now on.

    Args:
        process: The process.
        checkpoints: Its checkpoint directory.
    """
    _current[:] = [(process, checkpoints)]


def current_process(caller: str) -> tuple[Process, Path]:
    """Which process of a group this one is, and its checkpoint directory.

    Args:
        caller: Name of the public function that asks, for the error.

    Raises:
        NotInTrialError: It is none.
    """
    if not _current:
        raise NotInTrialError(
            f"{caller} works only inside a training function that experiment.mirrored, "
            "parameter_server, distributed, or a search with processes_per_trial, runs"
        )
    return _current[0]


def group_directory(scratch: str | None, experiment_id: str, number: int) -> Path:
    """Local directory that the processes of a trial on one machine share, attempt by attempt.

    Args:
        scratch: Directory that the driver removes at the end, or None.
        experiment_id: The experiment's identifier, which other users cannot guess.
        number: The trial's number.
    """
    return Path(scratch or tempfile.gettempdir()) / f"hopsml-group-{experiment_id}-{number}"


def make_private(directory: Path) -> None:
    """Make a directory that is this user's alone, or see that it is.

    Raises:
        PermissionError: It belongs to another user.
    """
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        return
    if directory.is_symlink() or directory.lstat().st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to another user")
