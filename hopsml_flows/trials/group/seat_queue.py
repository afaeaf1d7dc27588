"""The queue of distributed trials that wait for free workers. Pure.

The driver looks for seats and says whether it found some; the queue decides for which trial, how
often, and when the wait has lasted too long. docs/explanation/state-machines.md draws it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hopsml_flows.trials.group.gang_messages import ClockTicked
from hopsml_flows.trials.state_machine import Recorder, ignore

__all__ = [
    "GroupEnded",
    "QueueEvent",
    "QueueInstruction",
    "ReportShortage",
    "SeatQueue",
    "SeatTrial",
    "SeatsMissing",
    "SeatsTaken",
    "TrialQueued",
    "TrialWithdrawn",
]

WAIT_SECONDS = 20.0
"""Longest wait for enough workers, unless the user set another: they may just be starting."""

RETURN_SECONDS = 60.0
"""The same for another attempt: the worker that died is being started again."""

LOOK_SECONDS = 0.5
"""Time between two looks for seats, unless a group ends meanwhile."""


@dataclass(frozen=True, slots=True)
class TrialQueued:
    """A trial is to run.

    Args:
        number: The trial's number.
        attempt: From 1.
    """

    number: int
    attempt: int


@dataclass(frozen=True, slots=True)
class TrialWithdrawn:
    """A queued trial is not to run any more.

    Args:
        number: The trial's number.
    """

    number: int


@dataclass(frozen=True, slots=True)
class SeatsTaken:
    """The first trial of the queue has its seats."""


@dataclass(frozen=True, slots=True)
class SeatsMissing:
    """There are no seats for the first trial of the queue.

    Args:
        missing: What it needs, for people.
        now: Seconds of a clock that only goes forward.
    """

    missing: str
    now: float


@dataclass(frozen=True, slots=True)
class GroupEnded:
    """A trial that had seats has ended."""


QueueEvent = TrialQueued | TrialWithdrawn | SeatsTaken | SeatsMissing | GroupEnded | ClockTicked


@dataclass(frozen=True, slots=True)
class SeatTrial:
    """Look for seats for a trial; say :class:`SeatsTaken` or :class:`SeatsMissing` next.

    Args:
        number: The trial's number.
    """

    number: int


@dataclass(frozen=True, slots=True)
class ReportShortage:
    """Fail: there have been too few workers for too long.

    Args:
        missing: What the first trial needs, for people.
    """

    missing: str


QueueInstruction = SeatTrial | ReportShortage


class SeatQueue:
    """Decides when to look for seats, and for which trial.

    Args:
        wait_seconds: Longest wait for workers while no group runs; None for
            :data:`WAIT_SECONDS`, and for another attempt :data:`RETURN_SECONDS`.
        record: Called with each event and its instructions, for a log.
    """

    def __init__(self, wait_seconds: float | None, record: Recorder = ignore) -> None:
        self._wait_seconds = wait_seconds
        self._record = record
        self._attempts: dict[int, int] = {}  # by trial, in the order of the queue
        self._groups = 0
        self._short_since: float | None = None
        self._next_look = float("-inf")

    def handle(self, event: QueueEvent) -> list[QueueInstruction]:
        """Change the state by an event; return what the driver is to do: one thing at most.

        Args:
            event: What happened.
        """
        instruction = self._answer(event)
        instructions = [] if instruction is None else [instruction]
        self._record(event, instructions)
        return instructions

    def _answer(self, event: QueueEvent) -> QueueInstruction | None:
        match event:
            case TrialQueued(number, attempt):
                self._attempts[number] = attempt
            case TrialWithdrawn(number):
                if number == self._first:
                    self._short_since = None
                self._attempts.pop(number, None)
            case GroupEnded():
                self._groups -= 1
                self._next_look = float("-inf")
            case SeatsTaken():
                del self._attempts[next(iter(self._attempts))]
                self._groups += 1
                self._short_since = None
                return self._look()
            case SeatsMissing(missing, now):
                return self._miss(missing, now)
            case ClockTicked(now):
                return self._look() if now >= self._next_look else None
        return None

    @property
    def _first(self) -> int | None:
        return next(iter(self._attempts), None)

    def _look(self) -> SeatTrial | None:
        return None if self._first is None else SeatTrial(self._first)

    def _miss(self, missing: str, now: float) -> ReportShortage | None:
        """Wait on, unless it has lasted too long."""
        self._next_look = now + LOOK_SECONDS
        if self._groups:  # one of them will end, and free its seats
            return None
        if self._short_since is None:
            self._short_since = now
        limit = self._wait_seconds
        if limit is None:
            first_attempt = next(iter(self._attempts.values())) == 1
            limit = WAIT_SECONDS if first_attempt else RETURN_SECONDS
        return ReportShortage(missing) if now - self._short_since > limit else None
