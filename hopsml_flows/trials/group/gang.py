"""The group of processes that one distributed trial is: who is in it, and when it is over. Pure.

:class:`Gang` is told what its processes do and says what to do with them; it has no clock, starts
nothing and stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from hopsml_flows.errors import NotServingError, TrialTimeoutError
from hopsml_flows.trials.model import Failure, TrialResult

__all__ = [
    "Framework",
    "Gang",
    "GroupShape",
    "Member",
    "Order",
    "Phase",
    "ProcessEnd",
    "Role",
    "Verdict",
    "is_symptom",
]

GATHER_SECONDS = 30.0
"""Longest wait until all processes of a group have their workers to themselves."""

HEAD_START_SECONDS = 0.2
"""Time between the begin of the processes that are connected to and that of those that connect.

Who comes before the other listens tries again later: after a second with gRPC, on which TensorFlow
builds.
"""

LATE_WORKER_SECONDS = 60.0
"""Longest wait for workers after the chief has returned."""

LATE_EVALUATOR_SECONDS = 30.0
"""Longest wait for the evaluator after the chief has returned: the last checkpoint is its own."""


class Role(StrEnum):
    """What a process of a group does; TensorFlow's words."""

    CHIEF = "chief"
    WORKER = "worker"
    PS = "ps"
    EVALUATOR = "evaluator"


class Framework(StrEnum):
    """Whose environment variables the processes get."""

    MIRRORED = "mirrored"
    PARAMETER_SERVER = "parameter_server"
    TORCH = "torch"
    ANY = "any"  # TensorFlow's and PyTorch's: a search does not say what its trials use

    @property
    def verb(self) -> str:
        """The verb that runs such a group."""
        return "distributed" if self is Framework.TORCH else self.value


@dataclass(frozen=True, slots=True)
class Member:
    """A process of a group.

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
    """Which processes a group has.

    Args:
        framework: Whose environment variables they get.
        workers: Training processes; except with parameter servers, the chief is one of them.
        ps: Parameter servers.
        evaluator: Whether there is an evaluator besides.
    """

    framework: Framework
    workers: int
    ps: int = 0
    evaluator: bool = False

    @property
    def trainers(self) -> tuple[Member, ...]:
        """The processes that train together, in the order of their ranks; the first one leads."""
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
        """All processes, the leader first."""
        evaluators = (Member(Role.EVALUATOR, 0),) if self.evaluator else ()
        return (*self.trainers, *self.servers, *evaluators)

    @property
    def leader(self) -> Member:
        """The process whose outputs and events are the trial's."""
        return self.trainers[0]

    @property
    def listeners(self) -> tuple[Member, ...]:
        """The processes that the others connect to."""
        if self.framework is Framework.PARAMETER_SERVER:
            return (*self.trainers[1:], *self.servers)
        return (self.leader,)

    @property
    def needs_gpu(self) -> tuple[Member, ...]:
        """The processes that get GPUs where there are any."""
        if self.framework is Framework.PARAMETER_SERVER:
            return self.trainers[1:]  # its chief hands out the work, and computes nothing
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


class Phase(Enum):
    """How far a process is, as its worker or the cluster says."""

    EXPECTED = "not loaded"
    ARRIVED = "waiting for the others"
    RUNNING = "running"
    FINISHED = "returned"
    FAILED = "raised an exception"
    DIED = "ended without a word"
    STOPPED = "stopped with the group"

    @property
    def is_open(self) -> bool:
        """Whether the process has not ended."""
        return self in (Phase.EXPECTED, Phase.ARRIVED, Phase.RUNNING)

    @property
    def is_bad(self) -> bool:
        """Whether the group cannot go on after that."""
        return self in (Phase.FAILED, Phase.DIED)


class Order(Enum):
    """What to do with the processes of a group."""

    GO_ON = "go on"
    STOP = "stop all"


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended.

    Args:
        phase: FINISHED, FAILED, DIED or STOPPED.
        result: What it said itself, or None.
        reason: What others know of its end, or "".
    """

    phase: Phase
    result: TrialResult | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a group.

    Args:
        result: The leader's, where it has one.
        failure: Why the group has failed; with it the trial.
        lost: Why the group was lost, which another attempt may mend.
    """

    result: TrialResult | None = None
    failure: Failure | None = None
    lost: str | None = None


class Gang:
    """One attempt of a group: all of it starts, or nothing; it ends together.

    Args:
        shape: Which processes it has.
        now: The time, in seconds of any clock that goes on evenly.
        gather_seconds: Longest wait until all have arrived.

    Attributes:
        stopping: Whether all were told to stop.
    """

    def __init__(
        self, shape: GroupShape, now: float, gather_seconds: float = GATHER_SECONDS
    ) -> None:
        self._shape = shape
        self._began = now
        self._gather_seconds = gather_seconds
        self._gathered: float | None = None
        self._leader_done: float | None = None
        self._found: Verdict | None = None
        self.stopping = False

    def observe(self, phases: Mapping[Member, Phase], now: float) -> Order:
        """Take in how far the processes are; say what to do.

        Args:
            phases: Each process's phase; those that are left out have not begun.
            now: The time.
        """
        if self.stopping:
            return Order.GO_ON
        gathered = self._gathered is not None
        order = self._training(phases, now) if gathered else self._gathering(phases, now)
        self.stopping = order is Order.STOP
        return order

    def beginners(self, phases: Mapping[Member, Phase], now: float) -> list[Member]:
        """The processes that are to begin: none before all have arrived.

        Args:
            phases: Each process's phase.
            now: The time.
        """
        if self._gathered is None or self.stopping:
            return []
        early = now - self._gathered < HEAD_START_SECONDS
        those = self._shape.listeners if early else self._shape.members
        return [member for member in those if phases.get(member) is Phase.ARRIVED]

    def judge(self, reports: Mapping[Member, ProcessEnd]) -> Verdict:
        """Say what came of the group, when its processes have ended.

        A leader that has returned has done what there was to do. Otherwise a process that died
        outweighs exceptions, most of which its death causes; and an exception of the user's code
        outweighs those that only say that another process is gone.

        Args:
            reports: How each process ended.
        """
        leader = reports.get(self._shape.leader)
        if leader is not None and leader.phase is Phase.FINISHED:
            return Verdict(result=leader.result)
        failures = {
            member: report.result.failure
            for member, report in reports.items()
            if report.phase is Phase.FAILED and report.result and report.result.failure
        }
        for member, failure in failures.items():
            if failure.kind == TrialTimeoutError.__name__:
                return Verdict(failure=_of(member, failure))
        died = {m: r for m, r in reports.items() if r.phase is Phase.DIED}
        if died:
            return Verdict(lost="; ".join(f"{m}: {r.reason}" for m, r in died.items()))
        own = {m: f for m, f in failures.items() if not is_symptom(f)}
        for member, failure in own.items():
            return Verdict(failure=_of(member, failure))
        if failures:
            return Verdict(lost="; ".join(f"{m}: {f}" for m, f in failures.items()))
        return self._found or Verdict(lost="its processes were stopped")

    def _gathering(self, phases: Mapping[Member, Phase], now: float) -> Order:
        if any(phase.is_bad for phase in phases.values()):
            return Order.STOP
        missing = [m for m in self._shape.members if phases.get(m) is not Phase.ARRIVED]
        if not missing:
            self._gathered = now
            return Order.GO_ON
        if now - self._began > self._gather_seconds:
            names = ", ".join(map(str, missing))
            self._found = Verdict(
                lost=f"{names} did not get ready to begin within {self._gather_seconds:g} s"
            )
            return Order.STOP
        return Order.GO_ON

    def _training(self, phases: Mapping[Member, Phase], now: float) -> Order:
        leader = phases.get(self._shape.leader)
        if leader is Phase.FINISHED:
            if self._leader_done is None:
                self._leader_done = now
            return Order.GO_ON if self._is_awaited(phases, now - self._leader_done) else Order.STOP
        if any(phase.is_bad for phase in phases.values()):
            return Order.STOP
        if self._shape.framework is Framework.PARAMETER_SERVER:
            for member in (*self._shape.trainers[1:], *self._shape.servers):
                if phases.get(member) is Phase.FINISHED:
                    message = (
                        f"{member} returned while the chief was training: workers and parameter "
                        "servers serve until they are stopped, by hopsml_flows.distributed.serve()"
                    )
                    self._found = Verdict(failure=Failure(NotServingError.__name__, message))
                    return Order.STOP
        return Order.GO_ON

    def _is_awaited(self, phases: Mapping[Member, Phase], seconds: float) -> bool:
        """Whether somebody may still work after the leader has returned."""
        late = [m for m in self._shape.members if m in phases and phases[m].is_open]
        if self._shape.framework is not Framework.PARAMETER_SERVER and any(
            member.role is Role.WORKER for member in late
        ):
            return seconds < LATE_WORKER_SECONDS
        return any(m.role is Role.EVALUATOR for m in late) and seconds < LATE_EVALUATOR_SECONDS


_SYMPTOMS = frozenset(
    {
        # TensorFlow's words for a peer that does not answer
        "AbortedError",
        "CancelledError",
        "DeadlineExceededError",
        "UnavailableError",
        # PyTorch's
        "DistBackendError",
        "DistNetworkError",
        "DistStoreError",
        # Python's
        "BrokenPipeError",
        "ConnectionAbortedError",
        "ConnectionRefusedError",
        "ConnectionResetError",
    }
)
_SYMPTOM = re.compile(
    r"closed by peer|reset by peer|broken pipe|collective ops is aborted"
    r"|coordination (service|agent)"
    # somebody took the port, after all
    r"|address already in use|could not start grpc server|EADDRINUSE",
    re.IGNORECASE,
)


def is_symptom(failure: Failure) -> bool:
    """Whether an exception says that another process is gone, rather than what is wrong.

    Args:
        failure: The exception.
    """
    return failure.kind in _SYMPTOMS or _SYMPTOM.search(failure.message) is not None


def _of(member: Member, failure: Failure) -> Failure:
    return Failure(failure.kind, f"{member}: {failure.message}", failure.traceback)
