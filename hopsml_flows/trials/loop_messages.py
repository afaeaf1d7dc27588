"""What a trial loop is told (events) and what it answers (instructions). Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from hopsml_flows.search.decisions import Why
from hopsml_flows.trials.generations import Generation
from hopsml_flows.trials.model import Trial, TrialResult
from hopsml_flows.trials.reports import Report

__all__ = [
    "BudgetSpent",
    "CloseGeneration",
    "ExtendTrial",
    "GiveUpTrial",
    "KeepResult",
    "LoopEvent",
    "LoopInstruction",
    "RetryTrial",
    "SlotsFree",
    "StopTrial",
    "SubmitTrial",
    "TrialDone",
    "TrialLost",
    "TrialRepeated",
    "TrialReplayed",
    "TrialReported",
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
        starts: Numbers of the trials that started then, where a journal says it; None if the loop
            decides.
    """

    slots: int
    ahead: int = 0
    starts: tuple[int, ...] | None = None


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
        told: The result that the search was told then, if that was another one.
        is_gone: Whether its files are gone: the search was told the result, but it does not count.
            :class:`TrialRepeated` follows.
    """

    result: TrialResult
    told: TrialResult | None = None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class TrialRepeated:
    """A trial whose files are gone runs again. The search is not told its result a second time.

    Args:
        number: The trial's number.
    """

    number: int


@dataclass(frozen=True, slots=True)
class TrialLost:
    """A trial's worker died, or the connection to it broke.

    Args:
        number: The trial's number.
        reason: What is known of the death.
        started: When the attempt began, seconds since the epoch; 0 where that is not known.
        ended: When it ended.
        again: Whether the trial was tried again, where a journal says it; None if the loop decides.
        cut_off: Whether only the connection broke. The trial is tried again, up to ten times, and
            this does not count against its retries.
    """

    number: int
    reason: str
    started: float = 0.0
    ended: float = 0.0
    again: bool | None = None
    cut_off: bool = False


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


@dataclass(frozen=True, slots=True)
class TrialReported:
    """A running trial has reported metrics.

    Args:
        number: The trial's number.
        attempt: The attempt that reported.
        reports: Its reports since the last event, in order.
    """

    number: int
    attempt: int
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """The experiment's budget is spent: no further trial is proposed."""


LoopEvent = (
    SlotsFree
    | TrialReported
    | TrialDone
    | TrialReplayed
    | TrialRepeated
    | TrialLost
    | TrialStopped
    | TrialReturned
    | BudgetSpent
)


@dataclass(frozen=True, slots=True)
class SubmitTrial:
    """Submit a trial.

    Args:
        trial: The trial, with its attempt.
    """

    trial: Trial


@dataclass(frozen=True, slots=True)
class StopTrial:
    """Ask a running trial to stop at its next report.

    Args:
        trial: The trial.
        why: Why.
    """

    trial: Trial
    why: Why


@dataclass(frozen=True, slots=True)
class ExtendTrial:
    """Tell a running trial that it may spend more.

    Args:
        trial: The trial, with its new budget.
        why: Why.
    """

    trial: Trial
    why: Why


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


LoopInstruction = (
    SubmitTrial | StopTrial | ExtendTrial | RetryTrial | KeepResult | GiveUpTrial | CloseGeneration
)
