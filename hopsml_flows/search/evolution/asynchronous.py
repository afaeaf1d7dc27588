"""Asynchronous differential evolution: a new trial vector whenever a worker is free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hopsml_flows.search.base import BaseSearch, Proposal, params_by_id
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.encoding import UnitCube
from hopsml_flows.search.evolution.breeding import (
    Breeder,
    Member,
    TrialVector,
    place_of,
    rank,
)
from hopsml_flows.search.evolution.strategies import FEWEST, Strategy
from hopsml_flows.search.evolution.success_history import Success
from hopsml_flows.search.evolution.variation import latin_hypercube
from hopsml_flows.search.initial_points import checked_points
from hopsml_flows.search.one_thread import in_one_thread
from hopsml_flows.search.randomness import generator, known_seed
from hopsml_flows.search.seen import Seen
from hopsml_flows.search.space import SearchSpace
from hopsml_flows.values.arguments import LARGEST, whole_number

__all__ = ["AsynchronousEvolution", "population_for"]

_FACTOR = 0.5
_RATE = 0.7
_ENDLESS = 300
"""Trials that a search without an end is sized for."""


class AsynchronousEvolution(BaseSearch):
    """Differential evolution without generations, which never waits for a result.

    The "adaptive" strategy of :class:`DifferentialEvolution`, in steady state: each trial vector is
    made from the parents of the moment, and its result competes with its parent as soon as it is
    told. Trials that still run are taken into account by the model that chooses. The first
    configurations, as many as parents, are those of ``initial`` and a Latin hypercube. Failures are
    never parents; while fewer than four configurations have succeeded, others are drawn at random.
    No configuration is proposed twice.

    Args:
        space: The search space.
        num_trials: Number of configurations; None for no end.
        workers: How many trials run at once.
        population: Number of parents at the beginning; None for :func:`population_for`. With
            ``num_trials``, it shrinks linearly to four.
        direction: Which way is better.
        initial: Configurations to evaluate first.
        seed: The same seed and the same results in the same order give the same proposals; None
            draws a seed.

    Raises:
        InvalidArgumentError: An argument is out of its range; the message names it.

    Example:
        >>> space = SearchSpace({"x": [-5.0, 5.0], "y": [-5.0, 5.0]})
        >>> search = AsynchronousEvolution(space, num_trials=50, direction="min", seed=7)
        >>> while not search.finished:
        ...     for proposal in search.ask(1):
        ...         search.tell(proposal.id, proposal.params["x"] ** 2 + proposal.params["y"] ** 2)
        >>> search.total, search.best.value < 0.1
        (50, True)
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        num_trials: int | None = None,
        workers: int = 1,
        population: int | None = None,
        direction: Direction | str = Direction.MAX,
        initial: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        if num_trials is not None:
            num_trials = whole_number("num_trials", num_trials, least=1)
        workers = whole_number("workers", workers, least=1)
        if population is None:
            population = population_for(num_trials, workers)
        self._size = whole_number("population", population, least=FEWEST)
        most = LARGEST if num_trials is None else num_trials
        self._initial = checked_points(space, initial, most=most, limit="num_trials")
        self._seed = known_seed(seed)
        limits = [limit for limit in (num_trials, space.cardinality) if limit is not None]
        self._planned = min(limits, default=None)
        self._endless = self._planned is None
        self._horizon = num_trials
        self._cube = UnitCube(space)
        self._seen = Seen(space)
        self._breeder = Breeder(self._cube, Strategy.ADAPTIVE, _FACTOR, _RATE)
        self._design: list[TrialVector] | None = None
        self._parents: list[Member] = []
        self._running: dict[int, TrialVector] = {}
        self._successes: list[Success] = []
        self._told = 0

    @property
    def adaptive(self) -> bool:
        """True: each proposal depends on the results."""
        return True

    @property
    def total(self) -> int | None:
        """Number of configurations; None if there is no end."""
        return self._asked if self._exhausted else self._planned

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed.

        Args:
            proposals: Proposals, or only their parameters as JSON has them, by their ids.
        """
        super().recall(self._seen.keep(params_by_id(proposals)))

    @in_one_thread
    def _propose(self, number: int) -> dict[str, Any] | None:
        trial = self._designed(number) or self._bred(number) or self._drawn(number)
        if trial is None:
            return None
        self._running[number] = trial
        return trial.params

    def _adopt(self, number: int, proposed: dict[str, Any], params: dict[str, Any]) -> None:
        self._seen.replace(proposed, by=params)
        self._running[number] = replace(
            self._running[number], vector=self._cube.vector(params), params=params
        )

    def _designed(self, number: int) -> TrialVector | None:
        """Return the next of the first configurations, or None if there are no more."""
        if self._design is None:
            self._design = self._first_configurations()
        while self._design:
            trial = self._design.pop(0)
            if self._seen.add(trial.params, number):
                return trial
        return None

    def _first_configurations(self) -> list[TrialVector]:
        size = self._size if self._planned is None else min(self._size, self._planned)
        missing = max(size - len(self._initial), 0)
        design = latin_hypercube(missing, self._cube.size, generator(self._seed, 0))
        points = [*self._initial, *(self._cube.params(vector) for vector in design)]
        return [TrialVector(self._cube.vector(params), params) for params in points]

    def _bred(self, number: int) -> TrialVector | None:
        """Return a trial vector, or None if too few have succeeded or all of them are known."""
        if len(self._parents) < FEWEST:
            return None
        parent = self._parents[(number - 1) % self._size % len(self._parents)]
        rng = generator(self._seed, number)
        pool = self._breeder.pool(self._parents)
        for made in self._breeder.offspring(parent, self._parents, pool, self._running, rng):
            if self._seen.add(made.params, number):
                self._breeder.believe(made.vector)
                return made
        return None

    def _drawn(self, number: int) -> TrialVector | None:
        params = self._seen.draw(generator(self._seed, number), number)
        return None if params is None else TrialVector(self._cube.vector(params), params)

    def _learn(self, proposal: Proposal, value: float | None) -> None:
        self._told += 1
        trial = self._running.pop(proposal.id)
        if value is not None:
            member = Member(proposal.id, trial.vector, self.direction.loss(value))
            self._breeder.evaluated.add(member.number, member.vector, member.loss)
            self._select(trial, member)
        if self._told % self._size == 0:
            self._breeder.learn(self._successes)
            self._successes = []
            self._shrink()

    def _select(self, trial: TrialVector, member: Member) -> None:
        """Let an evaluated trial vector compete with its parent."""
        if trial.parent is None:
            self._parents.append(member)
            return
        gain = trial.parent.loss - member.loss
        if gain > 0 and trial.mutation > 0:
            self._successes.append(Success(trial.mutation, trial.crossover, gain))
        place = place_of(trial.parent, self._parents)
        if member.loss <= self._parents[place].loss:
            self._parents[place] = member

    def _shrink(self) -> None:
        """Sort the parents, best first, and keep fewer of them towards the end."""
        size = self._size
        if self._horizon is not None:
            size = round(size + (FEWEST - size) * min(self._told / self._horizon, 1.0))
        self._parents.sort(key=rank)
        del self._parents[size:]


def population_for(num_trials: int | None, workers: int = 1) -> int:
    """Return the number of parents that suits a number of trials.

    Args:
        num_trials: How many trials there will be; None for no end.
        workers: How many of them run at once.

    Example:
        >>> population_for(30), population_for(100), population_for(300, workers=32)
        (6, 11, 32)
    """
    trials = _ENDLESS if num_trials is None else num_trials
    fitting = round(9.3 * math.log10(trials) - 8) if trials > 30 else 6
    return max(min(fitting, 20), workers, FEWEST)
