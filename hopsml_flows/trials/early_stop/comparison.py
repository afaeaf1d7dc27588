"""How rules compare metrics: as losses, of which the smaller one is better. Pure."""

from __future__ import annotations

import math

from hopsml_flows.search.direction import Direction

__all__ = ["as_loss", "relation"]


def as_loss(direction: Direction, metric: float) -> float:
    """Return a metric as a loss; one that is NaN or infinite is worse than every number.

    Args:
        direction: Which way the metric is better.
        metric: The metric.

    Example:
        >>> as_loss(Direction.MAX, 0.5), as_loss(Direction.MAX, float("inf"))
        (-0.5, inf)
    """
    return direction.loss(metric) if math.isfinite(metric) else math.inf


def relation(direction: Direction, metric: float) -> str:
    """Say how a metric relates to a number that is better.

    Args:
        direction: Which way the metric is better.
        metric: The metric.

    Example:
        >>> relation(Direction.MAX, 0.5), relation(Direction.MIN, 0.5)
        ('is below', 'is above')
    """
    if not math.isfinite(metric):
        return "is no finite number, unlike"
    return "is below" if direction is Direction.MAX else "is above"
