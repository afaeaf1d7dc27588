"""The learning curve of a trial: what it has reported so far. Pure."""

from __future__ import annotations

from hopsml_flows.trials.reports import Report

__all__ = ["Curve"]


class Curve:
    """The reports of one trial, in order.

    Example:
        >>> curve = Curve()
        >>> curve.add(Report(0.5, step=0))
        >>> curve.add(Report(0.7, step=1))
        >>> curve.values, curve.steps, len(curve)
        ([0.5, 0.7], [0, 1], 2)
    """

    __slots__ = ("steps", "values")

    def __init__(self) -> None:
        self.values: list[float] = []
        self.steps: list[int] = []

    def __len__(self) -> int:
        return len(self.values)

    def add(self, report: Report) -> None:
        """Add a report.

        Args:
            report: The report; its metric may be NaN or infinite.
        """
        self.values.append(report.metric)
        self.steps.append(report.step)
