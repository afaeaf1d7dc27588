"""The populations for an evaluation budget.

Each peer has the one that was best for it on the functions, so that it is not held back by what
suits ours. SciPy's is no good on the tables: the larger one is, there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

OURS = {30: 6, 100: 10, 300: 15, 1000: 20}
"""Evaluations to individuals of this project: what its documentation recommends."""

SCIPY = {30: 6, 100: 6, 300: 15}
"""Rounded to a multiple of the parameters, and at least 5: SciPy has no others."""

SCIPY_LARGE = {30: 10, 100: 20, 300: 30}

DEHB = {30: 6, 100: 6, 300: 8}


def population(budget: int, sizes: Mapping[int, int]) -> int:
    """How many individuals suit so many evaluations: of two entries around it the smaller."""
    fitting = [size for evaluations, size in sizes.items() if evaluations <= budget]
    return max(fitting, default=min(sizes.values()))


def generations(budget: int, size: int) -> int:
    """How many generations after the first spend so many evaluations."""
    return max(1, math.ceil(budget / size) - 1)
