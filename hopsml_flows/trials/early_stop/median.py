"""Maggy's median rule: stop a trial whose best is worse than the median of the others' means."""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hopsml_flows.search.decisions import Stop, Why
from hopsml_flows.search.direction import Direction
from hopsml_flows.text import plural
from hopsml_flows.trials.early_stop.comparison import relation
from hopsml_flows.values.arguments import whole_number

if TYPE_CHECKING:
    from hopsml_flows.trials.curves import Curve

__all__ = ["MedianStop"]


class MedianStop:
    """Stops a trial whose best is worse than what finished trials had, on average, by then.

    A trial has reported n values. Of each finished trial with at least n values, the mean of its
    first n is taken. The trial is stopped if its best value is worse than the median of these
    means, and goes on if it is equal. Trials that a rule stopped count as finished, too. If a trial
    repeats a step, each report is a value; in Maggy only the first one of a step is.

    A trial is judged at a step that it reports for the first time, other than 0, and only after
    more than ``min_finished`` trials have finished.

    Values that are NaN or infinite are never a trial's best: a trial that has no other value is
    stopped as soon as there is a median. A finished trial is left out of the medians from its first
    such value on: a median is a number, and does not get easier to reach as trials diverge.

    Args:
        min_finished: More trials than this must have finished before one is stopped: Maggy's
            ``es_min``.
        interval: A trial is judged at the steps that this number divides: Maggy's ``es_interval``.
        direction: Which way the metric is better.

    Raises:
        InvalidArgumentError: An argument is out of range.

    Example:
        >>> from hopsml_flows.earlystop import Curve, MedianStop, Report
        >>> def curve(*values):
        ...     reported = Curve()
        ...     for step, value in enumerate(values):
        ...         reported.add(Report(value, step))
        ...     return reported
        >>> rule = MedianStop(min_finished=2)
        >>> rule.end(1, curve(0.5, 0.7, 0.8))
        >>> rule.end(2, curve(0.1, 0.3, 0.4))
        >>> rule.end(3, curve(0.4, 0.6))
        >>> print(rule.judge(4, curve(0.2, 0.5)))  # 0.6, 0.2 and 0.5 are the means
        None
        >>> print(rule.judge(5, curve(0.2, 0.4)).why)
        median at step 1: its best value 0.4 is below 0.5: the median, over 3 finished trials, of \
the mean of their first 2 reports
    """

    def __init__(
        self,
        *,
        min_finished: int = 10,
        interval: int = 1,
        direction: Direction | str = Direction.MAX,
    ) -> None:
        self.min_finished = whole_number("min_finished", min_finished, least=0)
        self.interval = whole_number("interval", interval, least=1)
        self.direction = Direction.parse(direction)
        self._finished = 0
        # At index n-1: the means of the first n values, as losses in order. Arrays take a quarter
        # of the memory of lists.
        self._means: list[array[float]] = []

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(min_finished={self.min_finished}, interval={self.interval}, "
            f"direction={str(self.direction)!r})"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments other than the direction, as JSON values."""
        return {"min_finished": self.min_finished, "interval": self.interval}

    def judge(self, trial: int, curve: Curve) -> Stop | None:  # noqa: ARG002 - any trial alike
        """Decide about a running trial that has just reported.

        Args:
            trial: The trial's number.
            curve: All that it has reported, the new report last.

        Returns:
            The reason to stop it; None if it goes on.
        """
        reports = len(curve)
        if self._finished <= self.min_finished or not self._is_due(curve.steps):
            return None
        if reports > len(self._means) or not self._means[reports - 1]:
            return None
        means = self._means[reports - 1]
        threshold = _median(means)
        best = curve.best(self.direction)
        if best is not None and self.direction.loss(best) <= threshold:
            return None
        shown = curve.values[-1] if best is None else best
        words = (
            f"its best value {{value}} {relation(self.direction, shown)} {{threshold}}: "
            f"the median, over {plural(len(means), 'finished trial')}, "
            f"of the mean of their first {plural(reports, 'report')}"
        )
        return Stop(Why("median", shown, words, curve.steps[-1], self.direction.loss(threshold)))

    def end(self, trial: int, curve: Curve) -> None:  # noqa: ARG002 - any trial alike
        """Take note that a trial has ended with a metric, by itself or stopped.

        Args:
            trial: The trial's number.
            curve: All that it has reported; empty if nothing.
        """
        self._finished += 1
        for index, mean in enumerate(_means_so_far(curve.values)):
            if index == len(self._means):
                self._means.append(array("d"))
            insort(self._means[index], self.direction.loss(mean))

    def _is_due(self, steps: Sequence[int]) -> bool:
        """Whether the last step is one to judge at: reported for the first time, and not 0."""
        if not steps or (len(steps) > 1 and steps[-1] == steps[-2]):
            return False
        return steps[-1] != 0 and steps[-1] % self.interval == 0


def _means_so_far(values: Iterable[float]) -> Iterator[float]:
    """Yield the mean of the first value, of the first two, …, up to one that is not finite.

    Each is the exact mean, rounded once. With rounded sums, trials that always report 0.1 would
    have a mean above 0.1, and a trial like them would be stopped.
    """
    top, bottom = 0, 1  # the sum as a fraction; the denominator of a float is a power of two
    for count, value in enumerate(values, 1):
        if not math.isfinite(value):
            return
        numerator, denominator = value.as_integer_ratio()
        if denominator > bottom:
            top *= denominator // bottom
            bottom = denominator
        top += numerator * (bottom // denominator)
        yield top / (bottom * count)


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    high = ordered[half]
    if len(ordered) % 2:
        return high
    low = ordered[half - 1]
    median = (low + high) / 2
    return median if math.isfinite(median) else low / 2 + high / 2
