"""Breeds trial vectors: variation makes candidates, and a model of the objective ranks them. Pure.

Generational and asynchronous evolution differ in when they breed and what they select; they share
this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hopsml_flows.search.encoding import UnitCube, Vector
from hopsml_flows.search.evolution.evaluations import Evaluations
from hopsml_flows.search.evolution.strategies import Pool, Strategy, donors
from hopsml_flows.search.evolution.success_history import Success, SuccessHistory
from hopsml_flows.search.evolution.surrogate import Surrogate
from hopsml_flows.search.evolution.variation import (
    bounced,
    crossed,
    mutated_categories,
    neighbours,
)

__all__ = ["Breeder", "Member", "TrialVector", "place_of", "rank"]

_CANDIDATES_PER_POINT = 0.4
_FEWEST_CANDIDATES = 5
_MOST_CANDIDATES = 20
"""Candidates that the model chooses from. With too many, it forgets that parents are good."""

_NEIGHBOURS = 64
_CENTRES = 5
"""Candidates near the best evaluations, and of how many: offspring alone leave a good model little
to choose from while the parents lie far apart."""

_NO_MUTANT = (0.0, 0.0)
_REDRAWS = 10
_FEWEST_POINTS = 6
_MODEL_POINTS = 400
"""Evaluations that the model is fitted to, the best and the latest; it costs their cube."""


@dataclass(frozen=True, slots=True)
class Member:
    """A configuration that was evaluated with success.

    Args:
        number: Number of its proposal.
        vector: The configuration, shape (d,), in [0, 1].
        loss: Its metric as a loss.
    """

    number: int
    vector: Vector
    loss: float


@dataclass(frozen=True, slots=True)
class TrialVector:
    """A configuration under evaluation.

    Args:
        vector: The configuration, shape (d,), in [0, 1].
        params: The same as the space has it.
        parent: The member that it competes with; None if it was not bred.
        mutation: F; 0 if it is no mutant, and says nothing about F and CR.
        crossover: CR.
    """

    vector: Vector
    params: dict[str, Any]
    parent: Member | None = None
    mutation: float = 0.0
    crossover: float = 0.0


def rank(member: Member) -> tuple[float, int]:
    """Sort key of members: the best first, of equals the one asked for first.

    Args:
        member: A member.
    """
    return member.loss, member.number


def place_of(parent: Member, population: Sequence[Member]) -> int:
    """Return the place of a parent, or the worst member's place if it is gone.

    Args:
        parent: The parent of a trial vector.
        population: The present parents.
    """
    places = range(len(population))
    worst = max(places, key=lambda place: population[place].loss)
    return next((place for place in places if population[place] is parent), worst)


class Breeder:
    """Makes trial vectors from a population and everything that was evaluated.

    Args:
        cube: The space.
        strategy: How mutants are made.
        mutation: F; the first value in the memory of "adaptive".
        crossover: CR; the first value in the memory of "adaptive".
    """

    def __init__(
        self, cube: UnitCube, strategy: Strategy, mutation: float, crossover: float
    ) -> None:
        self._cube = cube
        self._strategy = strategy
        self._factor = mutation
        self._rate = crossover
        self._memory = SuccessHistory(min(mutation, 1.0), crossover)
        self._model: tuple[int, Surrogate] | None = None
        self.evaluated = Evaluations(cube.size)
        """Every success, in the order of results."""

    def pool(self, population: Sequence[Member]) -> Pool:
        """Return the vectors that mutants of a population are made from.

        Args:
            population: At least :data:`~hopsml_flows.search.evolution.strategies.FEWEST` members.
        """
        return Pool(
            np.array([member.vector for member in sorted(population, key=rank)]),
            self.evaluated.vectors,
        )

    def offspring(
        self,
        parent: Member,
        population: Sequence[Member],
        pool: Pool,
        running: Mapping[int, TrialVector],
        rng: np.random.Generator,
    ) -> Iterator[TrialVector]:
        """Yield trial vectors of a parent, the most promising first; a few dozen at most.

        Args:
            parent: One of the population.
            population: The parents.
            pool: Their vectors.
            running: Trial vectors under evaluation, by number.
            rng: Source of randomness.
        """
        count = self._candidates()
        ranked = sorted(population, key=rank)
        place = next(i for i, member in enumerate(ranked) if member is parent)
        for _ in range(_REDRAWS):
            drawn = [self._control(rng) for _ in range(count)]
            factors = np.array([f for f, _ in drawn])
            rates = np.array([cr for _, cr in drawn])
            given = donors(self._strategy, pool, place, count, rng)
            mutants = bounced(
                given.mutants(factors), np.repeat(parent.vector[None, :], count, 0), rng
            )
            mutants = mutated_categories(
                mutants,
                given.toward,
                (given.one, given.other),
                factors,
                self._cube.categories,
                rng,
            )
            bred = crossed(mutants, parent.vector, rates, rng)
            vectors = self._cube.snapped(np.vstack([bred, self._neighbours(rng)]))
            for choice in self._order(vectors, running):
                vector = vectors[choice]
                control = drawn[choice] if choice < count else _NO_MUTANT
                yield TrialVector(vector, self._cube.params(vector), parent, *control)

    def _neighbours(self, rng: np.random.Generator) -> Vector:
        """Return points near the best evaluations; none while there is no model to choose."""
        if self._strategy is not Strategy.ADAPTIVE or len(self.evaluated) < _FEWEST_POINTS:
            return np.empty((0, self._cube.size))
        centres = self.evaluated.vectors[self.evaluated.best(_CENTRES)]
        return neighbours(centres, _NEIGHBOURS, self._cube.categories, rng)

    def believe(self, vector: Vector) -> None:
        """Take note that a vector is going to be evaluated.

        Args:
            vector: Shape (d,), in [0, 1].
        """
        if self._model is not None:
            self._model[1].believe(vector)

    def learn(self, successes: Sequence[Success]) -> None:
        """Adapt F and CR to trial vectors that beat their parents.

        Args:
            successes: Those since the last call.
        """
        self._memory.learn(successes)

    def _candidates(self) -> int:
        """Return how many candidates a trial vector has: more as the model knows more."""
        if self._strategy is not Strategy.ADAPTIVE:
            return 1
        known = round(_CANDIDATES_PER_POINT * len(self.evaluated))
        return min(max(known, _FEWEST_CANDIDATES), _MOST_CANDIDATES)

    def _control(self, rng: np.random.Generator) -> tuple[float, float]:
        if self._strategy is Strategy.ADAPTIVE:
            return self._memory.draw(rng)
        return self._factor, self._rate

    def _order(self, vectors: Vector, running: Mapping[int, TrialVector]) -> list[int]:
        """Return the places of candidates, the model's favourite first."""
        model = self._fitted(running) if len(vectors) > 1 else None
        return list(range(len(vectors))) if model is None else model.order(vectors)

    def _fitted(self, running: Mapping[int, TrialVector]) -> Surrogate | None:
        """Return the model of all evaluations, refitted when these have grown by a fiftieth."""
        count = len(self.evaluated)
        if count < _FEWEST_POINTS:
            return None
        if self._model is None or count - self._model[0] > count // 50:
            places = np.arange(count)
            if count > _MODEL_POINTS:
                half = _MODEL_POINTS // 2
                older = self.evaluated.best(half, of=count - half)
                places = np.concatenate([older, places[-half:]])
            self._model = (
                count,
                Surrogate(
                    self.evaluated.vectors[places],
                    self.evaluated.losses[places],
                    self._cube.categories,
                    self._model[1].lengths if self._model else None,
                    np.array([trial.vector for _, trial in sorted(running.items())]),
                ),
            )
        return self._model[1]
