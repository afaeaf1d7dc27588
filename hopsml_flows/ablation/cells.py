"""Figures of effects as the cells of tables, in text and in pages. Pure."""

from __future__ import annotations

from hopsml_flows.ablation.paired import Estimate
from hopsml_flows.ablation.verdicts import short_number

__all__ = [
    "LOOKS",
    "count_cell",
    "interval_cell",
    "interval_head",
    "number_cell",
    "p_cell",
    "time_cell",
]

_SMALL_P = 0.001

LOOKS = (
    "p (Holm) is that of a fixed number of repeats. This study looked after each repeat, and its "
    "verdicts allow for that: an arm is found at a smaller p only."
)
"""What stands below the table of a study that gives more seeds to undecided arms."""


def interval_head(alpha: float) -> str:
    """Return the head of the column of intervals.

    Args:
        alpha: What the intervals leave out.

    Example:
        >>> interval_head(0.05)
        '95% interval'
    """
    return f"{100 * (1 - alpha):.4g}% interval"


def number_cell(value: float | None) -> str:
    """Return a number with three digits; "" for None.

    Args:
        value: The number.
    """
    return "" if value is None else short_number(value)


def interval_cell(found: Estimate) -> str:
    """Return an interval; "" if there is none.

    Args:
        found: What has it.
    """
    if found.low is None or found.high is None:
        return ""
    return f"{short_number(found.low)} to {short_number(found.high)}"


def p_cell(value: float | None) -> str:
    """Return a p; "" for None.

    Args:
        value: The p.

    Example:
        >>> p_cell(0.0123), p_cell(0.0)
        ('0.012', '<0.001')
    """
    if value is None:
        return ""
    return f"<{_SMALL_P:g}" if value < _SMALL_P else f"{value:.2g}"


def count_cell(value: int | None) -> str:
    """Return a whole number; "" for None.

    Args:
        value: The number.
    """
    return "" if value is None else f"{value:,}"


def time_cell(value: float | None) -> str:
    """Return seconds; "" for None.

    Args:
        value: The seconds.
    """
    return "" if value is None else f"{value:.1f} s"
