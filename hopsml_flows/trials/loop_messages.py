"""What a trial loop is told (events) and what it answers (instructions). Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from hopsml_flows.trials.generations import Generation
from hopsml_flows.trials.model import Trial, TrialResult

__all__ = [
    "CloseGeneration",
    "GiveUpTrial",
    "KeepResult",
    "LoopEvent",
    "LoopInstruction",
    "RetryTrial",
    "SlotsFree",
    "SubmitTrial",
    "TrialDone",
    "TrialLost",
    "TrialReplayed",
    "TrialReturned",
    "TrialStopped",
]


@dataclass(frozen=True, slots=True)
class SlotsFree:
    """The driver can submit trials.

    Args:
        slots: Trials that can run at once.
        ahead: Trials to submit beyond that, so that no worker waits for the driver. A search that
            learns gets none: it is asked only when a worker is free.
    """

    slots: int
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class TrialDone:
    """A trial has ended with a result, good or bad.

    Args:
        result: The result.
    """

    result: TrialResult


@dataclass(frozen=True, slots=True)
class TrialReplayed:
    """The resumed run has this result of a trial; it was recorded and announced then.

    Args:
        result: The result.
    """

    result: TrialResult


@dataclass(frozen=True, slots=True)
class TrialLost:
    """A trial's worker died.

    Args:
        number: The trial's number.
        reason: What is known of the death.
        started: When the attempt began, seconds since the epoch; 0 where that is not known.
        ended: When it ended.
    """

    number: int
    reason: str
    started: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class TrialStopped:
    """The driver stopped a trial.

    Args:
        number: The trial's number.
        reason: Why.
        started: When the attempt began, seconds since the epoch; 0 where that is not known.
        ended: When it ended.
    """

    number: int
    reason: str
    started: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class TrialReturned:
    """Storage kept a trial from running; running it again costs no attempt.

    Args:
        number: The trial's number.
    """

    number: int


LoopEvent = SlotsFree | TrialDone | TrialReplayed | TrialLost | TrialStopped | TrialReturned


@dataclass(frozen=True, slots=True)
class SubmitTrial:
    """Submit a trial.

    Args:
        trial: The trial, with its attempt.
    """

    trial: Trial


@dataclass(frozen=True, slots=True)
class RetryTrial:
    """Keep a trial without a result: a later :class:`SubmitTrial` runs it again.

    Args:
        trial: The trial, as it will be submitted.
    """

    trial: Trial


@dataclass(frozen=True, slots=True)
class KeepResult:
    """Record a trial's result.

    Args:
        result: What the trial returned.
    """

    result: TrialResult


@dataclass(frozen=True, slots=True)
class GiveUpTrial:
    """Record that a trial failed which could not report a result itself.

    Args:
        trial: The trial.
        result: Its failed result.
    """

    trial: Trial
    result: TrialResult


@dataclass(frozen=True, slots=True)
class CloseGeneration:
    """Report a generation whose trials have all ended.

    Args:
        generation: The generation.
    """

    generation: Generation


LoopInstruction = SubmitTrial | RetryTrial | KeepResult | GiveUpTrial | CloseGeneration
