"""Asynchronous successive halving: many configurations get a small budget, few a large one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.base import BaseSearch, Proposal, params_by_id
from hopsml_flows.search.decisions import Decision, GoOn, Pause, Why
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.initial_points import checked_points
from hopsml_flows.search.randomness import generator, known_seed
from hopsml_flows.search.rungs import Rungs, rung_budgets
from hopsml_flows.search.seen import Seen
from hopsml_flows.search.space import SearchSpace
from hopsml_flows.text import value_text
from hopsml_flows.values.arguments import LARGEST, whole_number
from hopsml_flows.values.plain import configuration_key, is_finite

__all__ = ["Asha"]


class Asha(BaseSearch):
    """Asynchronous successive halving (Li et al., MLSys 2020, algorithm 2).

    A configuration begins with the smallest budget. Whenever a proposal is asked for, the search
    promotes a configuration that is among the best ``1 / reduction_factor`` at its budget, from the
    highest budget that has one: it proposes it again with the next budget,
    ``min_budget * reduction_factor**k``. If there is none, it proposes a new configuration, drawn
    at random. Failures are never promoted.

    With ``on_reports`` a trial goes on to its next budget without a restart. The budget is counted
    in steps: a trial of budget 3 has it when it reports for the third time with a step that is
    larger than all before. If its last value is among the best there, it goes on; otherwise it
    pauses, and may be continued by a later proposal. At the largest budget it ends by itself. What
    is told of a trial that ends before counts at the budget that it had.

    Args:
        space: The search space.
        num_trials: Number of proposals, at all budgets together; None for no end.
        reduction_factor: One of so many is promoted.
        min_budget: The smallest budget.
        max_budget: No budget is larger.
        on_reports: Whether reports decide, and budgets are numbers of steps.
        direction: Which way is better.
        initial: Configurations to evaluate first.
        seed: The same seed, results and reports give the same proposals; None draws a seed.

    Raises:
        InvalidArgumentError: An argument is out of its range, or ``num_trials`` is too small to
            bring a trial to the largest budget, even one after the other.

    Example:
        >>> space = SearchSpace({"rate": [0.1, 0.9]})
        >>> search = Asha(space, num_trials=7, reduction_factor=2, max_budget=4, seed=1)
        >>> budgets = []
        >>> while not search.finished:
        ...     for proposal in search.ask(1):
        ...         budgets.append(proposal.budget)
        ...         search.tell(proposal.id, -proposal.id)
        >>> budgets
        [1, 1, 2, 1, 1, 2, 4]
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        num_trials: int | None = None,
        reduction_factor: int = 3,
        min_budget: float = 1,
        max_budget: float = 9,
        on_reports: bool = False,
        direction: Direction | str = Direction.MAX,
        initial: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        budgets = rung_budgets(min_budget, max_budget, reduction_factor)
        self._rungs = Rungs(budgets, reduction_factor, self.direction)
        self._num_trials = self._enough(num_trials)
        self._on_reports = on_reports
        if on_reports and not isinstance(budgets[0], int):
            raise InvalidArgumentError(
                "min_budget", min_budget, "must be an integer where reports are counted"
            )
        most = LARGEST if self._num_trials is None else self._num_trials
        self._initial = checked_points(space, initial, most=most, limit="num_trials")
        self._seed = known_seed(seed)
        self._space = space
        self._seen = Seen(space)
        self._endless = num_trials is None and space.cardinality is None
        self._earlier: dict[int, Proposal] = {}
        self._made: dict[int, Proposal] = {}
        self._steps: dict[int, _Steps] = {}
        self._diverged: set[int] = set()  # not finite at their rung: they are never promoted

    @property
    def adaptive(self) -> bool:
        """True: each proposal depends on the results."""
        return True

    @property
    def judges_reports(self) -> bool:
        """Whether the search may pause a trial because of its reports."""
        return self._on_reports

    @property
    def total(self) -> int | None:
        """Number of proposals; None if there is no end, or a finite space may have too few."""
        if self._all_asked():
            return self._asked
        cells = self._space.cardinality
        ample = cells is None or (self._num_trials is not None and cells >= self._num_trials)
        return self._num_trials if ample else None

    @property
    def budgets(self) -> tuple[float, ...]:
        """The budgets, the smallest first."""
        return self._rungs.budgets

    def _enough(self, num_trials: int | None) -> int | None:
        """Judge the number of trials."""
        if num_trials is None:
            return None
        fewest = self._rungs.fewest_trials
        if whole_number("num_trials", num_trials, least=1) < fewest:
            top = value_text(self._rungs.budgets[-1])
            raise InvalidArgumentError(
                "num_trials",
                num_trials,
                f"must be at least {fewest}: fewer may bring no trial to the largest budget, {top}",
            )
        return num_trials

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed, with the budgets that it had.

        Args:
            proposals: Proposals by their ids, or only their parameters as JSON has them. Of these,
                the next one with the same configuration is the same one with the next budget.
        """
        begun: dict[int, dict[str, Any]] = {}
        latest: dict[str, int] = {}
        for number, params in sorted(params_by_id(proposals).items()):
            restored = self._space.restored(params)
            if restored is None:
                continue
            key = configuration_key(restored)
            before = latest.get(key)
            if before is None:
                begun[number] = restored
            else:
                self._rungs.reserve(before)
            given = proposals[number]
            known = given if isinstance(given, Proposal) else Proposal(number, restored)
            self._earlier[number] = replace(known, id=number, params=restored, continues=before)
            latest[key] = number
        self._seen.keep(begun)

    def _all_asked(self) -> bool:
        if self._num_trials is not None and self._asked >= self._num_trials:
            return True
        return not self._pending and not self._ready()

    def _ready(self) -> bool:
        """Whether something can be proposed; a finite space may have to wait for promotions."""
        if self._asked + 1 in self._earlier or not self._seen.exhausted:
            return True
        return self._rungs.promotable() is not None

    def _propose(self, number: int) -> dict[str, Any] | None:
        made = self._again(number) or self._promoted(number) or self._new(number)
        if made is None:
            return None
        self._made[number] = made
        return dict(made.params)

    def _again(self, number: int) -> Proposal | None:
        """Return a recalled proposal; None if there is none, or this search has no such rung."""
        earlier = self._earlier.pop(number, None)
        if earlier is None:
            return None
        budgets = self._rungs.budgets
        before = None if earlier.continues is None else self._made[earlier.continues]
        if before is not None and _key(before) != _key(earlier):  # this search had no such rung
            before = None
        # The trial before may have gone on since it was proposed.
        reached = -1 if before is None else budgets.index(before.budget)
        rung = reached + 1
        if earlier.budget is not None:
            rung = budgets.index(earlier.budget) if earlier.budget in budgets else len(budgets)
        if not reached < rung <= self._rungs.top:
            return None
        why = earlier.why
        if before is not None:
            self._rungs.promote(before.id, rung)
            if why is None and self._rungs.has(before.id, rung - 1):
                why = self._rungs.why(before.id, rung - 1)
        continues = None if before is None else before.id
        return replace(earlier, budget=budgets[rung], continues=continues, why=why)

    def _promoted(self, number: int) -> Proposal | None:
        promotion = self._rungs.promotable()
        if promotion is None:
            return None
        self._rungs.promote(promotion.trial, promotion.rung)
        return Proposal(
            number,
            self._made[promotion.trial].params,
            budget=self._rungs.budgets[promotion.rung],
            continues=promotion.trial,
            why=promotion.why,
        )

    def _new(self, number: int) -> Proposal | None:
        params = self._unseen(number)
        return None if params is None else Proposal(number, params, budget=self._rungs.budgets[0])

    def _unseen(self, number: int) -> dict[str, Any] | None:
        while self._initial:
            point = self._initial.pop(0)
            if self._seen.add(point, number):
                return point
        return self._seen.draw(generator(self._seed, number), number)

    def _described(self, proposal: Proposal) -> Proposal:
        return replace(self._made[proposal.id], params=proposal.params)

    def _learn(self, proposal: Proposal, value: float | None) -> None:
        if value is None or proposal.id in self._diverged:
            return
        rung = self._rungs.budgets.index(proposal.budget)
        if not self._rungs.has(proposal.id, rung):
            self._rungs.add(proposal.id, rung, value)
        self._rungs.release(proposal.id, rung)

    def _judge(self, proposal: Proposal, step: int, value: float) -> Decision | None:
        if not self._on_reports:
            return None
        number, rung = proposal.id, self._rungs.budgets.index(proposal.budget)
        budget = self._rungs.budgets[rung]
        if not self._steps_of(proposal, budget).reach(budget, step) or rung == self._rungs.top:
            return None
        if not is_finite(value):
            self._diverged.add(number)
            return Pause(Why("asha", value, "its {value} is not finite", step))
        if not self._rungs.has(number, rung):
            self._rungs.add(number, rung, value)
        why = self._rungs.why(number, rung, step)
        if not self._rungs.may_go_on(number, rung):
            return Pause(why)
        self._rungs.promote(number, rung + 1)
        larger = self._rungs.budgets[rung + 1]
        self._pending[number] = self._made[number] = replace(proposal, budget=larger)
        return GoOn(larger, why)

    def _forget(self, proposal: Proposal) -> None:
        # Steps that the trial repeats do not count. If it was about to pause, it is judged again.
        self._diverged.discard(proposal.id)
        steps = self._steps.get(proposal.id)
        if steps is not None and proposal.budget is not None:
            steps.rewind(proposal.budget)

    def _steps_of(self, proposal: Proposal, budget: float) -> _Steps:
        """Return the steps of a proposal; they go on from those of the one that it continues."""
        steps = self._steps.get(proposal.id)
        if steps is None:
            before = self._steps.get(proposal.continues) if proposal.continues else None
            steps = _Steps() if before is None else replace(before)
            # The one before may have gone beyond its budget until it heard of the pause.
            steps.count = min(steps.count, int(budget) - 1)
            self._steps[proposal.id] = steps
        return steps


def _key(proposal: Proposal) -> str:
    return configuration_key(proposal.params)


@dataclass(slots=True)
class _Steps:
    """Counts the steps that a configuration has reported; a trial that runs again repeats some."""

    count: int = 0
    highest: int | None = None

    def reach(self, budget: float, step: int) -> bool:
        """Count a step, if it is new; whether the budget is reached with it."""
        if self.highest is not None and step <= self.highest:
            return False
        self.highest = step
        self.count += 1
        return self.count == budget

    def rewind(self, budget: float) -> None:
        """Let the last step count again, if the budget was reached with it."""
        if self.highest is not None and self.count >= budget:
            self.highest -= 1
            self.count = int(budget) - 1
