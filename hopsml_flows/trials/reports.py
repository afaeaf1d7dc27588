"""What a training function reports while it runs: a metric at a step, checked. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hopsml_flows.errors import InvalidReportError
from hopsml_flows.values.plain import single_number

__all__ = ["Report", "Reports", "as_number"]

LARGEST_STEP = 2**63 - 1
"""TensorBoard keeps steps in 64 bits."""


@dataclass(frozen=True, slots=True)
class Report:
    """A metric at a step.

    Args:
        metric: The number; may be NaN or infinite.
        step: From 0.
    """

    metric: float
    step: int


class Reports:
    """The reports of one trial, one after the other; their steps never go back."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: Report | None = None

    def add(self, metric: object, step: object = None) -> Report:
        """Add a report.

        Args:
            metric: A number, or what holds a single one: a NumPy scalar, a tensor. NaN and
                infinity are taken as they are: a training that diverges is worth seeing.
            step: A whole number, at least the previous one; None for the previous one plus 1, and
                0 at first.

        Returns:
            The report; it is the last one now.

        Raises:
            InvalidReportError: One of them is something else; nothing has changed.
        """
        report = Report(_metric(metric), self._step(step))
        self.last = report
        return report

    def _step(self, step: object) -> int:
        previous = -1 if self.last is None else self.last.step
        if step is None:
            return previous + 1
        number = single_number(step)
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if not isinstance(number, int):
            raise InvalidReportError("step", step, "must be a whole number")
        if not 0 <= number <= LARGEST_STEP:
            raise InvalidReportError("step", step, f"must be from 0 to {LARGEST_STEP}")
        if number < previous:
            raise InvalidReportError(
                "step", step, f"must not be below the previous step {previous}"
            )
        return number


def as_number(value: object) -> float | None:
    """The number that something is or holds, or None where it holds none, several, or a bool.

    Args:
        value: A number, a NumPy scalar, a tensor of one element, or anything else.
    """
    number = single_number(value)
    try:
        return None if number is None else float(number)
    except OverflowError:
        return None


def _metric(metric: object) -> float:
    number = as_number(metric)
    if number is None:
        raise InvalidReportError("metric", metric, "must be a number that fits in a float")
    return number
