"""What a gang is told (events), what it answers (instructions), and their parts. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hopsml_flows.trials.group.shape import Member
from hopsml_flows.trials.model import Failure, TrialResult

__all__ = [
    "AbandonMembers",
    "BeginMembers",
    "ClockTicked",
    "EarlyStopAsked",
    "EndGroup",
    "GangEvent",
    "GangInstruction",
    "MemberEnded",
    "MemberMoved",
    "Phase",
    "ProcessEnd",
    "SeatLost",
    "StopMembers",
    "StopRequested",
    "Verdict",
]


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


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended.

    Args:
        phase: FINISHED, FAILED, DIED or STOPPED.
        result: What it said itself, or None.
        reason: What others know of its end, or "".
        cut_off: Whether it is only that the connection to its worker broke.
    """

    phase: Phase
    result: TrialResult | None = None
    reason: str = ""
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a group; one of the first four is set.

    Args:
        result: The leader's result.
        failure: Why the group failed, and the trial with it.
        lost: Why the group was lost; another attempt may succeed.
        stopped: Why the driver stopped the group.
        reported: The failed result that the leader itself reported, or None.
        cut_off: Whether the group is lost because connections broke, and no process died.
    """

    result: TrialResult | None = None
    failure: Failure | None = None
    lost: str | None = None
    stopped: str | None = None
    reported: TrialResult | None = None
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class MemberMoved:
    """A worker says how far its member is.

    Args:
        member: The member.
        phase: Its phase.
    """

    member: Member
    phase: Phase


@dataclass(frozen=True, slots=True)
class MemberEnded:
    """A member's task run has ended; the first end of a member counts.

    Args:
        member: The member.
        end: How it ended.
    """

    member: Member
    end: ProcessEnd


@dataclass(frozen=True, slots=True)
class SeatLost:
    """A member's worker has left the cluster.

    Args:
        member: The member.
        reason: What is known of the worker's death.
    """

    member: Member
    reason: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The driver wants the trial to end.

    Args:
        reason: Why.
        now: Seconds of a clock that only goes forward.
    """

    reason: str
    now: float


@dataclass(frozen=True, slots=True)
class EarlyStopAsked:
    """The leader was asked to stop early: once it has returned, the others have nothing to do."""


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """Time has passed, and all other events until now were told.

    Args:
        now: Seconds of a clock that only goes forward.
    """

    now: float


GangEvent = MemberMoved | MemberEnded | SeatLost | StopRequested | EarlyStopAsked | ClockTicked


@dataclass(frozen=True, slots=True)
class BeginMembers:
    """Let members begin to train.

    Args:
        members: The members, which have arrived.
    """

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class StopMembers:
    """End the processes of members, or free their seats if they have not begun.

    Args:
        members: The members that have not ended.
    """

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class AbandonMembers:
    """Cancel the task runs of members whose workers do not answer.

    Args:
        members: The members.
    """

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class EndGroup:
    """Report the trial: all members have ended.

    Args:
        verdict: What came of the group.
    """

    verdict: Verdict


GangInstruction = BeginMembers | StopMembers | AbandonMembers | EndGroup
