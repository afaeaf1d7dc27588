"""The strategies of differential evolution: the vectors that a mutant is made from. Pure.

A mutant is ``start + F (toward - start) + F (one - other)``; a strategy chooses the four vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.encoding import Vector

__all__ = ["FEWEST", "Donors", "Pool", "Strategy", "Updating", "donors"]

FEWEST = 4
"""Parents that a mutant needs: its own and three different donors."""

E = TypeVar("E", bound=StrEnum)

_BEST_SHARE = 0.2
"""Share of the population that counts as its best (p of JADE)."""


class Strategy(StrEnum):
    """How trial vectors are made.

    ``rand1bin``: from three random vectors (Storn & Price, Journal of Global Optimization 1997);
    HopsML's. ``best1bin``: around the best vector (the same). ``currenttopbest1bin``: from the
    parent towards one of the best (JADE: Zhang & Sanderson, IEEE TEC 2009, eq. 5). ``adaptive``:
    that, with F and CR that follow what succeeded and a population of parents that shrinks
    linearly (L-SHADE: Tanabe & Fukunaga, CEC 2014), and a model of the objective that chooses
    one of several candidates for each trial vector.

    Example:
        >>> Strategy("best1bin") is Strategy.BEST1BIN
        True
    """

    RAND1BIN = "rand1bin"
    BEST1BIN = "best1bin"
    CURRENTTOPBEST1BIN = "currenttopbest1bin"
    ADAPTIVE = "adaptive"

    @classmethod
    def parse(cls, value: object) -> Strategy:
        """Return a strategy, given as a member or its name.

        Raises:
            InvalidArgumentError: It is neither.
        """
        return _member(cls, "strategy", value)


class Updating(StrEnum):
    """When results enter the population.

    ``deferred``: a generation waits for all its trials. ``immediate``: each trial vector is made
    from the population at the time when a worker is free.

    Example:
        >>> Updating("immediate") is Updating.IMMEDIATE
        True
    """

    DEFERRED = "deferred"
    IMMEDIATE = "immediate"

    @classmethod
    def parse(cls, value: object) -> Updating:
        """Return the time of updates, given as a member or its name.

        Raises:
            InvalidArgumentError: It is neither.
        """
        return _member(cls, "updating", value)


def _member(kind: type[E], argument: str, value: object) -> E:
    try:
        return kind(value)  # type: ignore[arg-type]  # anything may be asked
    except ValueError:
        names = ", ".join(repr(member.value) for member in kind)
        raise InvalidArgumentError(argument, value, f"must be one of {names}") from None


@dataclass(frozen=True, slots=True)
class Pool:
    """The vectors that mutants are made from.

    Args:
        population: The parents, the best first; shape (m, d), m of at least 4.
        archive: All configurations evaluated with success; shape (n, d).
    """

    population: Vector
    archive: Vector


@dataclass(frozen=True, slots=True)
class Donors:
    """The vectors of ``n`` mutants, each of shape (n, d)."""

    start: Vector
    toward: Vector
    one: Vector
    other: Vector

    def mutants(self, factors: Vector) -> Vector:
        """Return the mutants, inside or outside the bounds; shape (n, d).

        Args:
            factors: The mutation factor F of each mutant, shape (n,).
        """
        scale = factors[:, None]
        return self.start + scale * (self.toward - self.start) + scale * (self.one - self.other)


def donors(
    strategy: Strategy, pool: Pool, parent: int, count: int, rng: np.random.Generator
) -> Donors:
    """Draw the donors of ``count`` mutants of one parent.

    Args:
        strategy: The strategy.
        pool: The vectors to draw from.
        parent: The parent's place in the population.
        count: Number of mutants.
        rng: Source of randomness.
    """
    population = pool.population
    others = np.array([place for place in range(len(population)) if place != parent])
    three = np.array([rng.choice(others, 3, replace=False) for _ in range(count)])
    one, other = population[three[:, 0]], population[three[:, 1]]
    match strategy:
        case Strategy.RAND1BIN:
            base = population[three[:, 2]]
            return Donors(base, base, one, other)
        case Strategy.BEST1BIN:
            base = np.repeat(population[:1], count, axis=0)
            return Donors(base, base, one, other)
        case Strategy.CURRENTTOPBEST1BIN | Strategy.ADAPTIVE:
            best = max(2, round(_BEST_SHARE * len(population)))
            toward = population[rng.integers(best, size=count)]
            start = np.repeat(population[parent : parent + 1], count, axis=0)
            if strategy is Strategy.ADAPTIVE:
                # JADE's archive holds beaten parents. At small budgets, every evaluation is worth
                # keeping.
                other = pool.archive[rng.integers(len(pool.archive), size=count)]
            return Donors(start, toward, one, other)
