"""From runs to figures: regret, gap and rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from optimization.problem import Problem
from scipy.stats import rankdata

Curves = Mapping[tuple[str, str, int], np.ndarray]
"""(contender, problem, budget) to the best value so far: a row a seed, a column an evaluation."""


def curve(values: Sequence[float], length: int) -> np.ndarray:
    """The best value after each evaluation; who ended early keeps what it had."""
    best = np.minimum.accumulate(np.asarray(values, float)[:length])
    return np.pad(best, (0, length - len(best)), mode="edge")


@dataclass(frozen=True)
class Scale:
    """What a value on a problem is worth.

    Args:
        problem: Whose values.
        best: The best value that anybody found in any run: regret 0.
        random: The median of random search after each evaluation: regret 1.
    """

    problem: Problem
    best: float
    random: np.ndarray

    def regret(self, values: np.ndarray, evaluations: int) -> np.ndarray:
        """Normalised regret; not a number where random search finds the best value, too."""
        spread = self.random[evaluations - 1] - self.best
        return (values - self.best) / (spread if spread > 1e-12 * abs(self.best) else np.nan)

    def gap(self, values: np.ndarray) -> np.ndarray:
        """How far from a table's optimum, in percent of how far its median is."""
        problem = self.problem
        if problem.optimum is None or problem.median is None:
            raise ValueError(f"{problem.name} is not a table")
        return 100 * (values - problem.optimum) / (problem.median - problem.optimum)


@dataclass(frozen=True)
class Mean:
    """A mean over problems and seeds.

    Args:
        value: The mean.
        error: Its standard error over the seeds; what other problems would give is not in it.
    """

    value: float
    error: float

    @classmethod
    def of(cls, figures: np.ndarray) -> Mean:
        """Of an array with a row a problem and a column a seed; rows without numbers are left out.

        Args:
            figures: One number a problem and seed.
        """
        figures = figures[np.isfinite(figures).all(axis=1)]
        if not figures.size:
            return cls(float("nan"), float("nan"))
        seeds = figures.mean(axis=0)
        error = float(seeds.std(ddof=1) / np.sqrt(len(seeds))) if len(seeds) > 1 else float("nan")
        return cls(float(seeds.mean()), error)


def final(curves: Curves, contender: str, problems: Sequence[str], budget: int) -> np.ndarray:
    """The best values of a contender's runs: a row a problem, a column a seed."""
    return np.array([curves[contender, problem, budget][:, -1] for problem in problems])


def rank(own: np.ndarray, others: Sequence[np.ndarray]) -> Mean:
    """The mean rank among others, 1 being best; who is equal shares the mean of the places.

    Args:
        own: The best values of a contender: a row a problem, a column a seed.
        others: Those of the others.
    """
    return Mean.of(rankdata(np.array([own, *others]), axis=0)[0])
