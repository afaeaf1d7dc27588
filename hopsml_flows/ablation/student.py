"""Student's t distribution, central and noncentral, and the power of the t-test.

SciPy is not among the dependencies; the tests compare every function here with it. Pure.
"""

from __future__ import annotations

import math
from functools import lru_cache

__all__ = ["p_value", "power", "quantile", "repeats_needed", "tail"]

_SMALLEST = 1e-300
"""Stands for zero in a denominator of the continued fraction."""

_STEPS = 400
"""Intervals of Simpson's rule; the power is then exact to more than eight digits."""


def tail(t: float, df: float) -> float:
    """Return the probability of more than ``t``: one tail of Student's distribution.

    Args:
        t: Any number.
        df: Degrees of freedom, above 0.

    Example:
        >>> round(tail(2.776445, 4), 6)
        0.025
    """
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    # Abramowitz & Stegun 26.7.1. x is near 1 where t is small: both x and 1 - x are made exactly.
    square = t * t
    half = 0.5 * _incomplete_beta(df / (df + square), square / (df + square), df / 2, 0.5)
    return half if t >= 0 else 1.0 - half


def p_value(t: float, df: float) -> float:
    """Return the two-sided p of a t-test.

    Args:
        t: The statistic.
        df: Degrees of freedom.

    Example:
        >>> round(p_value(-4.0621, 9), 6)  # R: t.test of the data sleep, paired
        0.002833
    """
    return min(1.0, 2.0 * tail(abs(t), df))


@lru_cache(maxsize=1024)
def quantile(level: float, df: float) -> float:
    """Return the t that is exceeded with a probability: the critical value of a one-sided test.

    Args:
        level: The probability, in (0, 0.5].
        df: Degrees of freedom.

    Example:
        >>> round(quantile(0.025, 4), 4), round(quantile(0.025, 1), 4)
        (2.7764, 12.7062)
    """
    low, high = 0.0, 1.0
    while tail(high, df) > level:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if tail(middle, df) > level else (low, middle)
    return (low + high) / 2


def power(effect: float, repeats: int, alpha: float = 0.05) -> float:
    """Return the power of the paired, two-sided t-test.

    The statistic then has the noncentral t distribution, with ``effect * sqrt(repeats)`` as
    noncentrality. Its tail is that of a normal distribution, averaged over the distribution of the
    estimated deviation (Owen, "A survey of properties and applications of the noncentral
    t-distribution", Technometrics 1968). Unlike R's ``power.t.test``, and like its ``strict=TRUE``,
    both tails count.

    Args:
        effect: Mean of the differences, in standard deviations of the differences.
        repeats: Number of pairs, at least 2.
        alpha: Level of the test.

    Example:
        >>> round(power(0.5, 34), 4)
        0.8078
    """
    df = repeats - 1
    critical = quantile(alpha / 2, df)
    shift = abs(effect) * math.sqrt(repeats)
    return min(1.0, _beyond(critical, df, shift) + _beyond(critical, df, -shift))


def repeats_needed(
    effect: float, alpha: float = 0.05, wanted: float = 0.8, most: int = 100_000
) -> int | None:
    """Return how many repeats the paired t-test needs to see an effect.

    Args:
        effect: Mean of the differences, in standard deviations of the differences.
        alpha: Level of the test.
        wanted: The power: how often the effect is to be seen.
        most: Most repeats that are considered.

    Returns:
        None if even ``most`` do not suffice.

    Example:
        >>> repeats_needed(0.5)  # R: power.t.test(delta=0.5, power=0.8, type="paired"), n = 33.37
        34
    """
    if not effect or power(effect, most, alpha) < wanted:
        return None
    low, high = 1, 2
    while high < most and power(effect, high, alpha) < wanted:
        low, high = high, min(most, high * 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle, alpha) >= wanted else (middle, high)
    return high


def _beyond(critical: float, df: int, shift: float) -> float:
    """The probability that a noncentral t exceeds a critical value.

    It is the mean of ``normal_tail(critical * s - shift)`` over ``s = sqrt(chi2 / df)``.
    """
    # The density of s lies around 1 with a deviation of about 1 / sqrt(2 df).
    reach = 9.0 / math.sqrt(2.0 * df)
    low, high = max(0.0, 1.0 - reach), 1.0 + max(reach, 4.0 if df < 4 else 0.0)
    high = min(high, (shift + 8.5) / critical)  # beyond it the normal tail is below 1e-17
    if high <= low:
        return 0.0
    constant = math.log(2.0) + 0.5 * df * math.log(0.5 * df) - math.lgamma(0.5 * df)
    width = (high - low) / _STEPS
    total = 0.0
    for step in range(_STEPS + 1):
        s = low + width * step
        if s <= 0.0:
            density = math.exp(constant) if df == 1 else 0.0
        else:
            density = math.exp(constant + (df - 1) * math.log(s) - 0.5 * df * s * s)
        weight = 1 if step in (0, _STEPS) else 4 if step % 2 else 2
        total += weight * density * 0.5 * math.erfc((critical * s - shift) / math.sqrt(2.0))
    return total * width / 3.0


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularized incomplete beta function; ``rest`` is 1 - x.

    The continued fraction is that of Press et al., Numerical Recipes, section 6.4.
    """
    if x <= 0.0 or rest <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(front + a * math.log(x) + b * math.log(rest))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(rest, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""

    def safe(value: float) -> float:
        return value if abs(value) > _SMALLEST else _SMALLEST

    c = 1.0
    d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0))
    found = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1.0 / safe(1.0 + even * d), safe(1.0 + even / c)
        found *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1.0 / safe(1.0 + odd * d), safe(1.0 + odd / c)
        found *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return found
