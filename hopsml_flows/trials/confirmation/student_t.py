"""Student's t distribution: its distribution function, and the inverse. Pure."""

from __future__ import annotations

import math

__all__ = ["t_cdf", "t_quantile"]

_MOST_TERMS = 300
_TINY = 1e-300


def t_cdf(value: float, degrees: int) -> float:
    """Return the probability that a t-distributed number is at most ``value``.

    By the regularized incomplete beta function: DLMF 8.17, https://dlmf.nist.gov/8.17

    Args:
        value: The number; infinite ones count, too.
        degrees: Degrees of freedom, from 1.

    Example:
        >>> t_cdf(0.0, 4), round(t_cdf(2.776445, 4), 6)
        (0.5, 0.975)
    """
    if math.isinf(value):
        return 0.0 if value < 0 else 1.0
    upper = 0.5 * _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + value * value))
    return upper if value < 0 else 1.0 - upper


def t_quantile(probability: float, degrees: int) -> float:
    """Return the number that a t-distributed one is at most with a probability.

    Args:
        probability: Above 0 and below 1.
        degrees: Degrees of freedom, from 1.

    Example:
        >>> round(t_quantile(0.975, 4), 6)
        2.776445
    """
    if probability < 0.5:
        return -t_quantile(1.0 - probability, degrees)
    low, high = 0.0, 1.0
    while t_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if t_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    # The fraction converges fast on this side of the mean; DLMF 8.17.4 mirrors the other one.
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(a, b, x) / a
    return 1.0 - math.exp(log_front) * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), DLMF 8.17.22, by Lentz's method."""
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            found *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return found


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
