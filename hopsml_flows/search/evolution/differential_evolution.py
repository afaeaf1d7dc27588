"""Differential evolution, for budgets of tens to hundreds of evaluations over any mixed space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hopsml_flows.search.base import BaseSearch, GaveUp, Proposal, params_by_id
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.encoding import UnitCube
from hopsml_flows.search.evolution.breeding import (
    Breeder,
    Member,
    TrialVector,
    place_of,
    rank,
)
from hopsml_flows.search.evolution.strategies import FEWEST, Pool, Strategy, Updating
from hopsml_flows.search.evolution.success_history import Success
from hopsml_flows.search.evolution.variation import latin_hypercube
from hopsml_flows.search.initial_points import checked_points
from hopsml_flows.search.one_thread import in_one_thread
from hopsml_flows.search.seen import Seen
from hopsml_flows.search.space import SearchSpace
from hopsml_flows.values.arguments import number_inside, whole_number
from hopsml_flows.values.plain import image_key

__all__ = ["DifferentialEvolution"]


class DifferentialEvolution(BaseSearch):
    """Differential evolution over numbers on linear or log scales, integers and categories.

    ``(generations + 1) * population`` configurations are evaluated. The first generation, number
    0, is a Latin hypercube. A trial vector replaces its parent if it is as good or better.
    Failures lose every comparison and are never donors. While too few have succeeded to breed from,
    configurations are drawn at random. No configuration is proposed twice. The search ends early if
    a finite space is exhausted, or if all trials fail in ``max_failed_generations`` generations in
    a row.

    Args:
        space: The search space.
        generations: Generations after the first one.
        population: Trials per generation, and the number of parents.
        direction: Which way is better.
        strategy: A :class:`Strategy` or its name.
        mutation: F, in (0, 2]; the first value in the memory of "adaptive".
        crossover: CR, in [0, 1]; the first value in the memory of "adaptive".
        updating: An :class:`Updating` or its name.
        initial: Configurations to evaluate first, at most ``population``.
        tol: An improvement of the best metric counts only if it is larger.
        patience: Generations without improvement after which the search ends; None for never.
        max_failed_generations: Generations in a row in which all trials fail after which the search
            ends.
        seed: The same seed gives the same search; with "deferred", for any order of the trials and
            any number of workers. None draws a seed.

    Raises:
        InvalidArgumentError: An argument is out of its range; the message names it.

    Example:
        >>> space = SearchSpace({"x": [-5.0, 5.0], "y": [-5.0, 5.0]})
        >>> search = DifferentialEvolution(space, direction="min", generations=9, seed=7)
        >>> while not search.finished:
        ...     for proposal in search.ask():
        ...         search.tell(proposal.id, proposal.params["x"] ** 2 + proposal.params["y"] ** 2)
        >>> search.total, search.best.value < 0.1
        (60, True)
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        generations: int = 4,
        population: int = 6,
        direction: Direction | str = Direction.MAX,
        strategy: Strategy | str = Strategy.ADAPTIVE,
        mutation: float = 0.5,
        crossover: float = 0.7,
        updating: Updating | str = Updating.DEFERRED,
        initial: Sequence[Mapping[str, Any]] = (),
        tol: float = 0.0,
        patience: int | None = None,
        max_failed_generations: int = 3,
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        self._generations = whole_number("generations", generations, least=1)
        self._size = whole_number("population", population, least=FEWEST)
        self._strategy = Strategy.parse(strategy)
        self._updating = Updating.parse(updating)
        factor = number_inside("mutation", mutation, "in (0, 2]", lambda f: 0 < f <= 2)
        rate = number_inside("crossover", crossover, "in [0, 1]", lambda cr: 0 <= cr <= 1)
        self._tol = number_inside("tol", tol, "of at least 0", lambda t: t >= 0)
        self._patience = None if patience is None else whole_number("patience", patience, least=1)
        self._most_barren = whole_number("max_failed_generations", max_failed_generations, least=1)
        self._initial = checked_points(space, initial, most=self._size, limit="population")
        self._rng = np.random.default_rng(
            None if seed is None else whole_number("seed", seed, least=0)
        )
        cells = space.cardinality
        planned = (self._generations + 1) * self._size
        self._planned = planned if cells is None else min(planned, cells)
        self._cube = UnitCube(space)
        self._seen = Seen(space)
        self._breeder = Breeder(self._cube, self._strategy, factor, rate)
        self._population: list[Member] = []
        self._queue: list[TrialVector] = []
        self._running: dict[int, TrialVector] = {}
        self._params: dict[int, dict[str, Any]] = {}
        self._shown: list[dict[str, Any]] = []
        self._losses: dict[int, float] = {}  # of the generations that are not complete
        self._complete = 0
        self._bests: list[float] = []
        self._successes: list[Success] = []
        self._barren: list[int] = []  # trials of each of the last generations, where all failed
        self._gave_up: GaveUp | None = None
        self._stopped = False

    @property
    def total(self) -> int:
        """Number of configurations; fewer if the space has fewer or the search ended early."""
        return self._asked if self._exhausted or self._stopped else self._planned

    @property
    def generation(self) -> int | None:
        """The generation of the next proposal, from 0; None after the last."""
        return None if self._all_asked() else self._asked // self._size

    @property
    def gave_up(self) -> GaveUp | None:
        """Why the search ended early, if too many generations in a row failed; else None."""
        if self._gave_up is None and self._barren and self.finished and not self._breeder.evaluated:
            return self._failed_generations()  # there were only a few generations
        return self._gave_up

    @property
    def adaptive(self) -> bool:
        """Whether each proposal depends on results; none does in a deferred generation."""
        return self._updating is Updating.IMMEDIATE

    @property
    def population(self) -> list[dict[str, Any]]:
        """The configurations of the open generation; in immediate mode the parents at its start."""
        return self._shown

    @property
    def parents(self) -> list[dict[str, Any]]:
        """The parents' configurations, the best first."""
        ranked = sorted(self._population, key=rank)
        return [self._params[member.number] for member in ranked]

    def _all_asked(self) -> bool:
        return self._stopped or super()._all_asked()

    def _ready(self) -> bool:
        if self._updating is Updating.IMMEDIATE:
            return True
        return bool(self._queue) or not self._pending

    def _propose(self, number: int) -> dict[str, Any] | None:
        if not self._queue:
            self._prepare(number)
        if not self._queue:
            return None
        trial = self._queue.pop(0)
        self._running[number] = trial
        self._params[number] = trial.params
        return trial.params

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed.

        Args:
            proposals: Proposals, or only their parameters as JSON has them, by their ids.
        """
        super().recall(self._seen.keep(params_by_id(proposals)))

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Take the next proposals; see :meth:`BaseSearch.ask`."""
        asked = super().ask(count)
        self._complete_generations()  # the last one may turn out to be shorter than the others
        return asked

    def _adopt(self, number: int, proposed: dict[str, Any], params: dict[str, Any]) -> None:  # noqa: ARG002 - as in the base
        # Its trial vector was queued before it was recalled.
        self._params[number] = params
        self._running[number] = self._exchanged(self._running[number], params)

    def _learn(self, proposal: Proposal, value: float | None) -> None:
        self._losses[proposal.id] = math.inf if value is None else self.direction.loss(value)
        if self._updating is Updating.IMMEDIATE:
            self._select(proposal.id)
        self._complete_generations()

    # What is proposed

    def _prepare(self, number: int) -> None:
        """Queue the next trial vectors: a whole generation, or in immediate mode one.

        Args:
            number: The number of the first.
        """
        generation, place = divmod(number - 1, self._size)
        if number == 1:
            self._queue = self._first_generation()
        elif generation == 0:  # the space is so small that the design had repeats
            self._queue = self._all_drawn(range(number, self._size + 1))
        else:
            if place == 0:
                self._shrink(generation)
            self._queue = self._next_trials(number)
        if self._updating is Updating.DEFERRED or generation == 0:
            self._shown = [trial.params for trial in self._queue]
        elif place == 0:
            self._shown = self.parents

    def _first_generation(self) -> list[TrialVector]:
        points = list(self._initial)
        missing = min(self._size, self._planned) - len(points)
        design = latin_hypercube(missing, self._cube.size, self._rng)
        points += [self._cube.params(vector) for vector in design]
        trials: list[TrialVector] = []
        for params in points:
            number = len(trials) + 1
            if self._seen.add(params, number):
                trial = TrialVector(self._cube.vector(params), params)
                trials.append(self._as_recalled(number, trial))
            elif (drawn := self._drawn(number)) is not None:
                trials.append(drawn)
        return trials

    @in_one_thread
    def _next_trials(self, number: int) -> list[TrialVector]:
        """Make trial vectors from the present population.

        Args:
            number: The number of the first.
        """
        whole = self._updating is Updating.DEFERRED
        numbers = range(number, number + (self._size if whole else 1))
        if len(self._population) < FEWEST:  # too much has failed
            return self._all_drawn(numbers)
        pool = self._breeder.pool(self._population)
        made = [self._varied(n, pool) for n in numbers]
        return [trial for trial in made if trial is not None]

    def _all_drawn(self, numbers: range) -> list[TrialVector]:
        drawn = [self._drawn(number) for number in numbers]
        return [trial for trial in drawn if trial is not None]

    def _drawn(self, number: int) -> TrialVector | None:
        params = self._seen.draw(self._rng, number)
        if params is None:
            return None
        return self._as_recalled(number, TrialVector(self._cube.vector(params), params))

    def _as_recalled(self, number: int, trial: TrialVector) -> TrialVector:
        """Give a trial vector the configuration that an earlier run proposed in its place.

        The search's own configuration is free again at once: the next trial vector of a small
        space may have no other.
        """
        params = self._recalled.get(number)
        if params is None or image_key(params) == image_key(trial.params):
            return trial
        return self._exchanged(trial, params)

    def _exchanged(self, trial: TrialVector, params: dict[str, Any]) -> TrialVector:
        self._seen.replace(trial.params, by=params)
        return replace(trial, vector=self._cube.vector(params), params=params)

    def _varied(self, number: int, pool: Pool) -> TrialVector | None:
        """Make a trial vector; the parents take turns."""
        parent = self._population[(number - 1) % self._size % len(self._population)]
        offspring = self._breeder.offspring(
            parent, self._population, pool, self._running, self._rng
        )
        for made in offspring:
            if self._seen.add(made.params, number):
                self._breeder.believe(made.vector)
                return self._as_recalled(number, made)
        return self._drawn(number)

    def _shrink(self, generation: int) -> None:
        """Sort the parents, best first, and keep as many as this generation breeds from."""
        size = self._size
        if self._strategy is Strategy.ADAPTIVE:
            # Only the parents get fewer; every generation has equally many trials.
            size = round(size + (FEWEST - size) * generation / self._generations)
        self._population.sort(key=rank)
        del self._population[size:]

    # What results do

    def _select(self, number: int) -> None:
        """Let an evaluated trial vector compete with its parent."""
        trial = self._running.pop(number)
        member = Member(number, trial.vector, self._losses[number])
        if member.loss == math.inf:
            return
        self._breeder.evaluated.add(member.number, member.vector, member.loss)
        if trial.parent is None:
            self._population.append(member)
            return
        gain = trial.parent.loss - member.loss
        if gain > 0 and trial.mutation > 0:
            self._successes.append(Success(trial.mutation, trial.crossover, gain))
        place = place_of(trial.parent, self._population)
        if member.loss <= self._population[place].loss:
            self._population[place] = member

    def _numbers(self, generation: int) -> range:
        first = generation * self._size + 1
        return range(first, min(first + self._size, self._asked + 1))

    def _complete_generations(self) -> None:
        while self._generation_is_complete():
            self._complete_generation()

    def _generation_is_complete(self) -> bool:
        numbers = self._numbers(self._complete)
        whole = len(numbers) == self._size or (bool(numbers) and self._all_asked())
        return whole and all(number in self._losses for number in numbers)

    def _complete_generation(self) -> None:
        numbers = self._numbers(self._complete)
        if self._updating is Updating.DEFERRED:
            for number in numbers:  # in the order of asking, not of finishing
                self._select(number)
        self._breeder.learn(self._successes)
        self._successes = []
        losses = [self._losses.pop(number) for number in numbers]
        self._complete += 1
        self._count_failures(losses)
        self._bests.append(min([*losses, *self._bests[-1:]]))
        if self._patience is not None and len(self._bests) > self._patience:
            gained = self._bests[-1 - self._patience] - self._bests[-1]
            self._stopped = self._stopped or gained <= self._tol

    def _count_failures(self, losses: Sequence[float]) -> None:
        """End the search if too many generations in a row had no success."""
        if min(losses) < math.inf:
            self._barren.clear()
            return
        # Neither the rest of a finite space nor trials after an early end are a whole generation.
        if self._stopped or (len(losses) < self._size and self._breeder.evaluated):
            return
        self._barren.append(len(losses))
        if len(self._barren) == self._most_barren:
            self._gave_up = self._failed_generations()
            self._stopped = True

    def _failed_generations(self) -> GaveUp:
        """Name the last generations, in which all trials failed."""
        first, last = self._complete - len(self._barren), self._complete - 1
        which = f"generation {last}" if first == last else f"generations {first} to {last}"
        return GaveUp(f"all {sum(self._barren)} trials of {which} failed", first)
