"""The learning curves of all trials, and who leads, from what the trial loop handles. Pure.

A curve of any length takes little memory: it keeps the newest report, and some 32 to 64 of those
before, evenly spaced. Pictures and tables need no more; the journal has all reports.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hopsml_flows.search.direction import Direction
from hopsml_flows.trials.loop_messages import (
    ExtendTrial,
    GiveUpTrial,
    KeepResult,
    RetryTrial,
    StopTrial,
    SubmitTrial,
    TrialReplayed,
    TrialReported,
)
from hopsml_flows.trials.model import State
from hopsml_flows.values.plain import is_finite

if TYPE_CHECKING:
    from hopsml_flows.trials.model import Trial, TrialResult
    from hopsml_flows.trials.reports import Report

__all__ = ["STOPPING", "Leader", "LearningCurve", "LearningCurves"]

_MOST_POINTS = 64

STOPPING = "STOPPING"
"""What a running trial is called that has been asked to stop."""


class LearningCurve:
    """What one trial has reported, and how it ended.

    Args:
        trial: The trial.
        direction: Which way is better.

    Attributes:
        trial: The trial, with its present budget.
        state: RUNNING, STOPPING, or the state in which it ended.
        count: Number of reports.
        step: Step of the newest report; None before the first.
        value: What counts now: the metric of a trial that has ended, or else the newest report.
        best: The best finite report, or None.

    Example:
        >>> from hopsml_flows.trials import Report, Trial
        >>> curve = LearningCurve(Trial(1, "0001", {}), Direction.MAX)
        >>> for step in range(1000):
        ...     curve.add(Report(step / 1000, step))
        >>> curve.count, curve.step, curve.best, len(curve.points) <= 65, curve.points[-1]
        (1000, 999, 0.999, True, (999, 0.999))
    """

    __slots__ = (
        "_direction", "_newest", "_steps", "_stride", "_values", "best", "count", "state", "step",
        "trial", "value",
    )  # fmt: skip

    def __init__(self, trial: Trial, direction: Direction) -> None:
        self.trial = trial
        self.state: str = State.RUNNING
        self.count = 0
        self.step: int | None = None
        self.value: float | None = None
        self.best: float | None = None
        self._direction = direction
        self._newest = math.nan
        self._stride = 1
        self._steps = array("d")
        self._values = array("d")

    @property
    def points(self) -> list[tuple[float, float]]:
        """Steps and values, in order; of many reports some, the newest always among them."""
        points = list(zip(self._steps, self._values, strict=True))
        if self.step is not None and (self.count - 1) % self._stride:
            points.append((self.step, self._newest))
        return points

    def add(self, report: Report) -> None:
        """Add a report.

        Args:
            report: The report.
        """
        value = report.metric
        if self.count % self._stride == 0:
            self._steps.append(report.step)
            self._values.append(value)
            if len(self._values) > _MOST_POINTS:
                self._steps, self._values = self._steps[::2], self._values[::2]
                self._stride *= 2
        self.count += 1
        self.step, self.value = report.step, value
        self._newest = value
        if is_finite(value) and self._direction.better(value, self.best):
            self.best = value

    def end(self, result: TrialResult) -> None:
        """Note how the trial ended.

        Args:
            result: Its result.
        """
        self.state = result.state
        self.value = result.metric


@dataclass(frozen=True, slots=True)
class Leader:
    """A trial as a leaderboard shows it.

    Args:
        number: Its number.
        params: Its hyperparameters.
        state: RUNNING, STOPPING, or the state in which it ended.
        value: Its metric; while it runs, what it reported last.
        step: The step that it reported last, or None.
        best: The best that it reported, or None.
        budget: Its budget, or None.
    """

    number: int
    params: dict[str, Any]
    state: str
    value: float
    step: int | None = None
    best: float | None = None
    budget: float | None = None


class LearningCurves:
    """Collects the curves of all trials from the events and instructions of a trial loop.

    Args:
        direction: Which way is better.
    """

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self._curves: dict[int, LearningCurve] = {}

    def __iter__(self) -> Iterator[LearningCurve]:
        """Iterate over the curves by the trials' numbers."""
        return iter([curve for _, curve in sorted(self._curves.items())])

    def record(self, event: object, instructions: Sequence[object]) -> None:
        """Take in an event that the loop has handled, and what it answered.

        Args:
            event: The event.
            instructions: The instructions.
        """
        match event:
            case TrialReported():
                self._report(event)
            case TrialReplayed(result):
                self._end(result)
        for instruction in instructions:
            match instruction:
                case SubmitTrial(trial):
                    self._curves[trial.number] = LearningCurve(trial, self.direction)
                case ExtendTrial(trial):
                    self._curves[trial.number].trial = trial
                case StopTrial(trial):
                    self._curves[trial.number].state = STOPPING
                case RetryTrial(trial):
                    self._curves.pop(trial.number, None)
                case KeepResult(result) | GiveUpTrial(_, result):
                    self._end(result)

    def leaders(self, most: int, *, over: bool = False) -> tuple[list[Leader], int]:
        """Return the best trials, the best first, and how many trials were compared.

        A trial that runs counts by what it reported last: that is its metric if it is stopped now.
        Failed trials, and those that have reported nothing, are left out.

        Args:
            most: Most trials to return.
            over: Whether the experiment is over: what still runs is KILLED then.
        """
        compared = [
            (self.direction.loss(curve.value), number)
            for number, curve in self._curves.items()
            if curve.state != State.FAILED and curve.value is not None and is_finite(curve.value)
        ]
        chosen = [self._curves[number] for _, number in heapq.nsmallest(most, compared)]
        return [_leader(curve, over=over) for curve in chosen], len(compared)

    def _report(self, event: TrialReported) -> None:
        curve = self._curves.get(event.number)
        if curve is not None and curve.trial.attempt == event.attempt:
            for report in event.reports:
                curve.add(report)

    def _end(self, result: TrialResult) -> None:
        curve = self._curves.get(result.number)
        if curve is not None:
            curve.end(result)


def _leader(curve: LearningCurve, *, over: bool) -> Leader:
    runs = curve.state in (State.RUNNING, STOPPING)
    assert curve.value is not None
    return Leader(
        curve.trial.number,
        curve.trial.params,
        State.KILLED.value if runs and over else str(curve.state),
        curve.value,
        curve.step,
        curve.best,
        curve.trial.budget,
    )
