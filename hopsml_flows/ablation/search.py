"""The searches of an ablation study: each arm, and each repeat of it, as a proposal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hopsml_flows.ablation.components import BASE
from hopsml_flows.ablation.findings import Design
from hopsml_flows.search import BaseSearch, Direction, ListSearch, Proposal

__all__ = ["ArmsSearch", "SequentialSearch"]


class ArmsSearch(ListSearch):
    """Trains every arm once, then every arm once more, and so on; the base comes first each time.

    Proposals of one repeat get the same seed.

    Args:
        design: The arms.
        repeats: How often each is trained.
        direction: Which way is better.

    Example:
        >>> search = ArmsSearch(Design({"base": {"x": 1}}, {}), repeats=2)
        >>> [(proposal.id, proposal.repeat) for proposal in search.ask()]
        [(1, 1), (2, 2)]
    """

    def __init__(
        self, design: Design, *, repeats: int = 1, direction: Direction | str = Direction.MAX
    ) -> None:
        super().__init__([*design.arms.values()] * repeats, direction=direction)
        self._arms = len(design.arms)
        self._budget = design.budget

    def _described(self, proposal: Proposal) -> Proposal:
        repeat = (proposal.id - 1) // self._arms + 1
        return replace(proposal, repeat=repeat, budget=self._budget)


class SequentialSearch(BaseSearch):
    """Trains every arm as often as the rule says at least, then only the arms that are undecided.

    Whether an arm gets another seed depends on the metrics alone: an experiment that is resumed
    goes on as it would have.

    Args:
        design: The arms, and the rule.
        direction: Which way is better.

    Raises:
        ValueError: The design has no rule.

    Example:
        >>> from hopsml_flows.ablation import SequentialRule
        >>> arms = {"base": {"x": 1}, "x=0": {"x": 0}, "x=2": {"x": 2}}
        >>> search = SequentialSearch(Design(arms, {}, SequentialRule(least=2, most=5)))
        >>> trained = []
        >>> while not search.finished:
        ...     for proposal in search.ask():
        ...         trained.append((proposal.repeat, proposal.params["x"]))
        ...         metric = min(1, proposal.params["x"]) * (1 + proposal.repeat / 100)
        ...         search.tell(proposal.id, metric)
        >>> trained
        [(1, 1), (1, 0), (1, 2), (2, 1), (2, 0), (2, 2), (3, 1), (3, 0)]
    """

    def __init__(self, design: Design, *, direction: Direction | str = Direction.MAX) -> None:
        super().__init__(direction=direction)
        if design.rule is None:
            raise ValueError("a sequential search needs a rule")
        self._design = design
        self._least = design.rule.least
        self._metrics: dict[str, dict[int, float]] = {label: {} for label in design.arms}
        self._plan = [(1, label) for label in design.arms]  # repeat and arm of each proposal

    @property
    def adaptive(self) -> bool:
        """True: which arms are trained again depends on results."""
        return True

    @property
    def total(self) -> int | None:
        """The number of proposals once no arm gets another seed; None before."""
        return len(self._plan) if self._exhausted else None

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Do nothing: the results determine the proposals."""

    def _ready(self) -> bool:
        return self._asked < len(self._plan)

    def _propose(self, number: int) -> dict[str, Any]:
        return dict(self._design.arms[self._plan[number - 1][1]])

    def _described(self, proposal: Proposal) -> Proposal:
        repeat, _ = self._plan[proposal.id - 1]
        return replace(proposal, repeat=repeat, budget=self._design.budget)

    def _learn(self, proposal: Proposal, value: float | None) -> None:
        repeat, label = self._plan[proposal.id - 1]
        if value is not None:
            self._metrics[label][repeat] = value
        if self._pending or self._asked < len(self._plan):
            return
        done = self._plan[-1][0]
        again = tuple(label for label in self._design.arms if label != BASE)
        if done >= self._least:
            decided = self._design.decide(self._metrics, self.direction, done)
            assert decided is not None
            again = decided.undecided
        if again:
            self._plan += [(done + 1, label) for label in (BASE, *again)]
        else:
            self._exhausted = True
