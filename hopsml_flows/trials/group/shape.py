"""Which processes a distributed trial has, and what each of them does. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Framework", "GroupShape", "Member", "Role"]


class Role(StrEnum):
    """What a member of a group does, in TensorFlow's words."""

    CHIEF = "chief"
    WORKER = "worker"
    PS = "ps"
    EVALUATOR = "evaluator"


class Framework(StrEnum):
    """Which environment variables the members get."""

    MIRRORED = "mirrored"
    PARAMETER_SERVER = "parameter_server"
    TORCH = "torch"
    ANY = "any"  # TensorFlow's and PyTorch's: a search does not say which its trials use


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a process group: one of its processes.

    Args:
        role: What it does.
        index: From 0, among those with that role.
    """

    role: Role
    index: int

    def __str__(self) -> str:
        return f"{self.role.value}-{self.index}"


@dataclass(frozen=True, slots=True)
class GroupShape:
    """Which members a group has.

    Args:
        framework: Which environment variables they get.
        workers: Training processes; except with parameter servers, the chief is one of them.
        ps: Parameter servers.
        evaluator: Whether there is also an evaluator.
    """

    framework: Framework
    workers: int
    ps: int = 0
    evaluator: bool = False

    @property
    def trainers(self) -> tuple[Member, ...]:
        """The members that train together, in the order of their ranks; the first is the leader."""
        if self.framework is Framework.TORCH:
            return tuple(Member(Role.WORKER, index) for index in range(self.workers))
        beside = self.workers if self.framework is Framework.PARAMETER_SERVER else self.workers - 1
        return (Member(Role.CHIEF, 0), *(Member(Role.WORKER, index) for index in range(beside)))

    @property
    def servers(self) -> tuple[Member, ...]:
        """The parameter servers."""
        return tuple(Member(Role.PS, index) for index in range(self.ps))

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, the leader first."""
        evaluators = (Member(Role.EVALUATOR, 0),) if self.evaluator else ()
        return (*self.trainers, *self.servers, *evaluators)

    @property
    def leader(self) -> Member:
        """The member whose outputs and events are the trial's."""
        return self.trainers[0]

    @property
    def listeners(self) -> tuple[Member, ...]:
        """The members that the others connect to."""
        if self.framework is Framework.PARAMETER_SERVER:
            return (*self.trainers[1:], *self.servers)
        return (self.leader,)

    @property
    def needs_gpu(self) -> tuple[Member, ...]:
        """The members that get GPUs if there are any."""
        if self.framework is Framework.PARAMETER_SERVER:
            return self.trainers[1:]  # the chief hands out the work and computes nothing
        return self.trainers

    @property
    def needs_legacy_keras(self) -> bool:
        """Whether Keras 3 cannot train in such a group."""
        if self.framework is Framework.TORCH:
            return False
        return len(self.trainers) > 1

    @property
    def counts(self) -> dict[str, Any]:
        """The group as the arguments that make it, for the record."""
        if self.framework is Framework.ANY:
            return {"processes_per_trial": self.workers}
        counts: dict[str, Any] = {"num_workers": self.workers, "evaluator": self.evaluator}
        return {**counts, "num_ps": self.ps} if self.ps else counts

    def __str__(self) -> str:
        counts = [(sum(m.role is role for m in self.members), role.value) for role in Role]
        return ", ".join(f"{count} {name}" for count, name in counts if count)
