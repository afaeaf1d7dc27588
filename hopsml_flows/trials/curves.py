"""The learning curve of a trial: what it has reported so far. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hopsml_flows.search.direction import Direction

if TYPE_CHECKING:
    from hopsml_flows.trials.reports import Report

__all__ = ["Curve"]


class Curve:
    """The reports of one trial, in order.

    Attributes:
        values: The reported metrics; may be NaN or infinite.
        steps: The step of each; never decreasing, and repeated where the trial repeated it.
        metric: The trial's metric, once it has ended: what the function returned, or else the last
            report of a trial that was stopped. None while it runs.

    Example:
        >>> from hopsml_flows.earlystop import Curve, Report
        >>> curve = Curve()
        >>> curve.add(Report(0.5, step=0))
        >>> curve.add(Report(0.7, step=1))
        >>> curve.values, curve.steps, len(curve)
        ([0.5, 0.7], [0, 1], 2)
        >>> curve.best("max"), curve.best("min")
        (0.7, 0.5)
    """

    __slots__ = ("_highest", "_lowest", "metric", "steps", "values")

    def __init__(self) -> None:
        self.values: list[float] = []
        self.steps: list[int] = []
        self.metric: float | None = None
        self._lowest = math.inf
        self._highest = -math.inf

    def __len__(self) -> int:
        return len(self.values)

    def add(self, report: Report) -> None:
        """Add a report.

        Args:
            report: The report; its metric may be NaN or infinite.
        """
        self.values.append(report.metric)
        self.steps.append(report.step)
        if math.isfinite(report.metric):
            self._lowest = min(self._lowest, report.metric)
            self._highest = max(self._highest, report.metric)

    def best(self, direction: Direction | str) -> float | None:
        """Return the best metric so far, at the same cost for any length.

        Args:
            direction: Which way is better.

        Returns:
            The best of the finite metrics; None if there is none.
        """
        maximised = Direction.parse(direction) is Direction.MAX
        best = self._highest if maximised else self._lowest
        return best if math.isfinite(best) else None
