"""Adapts the control parameters of differential evolution to what succeeded. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Success", "SuccessHistory"]

_LENGTH = 5
_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Success:
    """A trial vector that beat its parent.

    Args:
        mutation: Its F.
        crossover: Its CR.
        gain: By how much it was better than its parent.
    """

    mutation: float
    crossover: float
    gain: float


class SuccessHistory:
    """Success-history adaptation of F and CR (SHADE: Tanabe & Fukunaga, CEC 2013, eqs. 12-15).

    Args:
        mutation: The first value in the memory of F.
        crossover: The first value in the memory of CR.
    """

    def __init__(self, mutation: float, crossover: float) -> None:
        self._mutation = [mutation] * _LENGTH
        self._crossover = [crossover] * _LENGTH
        self._next = 0

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw F from a Cauchy distribution in (0, 1], CR from a normal one in [0, 1]."""
        place = int(rng.integers(_LENGTH))
        mutation = 0.0
        while mutation <= 0:
            mutation = self._mutation[place] + _SPREAD * float(rng.standard_cauchy())
        crossover = float(rng.normal(self._crossover[place], _SPREAD))
        return min(mutation, 1.0), min(max(crossover, 0.0), 1.0)

    def learn(self, successes: Sequence[Success]) -> None:
        """Take in the successes of a generation: weighted Lehmer mean of F, arithmetic of CR."""
        if not successes:
            return
        gains = np.array([success.gain for success in successes])
        largest = float(gains.max())
        # Divide first: sums of the largest floats overflow. An infinite gain outweighs all others.
        if math.isinf(largest):
            weights = np.where(np.isfinite(gains), 0.0, 1.0)
        elif largest > 0:
            weights = gains / largest
        else:
            weights = np.ones_like(gains)
        f = np.array([success.mutation for success in successes])
        cr = np.array([success.crossover for success in successes])
        self._mutation[self._next] = float((weights * f**2).sum() / (weights * f).sum())
        self._crossover[self._next] = float((weights * cr).sum() / weights.sum())
        self._next = (self._next + 1) % _LENGTH
