"""What trials had, and what they have now, side by side. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hopsml_flows.trials import DEFAULT_KEY, State, TrialResult
from hopsml_flows.values.arguments import is_number

__all__ = ["RepeatedMetric", "repeated_metrics"]


@dataclass(frozen=True, slots=True)
class RepeatedMetric:
    """A number of a trial, then and now.

    Args:
        trial: The trial's number in the earlier experiment.
        name: The metric's name; an output's, where trials have no metric.
        recorded: What the trial had; None without it.
        now: What it has now; None without it.
        note: What may be the reason of a difference, or "".
    """

    trial: int
    name: str
    recorded: float | None
    now: float | None
    note: str = ""

    @property
    def difference(self) -> float | None:
        """The number of now less the recorded one; None if one is missing."""
        if self.recorded is None or self.now is None:
            return None
        if self.recorded == self.now:  # infinite, too
            return 0.0
        return self.now - self.recorded

    def is_within(self, tolerance: float) -> bool:
        """Whether the two differ by no more than a tolerance. What is missing twice does not.

        Args:
            tolerance: The most that they may differ.

        Example:
            >>> metric = RepeatedMetric(1, "accuracy", 0.9, 0.91)
            >>> metric.is_within(0.02), metric.is_within(0.0)
            (True, False)
        """
        if self.recorded is None or self.now is None:
            return self.recorded is self.now
        if math.isnan(self.recorded) or math.isnan(self.now):
            return math.isnan(self.recorded) and math.isnan(self.now)
        return abs(self.difference or 0.0) <= tolerance


def repeated_metrics(
    key: str | None,
    recorded: Sequence[TrialResult],
    now: Sequence[TrialResult],
    numbers: Sequence[int],
    notes: Mapping[int, Sequence[str]] | None = None,
) -> tuple[RepeatedMetric, ...]:
    """Return the numbers of trials, then and now.

    Args:
        key: Key of the metric, or None.
        recorded: Trials of the earlier experiment.
        now: Trials of the new one.
        numbers: Numbers of the trials in the earlier experiment, in the order of the new one.
        notes: What else may be the reason of differences, by number in the earlier experiment.

    Returns:
        The metric of each trial. Of a trial that has none, then and now: each output that is a
        number.
    """
    then = {trial.number: trial for trial in recorded}
    again = {trial.number: trial for trial in now}
    return tuple(
        metric
        for place, number in enumerate(numbers, start=1)
        for metric in _of_trial(
            key or DEFAULT_KEY,
            number,
            then.get(number),
            again.get(place),
            (notes or {}).get(number, ()),
        )
    )


def _of_trial(
    key: str,
    number: int,
    then: TrialResult | None,
    now: TrialResult | None,
    notes: Sequence[str],
) -> Iterator[RepeatedMetric]:
    note = "; ".join((*_notes(then, now), *notes))
    recorded, has = (None if trial is None else trial.metric for trial in (then, now))
    if recorded is not None or has is not None:
        yield RepeatedMetric(number, key, recorded, has, note)
        return
    outputs = [_numbers(trial) for trial in (then, now)]
    names = dict.fromkeys(name for each in outputs for name in each)
    for name in names:
        yield RepeatedMetric(number, name, outputs[0].get(name), outputs[1].get(name), note)
    if not names:
        yield RepeatedMetric(number, key, None, None, note)


def _numbers(trial: TrialResult | None) -> dict[str, float]:
    outputs = {} if trial is None else trial.outputs
    return {name: value for name, value in outputs.items() if is_number(value)}


def _notes(then: TrialResult | None, now: TrialResult | None) -> Iterable[str]:
    if then is None:
        yield "it had no result"
    elif not then.succeeded:
        yield "it had failed"
    elif then.state is State.STOPPED:
        yield "it was stopped early"
    if then is not None and then.continues is not None:
        yield f"it went on from trial {then.continues}"
    if now is None:
        yield "no result now"
    elif not now.succeeded:
        yield f"failed now: {now.failure}" if now.failure else "failed now"
