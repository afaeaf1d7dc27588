"""What paired differences say: mean, interval, the two tests, and Holm's correction. Pure.

Sums are exact (``math.fsum``), so that the order of the repeats changes no figure.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from hopsml_flows.ablation import student

__all__ = ["Estimate", "estimate", "holm", "sign_flip"]

_EXACT = 32
"""Most pairs whose sign flips are all counted; 2**32 of them take a tenth of a second."""

_DRAWS = 20_000
_SEED = 20_240_229
_TIE = 1e-12
"""Relative difference up to which two sums are equal; they are rounded."""

_ENOUGH_ALIKE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean of paired differences, and how sure it is.

    Args:
        repeats: Number of pairs.
        mean: Their mean difference; None without pairs.
        deviation: Standard deviation of the differences; None with fewer than two pairs, as all
            that follows.
        low: Lower end of the interval.
        high: Upper end of the interval.
        p: p of the paired t-test, two-sided.
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
    exact: bool = False,
) -> Estimate:
    """Judge paired differences.

    The interval is the t-test's, at the level 1 - ``alpha``. Differences that are all equal have no
    t-test: its p is then that of the sign-flip test, unless ``exact`` says that the repeats are
    copies of each other.

    Args:
        differences: One finite number per pair, in any order.
        alpha: What the interval leaves out.
        rounding: A standard deviation up to this is taken as 0: the differences are rounded.
        exact: Whether three equal differences or more are certain, because nothing varies.

    Example:
        >>> found = estimate([0.1, 0.3, 0.2, 0.2])
        >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
        (0.2, 0.07, 0.33)
        >>> round(found.p, 4), found.p_sign_flip
        (0.0163, 0.125)
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
        p = 0.0 if exact and count >= _ENOUGH_ALIKE and mean else flips
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
