"""What paired differences say: mean, interval, the two tests, and Holm's correction. Pure.

Sums are exact (``math.fsum``), so that the order of the repeats changes no figure.
"""

from __future__ import annotations

import math
import random
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hopsml_flows.ablation import student

__all__ = ["Estimate", "chance_of_equal", "estimate", "holm", "sign_flip"]

_EXACT = 32
"""Most pairs whose sign flips are all counted; 2**32 of them take a tenth of a second."""

_DRAWS = 20_000
_SEED = 20_240_229
_TIE = 1e-12
"""Relative difference up to which two sums are equal; they are rounded."""

_ENOUGH_ALIKE = 3
"""Equal differences that say more than that their signs are: of two, chance may have made both."""

_FINEST = 1_000
"""Most steps of a coarse metric in a difference that are looked for."""

_CLEAR = 1e-3
"""How far from a whole number a step may be; more cannot be told from chance."""

_UNITS = 8 * sys.float_info.epsilon
"""Relative error of a difference between two metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean of paired differences, and how sure it is.

    Args:
        repeats: Number of pairs.
        mean: Their mean difference; None without pairs.
        deviation: Standard deviation of the differences; 0 if they are equal, but for rounding.
            None with fewer than two pairs, as all that follows.
        low: Lower end of the interval.
        high: Upper end of the interval.
        p: p of the paired t-test, two-sided; of differences that are all equal its limit, or how
            likely they are by chance.
        p_sign_flip: p of the sign-flip test, two-sided.
    """

    repeats: int
    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_sign_flip: float | None = None


def estimate(
    differences: Sequence[float],
    *,
    alpha: float = 0.05,
    rounding: float = 0.0,
    metrics: Iterable[Sequence[float]] = (),
) -> Estimate:
    """Judge paired differences.

    The interval is the t-test's, at the level 1 - ``alpha``. Differences that are all equal, and
    not zero, have a standard deviation of 0, and p is the limit of the t-test's: 0. Two exceptions
    allow for chance. Of two pairs, p is that of the sign-flip test. And if the metrics are coarse,
    p is :func:`chance_of_equal`.

    Args:
        differences: One finite number per pair, in any order.
        alpha: What the interval leaves out.
        rounding: A standard deviation up to this is taken as 0: the differences are rounded.
        metrics: The metrics of each arm that the differences are of; they show how coarse they are.

    Example:
        >>> found = estimate([0.1, 0.3, 0.2, 0.2])
        >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
        (0.2, 0.07, 0.33)
        >>> round(found.p, 4), found.p_sign_flip
        (0.0163, 0.125)
        >>> accuracy = [0.8312754, 0.9120311, 0.8740927]
        >>> estimate([0.25, 0.25, 0.25], metrics=[accuracy]).p
        0.0
    """
    count = len(differences)
    if count == 0:
        return Estimate(repeats=0)
    # In units of a power of two, in which no square overflows; the division is exact.
    unit = 2.0 ** max(-1022, math.frexp(max(map(abs, differences)))[1] - 1)
    scaled = [difference / unit for difference in differences]
    mean = math.fsum(scaled) / count
    if count == 1:
        return Estimate(repeats=1, mean=mean * unit)
    squares = math.fsum((value - mean) * (value - mean) for value in scaled)
    deviation = math.sqrt(squares / (count - 1))
    if deviation * unit <= rounding or len(set(scaled)) == 1:
        deviation = 0.0
    flips = sign_flip(scaled)
    if deviation:
        error = deviation / math.sqrt(count)
        p = student.p_value(mean / error, count - 1)
        half = student.quantile(alpha / 2, count - 1) * error
    else:
        p = flips if count < _ENOUGH_ALIKE or not mean else _limit(mean * unit, count, metrics)
        half = 0.0
    return Estimate(
        repeats=count,
        mean=mean * unit,
        deviation=deviation * unit,
        low=(mean - half) * unit,
        high=(mean + half) * unit,
        p=p,
        p_sign_flip=flips,
    )


def sign_flip(differences: Sequence[float]) -> float:
    """Return the p of the sign-flip test: how often random signs give so large a sum.

    If a component does nothing, each difference could as well have had the other sign (Fisher, The
    Design of Experiments, 1935, section 21). Up to 32 pairs all flips are counted; beyond, 20,000
    are drawn, with a fixed seed, and the p is (hits + 1) / (draws + 1) (Phipson & Smyth 2010).

    Args:
        differences: One finite number per pair, in any order.

    Example:
        >>> sign_flip([1.0, 2.0, 3.0, 4.0, 5.0])
        0.0625
    """
    values = sorted(map(abs, differences))
    reached = abs(math.fsum(differences)) - _TIE * math.fsum(values)
    if reached <= 0:
        return 1.0
    if len(values) > _EXACT:
        return _drawn(values, reached)
    # Sums of one half of the pairs, looked up among those of the other: 2 * 2**16, not 2**32.
    left, right = _sums(values[::2]), sorted(_sums(values[1::2]))
    hits = sum(len(right) - bisect_left(right, reached - value) for value in left)
    return min(1.0, 2.0 * hits / 2.0 ** len(values))


def chance_of_equal(count: int, steps: int) -> float:
    """Return how likely equal differences of a coarse metric are, if a component does nothing.

    The differences are then whole numbers of steps, with a distribution that is symmetric around 0
    and falls to both sides, which is less than the t-test asks for. It is a mixture of uniform
    distributions from -k to k, and a sum of powers is convex. So the probability that all
    differences are the same number, of at least so many steps, is largest for one of these:
    2 (k - steps + 1) / (2 k + 1)**count. For the smallest step and five repeats it is 2 / 3**5.

    Args:
        count: Number of differences, at least 2.
        steps: Number of steps in the difference, at least 1.

    Example:
        >>> round(chance_of_equal(3, 1), 4), round(chance_of_equal(5, 1), 4)
        (0.0741, 0.0082)
    """
    best = (2 * steps + 1 - 2 * count) / (2 * count - 2)  # where its derivative is 0
    more = {max(0, math.floor(best)), max(0, math.ceil(best))}
    return max(2 * (one + 1) * math.exp(-count * math.log(2 * (steps + one) + 1)) for one in more)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in the same order.

    An arm whose corrected p is at most alpha is found, and the probability of finding any that does
    nothing is at most alpha (Holm, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 1979).

    Args:
        p_values: One per comparison.

    Example:
        >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def _limit(difference: float, count: int, metrics: Iterable[Sequence[float]]) -> float:
    """The p of equal differences: that of the t-test as their deviation goes to 0."""
    steps = _steps(abs(difference), metrics)
    return 0.0 if steps is None else chance_of_equal(count, steps)


def _steps(difference: float, metrics: Iterable[Sequence[float]]) -> int | None:
    """How many steps of a coarse metric a difference has; None if the metric is not coarse.

    A metric is coarse if all metrics of an arm are apart by whole numbers of the same step: an
    accuracy on 50 rows varies by 0.02. A metric that does not vary shows no step.
    """
    apart = [
        (value / difference - arm[0] / difference, max(map(abs, arm)) / difference)
        for arm in metrics
        for value in arm[1:]
    ]
    if not all(map(math.isfinite, (number for pair in apart for number in pair))):
        return None
    moved = [(abs(far), _UNITS * size) for far, size in apart if abs(far) > _UNITS * size]
    if not moved:
        return None
    # Both the distance and the difference that it is measured in are rounded.
    unsure = max(error * (1 + far) for far, error in moved)
    for steps in range(1, _FINEST + 1):
        if unsure * steps > _CLEAR:
            return None
        if all(abs(far * steps - round(far * steps)) <= unsure * steps for far, _ in moved):
            return steps
    return None


def _sums(values: Sequence[float]) -> list[float]:
    sums = [0.0]
    for value in values:
        sums = [total + signed for total in sums for signed in (value, -value)]
    return sums


def _drawn(values: Sequence[float], reached: float) -> float:
    source = random.Random(_SEED)
    whole = math.fsum(values)
    hits = 0
    for _ in range(_DRAWS):
        bits = source.getrandbits(len(values))
        negative = sum(value for place, value in enumerate(values) if bits >> place & 1)
        hits += abs(whole - 2.0 * negative) >= reached
    return (hits + 1) / (_DRAWS + 1)
