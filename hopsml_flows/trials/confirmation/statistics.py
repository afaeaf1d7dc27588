"""Means of repeated evaluations, and the probability that one configuration is better. Pure.

The probability is the posterior of a mean of paired differences: with the prior that says nothing,
that mean has a Student t distribution around the mean of the differences (Gelman et al., *Bayesian
Data Analysis*, section 3.2; Benavoli et al., *Time for a Change*, JMLR 18, 2017, for the comparison
of two learners; there with a correlation, which independent seeds do not have).

Differences that are all the same have no spread to estimate, and the distribution would be certain
of its case after two seeds. That is right of functions that draw nothing. Where metrics differ from
seed to seed, as those of an accuracy on a few examples, equal differences are a coincidence that
the next seed may end. Then only their signs count: two configurations that are equally good agree
in sign *n* times with probability 2**-n (the sign test), so no probability is beyond 1 - 2**-n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hopsml_flows.search import Direction
from hopsml_flows.trials.confirmation.student_t import t_cdf, t_quantile

__all__ = ["LEVEL", "Comparison", "Estimate", "compare", "estimate"]

LEVEL = 0.95
"""Probability with which an interval has the mean in it."""

_ROUNDING = 1e-6
"""Differences closer than this, relative to the metrics, are the same: a metric may have only the
seven digits of a float of 32 bits."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and the interval that has the true one in it with a probability of 95 %.

    Args:
        mean: The mean.
        low: Lower end of the interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a configuration compares with another one on the same seeds.

    Args:
        probability: That it is better, on average over seeds.
        difference: By how much its metric is better: of a metric that is to be small, by how much
            it is smaller.
        pairs: Seeds on which both have a metric.
    """

    probability: float
    difference: Estimate
    pairs: int


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the mean of numbers with its interval; None of fewer than two.

    Args:
        values: The numbers.

    Example:
        >>> found = estimate([0.90, 0.92, 0.94])
        >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
        (0.92, 0.87, 0.97)
    """
    if len(values) < 2:
        return None
    mean, error = _moments(values)
    half = t_quantile((1 + LEVEL) / 2, len(values) - 1) * error
    return Estimate(mean, mean - half, mean + half)


def compare(
    ours: Sequence[float | None], others: Sequence[float | None], direction: Direction
) -> Comparison | None:
    """Return how a configuration compares with another one; None of fewer than two pairs.

    Args:
        ours: Its metric for each seed; None where it failed.
        others: The other one's, for the same seeds.
        direction: Which way is better.

    Example:
        >>> found = compare([0.93, 0.95, 0.94], [0.90, 0.93, 0.92], Direction.MAX)
        >>> round(found.probability, 3), round(found.difference.mean, 4)
        (0.99, 0.0233)

        Three equal differences between metrics that have luck in them are not certain:

        >>> compare([0.93, 0.95, 0.94], [0.92, 0.94, 0.93], Direction.MAX).probability
        0.875
    """
    sign = -1.0 if direction is Direction.MIN else 1.0
    differences = [
        sign * (our - other)
        for our, other in zip(ours, others, strict=True)
        if our is not None and other is not None
    ]
    difference = estimate(differences)
    if difference is None:
        return None
    return Comparison(_probability(differences, ours, others), difference, len(differences))


def _probability(
    differences: Sequence[float], ours: Sequence[float | None], others: Sequence[float | None]
) -> float:
    """The probability that the mean of differences is above 0."""
    mean, error = _moments(differences)
    if error > 0:
        probability = t_cdf(mean / error, len(differences) - 1)
    else:
        probability = 0.5 if mean == 0 else float(mean > 0)
    there = [[each for each in metrics if each is not None] for metrics in (ours, others)]
    draws_nothing = all(min(metrics) == max(metrics) for metrics in there)
    size = max(abs(each) for metrics in there for each in metrics)
    if draws_nothing or max(differences) - min(differences) > _ROUNDING * size:
        return probability
    doubt = 0.5 ** len(differences)
    return min(max(probability, doubt), 1 - doubt)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error. Large numbers do not overflow."""
    count = len(values)
    scale = max(map(abs, values)) or 1.0
    scaled = [value / scale for value in values]
    mean = math.fsum(scaled) / count
    # What rounding leaves of equal numbers is no variance.
    spread = [each - mean for each in scaled] if min(scaled) != max(scaled) else []
    variance = math.fsum(each * each for each in spread) / (count - 1)
    if not spread:
        mean = scaled[0]
    return mean * scale, math.sqrt(variance / count) * scale
