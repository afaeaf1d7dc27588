"""The population for an evaluation budget: what the documentation recommends, in one place."""

from __future__ import annotations

import math

POPULATIONS = {30: 6, 100: 10, 300: 15, 1000: 20}
"""Evaluations to individuals; between two of these the smaller one counts."""


def population(budget: int) -> int:
    """How many individuals suit so many evaluations."""
    fitting = [size for evaluations, size in POPULATIONS.items() if evaluations <= budget]
    return max(fitting, default=min(POPULATIONS.values()))


def generations(budget: int, size: int) -> int:
    """How many generations after the first spend so many evaluations."""
    return max(1, math.ceil(budget / size) - 1)
