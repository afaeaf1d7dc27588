"""One attempt of a distributed trial: when its members begin, and when they end. Pure.

:class:`Gang` takes events and answers with instructions; the driver does the I/O.
docs/explanation/state-machines.md draws it.
"""

from __future__ import annotations

import re

from hopsml_flows.errors import NotServingError, TrialTimeoutError
from hopsml_flows.trials.group.gang_messages import (
    AbandonMembers,
    BeginMembers,
    ClockTicked,
    EarlyStopAsked,
    EndGroup,
    GangEvent,
    GangInstruction,
    MemberEnded,
    MemberMoved,
    Phase,
    ProcessEnd,
    SeatLost,
    StopMembers,
    StopRequested,
    Verdict,
)
from hopsml_flows.trials.group.shape import Framework, GroupShape, Member, Role
from hopsml_flows.trials.model import Failure
from hopsml_flows.trials.state_machine import Recorder, ignore

__all__ = ["Gang", "is_symptom"]

GATHER_SECONDS = 30.0
"""Longest wait until all members of a group have their workers to themselves."""

HEAD_START_SECONDS = 0.2
"""Time between the begin of the members that are connected to and that of those that connect.

A member that comes before the other listens tries again later: after a second with gRPC, on which
TensorFlow builds.
"""

LATE_WORKER_SECONDS = 60.0
"""Longest wait for workers after the chief has returned."""

LATE_EVALUATOR_SECONDS = 30.0
"""Longest wait for the evaluator after the chief has returned: it evaluates the last checkpoint."""

STOP_SECONDS = 15.0
"""Longest wait for the processes of a group to end; then their task runs are cancelled."""


class Gang:
    """One attempt of a group: all members begin, or none; they end together.

    Args:
        shape: Which members the group has.
        gather_seconds: Longest wait until all have arrived, from the first tick of the clock.
        record: Called with each event and its instructions, for a log.
    """

    def __init__(
        self,
        shape: GroupShape,
        gather_seconds: float = GATHER_SECONDS,
        record: Recorder = ignore,
    ) -> None:
        self._shape = shape
        self._gather_seconds = gather_seconds
        self._record = record
        self._phases: dict[Member, Phase] = {}
        self._ends: dict[Member, ProcessEnd] = {}
        self._began: float | None = None
        self._gathered: float | None = None
        self._leader_done: float | None = None
        self._leader_leaves: float | None = None
        self._stops_until: float | None = None
        self._stop_reason: str | None = None
        self._stops_early = False
        self._found: Verdict | None = None
        self._is_reported = False

    @property
    def open_members(self) -> tuple[Member, ...]:
        """The members that have not ended."""
        return tuple(member for member in self._shape.members if member not in self._ends)

    @property
    def begins_soon(self) -> bool:
        """Whether a member has yet to begin."""
        waits = (None, Phase.EXPECTED, Phase.ARRIVED)
        return any(self._phases.get(member) in waits for member in self.open_members)

    @property
    def is_stopping(self) -> bool:
        """Whether the members were told to stop."""
        return self._stops_until is not None

    def handle(self, event: GangEvent) -> list[GangInstruction]:
        """Change the state by an event; return what the driver is to do, in order.

        Args:
            event: What happened. Only a tick of the clock makes members begin or the group end, so
                that the order of the events before it does not matter.
        """
        instructions = self._answer(event)
        self._record(event, instructions)
        return instructions

    def _answer(self, event: GangEvent) -> list[GangInstruction]:
        match event:
            case MemberMoved(member, phase):
                if member not in self._ends:
                    self._phases[member] = phase
                return []
            case MemberEnded(member, end):
                self._end(member, end)
                return []
            case SeatLost(member, reason):
                # Dask would wait for a worker of that very address to come back.
                lost = self._end(member, ProcessEnd(Phase.DIED, reason=reason))
                return [AbandonMembers((member,))] if lost else []
            case StopRequested(reason, now):
                self._stop_reason = reason
                return [] if self.is_stopping else self._stop(now)
            case EarlyStopAsked():
                self._stops_early = True
                return []
            case ClockTicked(now):
                return self._tick(now)

    def _end(self, member: Member, end: ProcessEnd) -> bool:
        """Take in the end of a member; whether it is the first one of it."""
        if member in self._ends:
            return False
        self._ends[member] = end
        self._phases[member] = end.phase
        return True

    def _stop(self, now: float) -> list[GangInstruction]:
        self._stops_until = now + STOP_SECONDS
        still_open = self.open_members
        return [StopMembers(still_open)] if still_open else []

    def _tick(self, now: float) -> list[GangInstruction]:
        """What follows from the phases at a time."""
        if self._is_reported:
            return []
        if self._began is None:
            self._began = now
        instructions: list[GangInstruction] = []
        if self._stops_until is not None:
            if now > self._stops_until and self.open_members:
                instructions.append(AbandonMembers(self.open_members))
        elif not self._goes_on(now, self._began):
            instructions += self._stop(now)
        elif beginners := self._beginners(now):
            instructions.append(BeginMembers(beginners))
        if not self.open_members:
            self._is_reported = True
            instructions.append(EndGroup(self._verdict()))
        return instructions

    def _goes_on(self, now: float, began: float) -> bool:
        """Whether the group is not to be stopped."""
        return self._gathers(now, began) if self._gathered is None else self._trains(now)

    def _beginners(self, now: float) -> tuple[Member, ...]:
        """The members that are to begin now: none before all have arrived."""
        if self._gathered is None:
            return ()
        early = now - self._gathered < HEAD_START_SECONDS
        those = self._shape.listeners if early else self._shape.members
        return tuple(member for member in those if self._phases.get(member) is Phase.ARRIVED)

    def _verdict(self) -> Verdict:
        """What came of the group, whose members have all ended.

        A leader that has returned has done what there was to do. Otherwise a stop by the driver
        outweighs everything. A process that died outweighs exceptions, most of which its death
        causes. An exception of the user's code outweighs those that only say that another process
        is gone.
        """
        leader = self._ends.get(self._shape.leader)
        if leader is not None and leader.phase is Phase.FINISHED:
            return Verdict(result=leader.result)
        if self._stop_reason is not None:
            return Verdict(stopped=self._stop_reason)
        reported = leader.result if leader and leader.phase is Phase.FAILED else None
        failures = {
            member: end.result.failure
            for member, end in self._ends.items()
            if end.phase is Phase.FAILED and end.result and end.result.failure
        }
        for member, failure in failures.items():
            if failure.kind == TrialTimeoutError.__name__:
                return Verdict(failure=_of(member, failure), reported=reported)
        died = {m: end for m, end in self._ends.items() if end.phase is Phase.DIED}
        if died:
            reasons = "; ".join(f"{m}: {end.reason}" for m, end in died.items())
            return Verdict(lost=reasons, cut_off=all(end.cut_off for end in died.values()))
        own = {m: f for m, f in failures.items() if not is_symptom(f)}
        for member, failure in own.items():
            return Verdict(failure=_of(member, failure), reported=reported)
        if failures:
            return Verdict(lost="; ".join(f"{m}: {f}" for m, f in failures.items()))
        return self._found or Verdict(lost="its processes were stopped")

    def _gathers(self, now: float, began: float) -> bool:
        """Whether the members may still arrive, or have all arrived."""
        if any(phase.is_bad for phase in self._phases.values()):
            return False
        missing = [m for m in self._shape.members if self._phases.get(m) is not Phase.ARRIVED]
        if not missing:
            self._gathered = now
            return True
        if now - began > self._gather_seconds:
            names = ", ".join(map(str, missing))
            self._found = Verdict(
                lost=f"{names} did not get ready to begin within {self._gather_seconds:g} s"
            )
            return False
        return True

    def _trains(self, now: float) -> bool:
        """Whether the members that train are left alone."""
        if self._phases.get(self._shape.leader) is Phase.FINISHED:
            if self._leader_done is None:
                self._leader_done = now
            return not self._stops_early and self._is_awaited(now - self._leader_done)
        if any(phase.is_bad for phase in self._phases.values()):
            return self._is_left_by_leader(now)
        if self._shape.framework is Framework.PARAMETER_SERVER:
            for member in (*self._shape.trainers[1:], *self._shape.servers):
                if self._phases.get(member) is Phase.FINISHED:
                    message = (
                        f"{member} returned while the chief was training: workers and parameter "
                        "servers serve until they are stopped, by hopsml_flows.distributed.serve()"
                    )
                    self._found = Verdict(failure=Failure(NotServingError.__name__, message))
                    return False
        return True

    def _is_left_by_leader(self, now: float) -> bool:
        """Whether members have only noticed that the leader is leaving, as it was asked to.

        A leader that stops early closes its connections, and the other members fail. It may still
        save, and has the group's result.
        """
        leader = self._phases.get(self._shape.leader)
        if not self._stops_early or leader is None or not leader.is_open:
            return False
        if self._leader_leaves is None:
            self._leader_leaves = now
        return now - self._leader_leaves < LATE_WORKER_SECONDS

    def _is_awaited(self, seconds: float) -> bool:
        """Whether a member may still work after the leader has returned."""
        late = [m for m in self._shape.members if m in self._phases and self._phases[m].is_open]
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
    # another program took the port
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
    message = f"{member}: {failure.message}"
    return Failure(failure.kind, message, failure.traceback, place=failure.place)
