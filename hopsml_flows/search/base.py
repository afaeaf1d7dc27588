"""What a search is to the rest of the project: ask for proposals, tell what came of them.

Pure: no I/O, no clock, no Prefect, no Dask. The same seed and the same tells give the same asks,
on every machine.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.direction import Direction
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import image_key, plain

__all__ = ["BaseSearch", "Evaluation", "GaveUp", "Optimizer", "Proposal"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to evaluate.

    Args:
        id: Number of the proposal in its search, from 1, in the order of asking.
        params: Hyperparameter name to value.
        generation: The generation it belongs to, from 0; None where the search has none.
    """

    id: int
    params: dict[str, Any]
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A proposal and what came of it.

    Args:
        proposal: What was evaluated.
        value: Its metric, or None where the evaluation failed.
    """

    proposal: Proposal
    value: float | None


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A search that ended before its end, since its evaluations failed.

    Args:
        reason: What failed.
        generation: The first generation that is meant, or None.
    """

    reason: str
    generation: int | None = None


@runtime_checkable
class Optimizer(Protocol):
    """The seam between a search algorithm and the trial loop."""

    @property
    def adaptive(self) -> bool:
        """Whether each proposal depends on results: then none is asked for ahead of need."""

    @property
    def total(self) -> int | None:
        """How many proposals there will be, where that is known."""

    @property
    def finished(self) -> bool:
        """Whether everything was proposed and told."""

    @property
    def best(self) -> Evaluation | None:
        """The best evaluation told so far."""

    @property
    def generation(self) -> int | None:
        """The generation of the next proposal; None where there is no other, or no generations."""

    @property
    def population(self) -> list[dict[str, Any]]:
        """The configurations of the generation asked for last.

        Those it evaluates; or the parents, where each proposal depends on results.
        """

    @property
    def gave_up(self) -> GaveUp | None:
        """Why the search ended before its end, where too much failed; else None."""

    @property
    def failure(self) -> str | None:
        """Why the search gave up without any success, or None."""

    def recall(self, proposals: Mapping[int, dict[str, Any]]) -> None:
        """Propose these parameters under these ids, whatever else would have been proposed."""

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Take what may start now, at most ``count``; empty while the search must wait."""

    def tell(
        self, proposal_id: int, value: float | None = None, *, failure: str | None = None
    ) -> None:
        """Report a metric, or why there is none."""


class BaseSearch(ABC):
    """The bookkeeping every search shares: what is pending, what was told, what is best.

    A subclass writes :meth:`_propose`; one that learns also overrides ``adaptive`` and
    :meth:`_learn`.

    Args:
        direction: Which way is better.
    """

    def __init__(self, *, direction: Direction | str = Direction.MAX) -> None:
        self.direction = Direction.parse(direction)
        self._asked = 0
        self._exhausted = False
        self._pending: dict[int, Proposal] = {}
        self._best: Evaluation | None = None
        self._recalled: dict[int, dict[str, Any]] = {}

    @property
    def adaptive(self) -> bool:
        """Whether each proposal depends on results; here none does."""
        return False

    @property
    @abstractmethod
    def total(self) -> int | None:
        """How many proposals there will be, where that is known."""

    @abstractmethod
    def _propose(self, number: int) -> dict[str, Any] | None:
        """Parameters of proposal ``number`` (from 1), or None when there are no more."""

    def _ready(self) -> bool:
        """Whether there is a proposal now; a search that learns may have to wait for results."""
        return True

    def _adopt(  # noqa: B027 - optional
        self, number: int, proposed: dict[str, Any], params: dict[str, Any]
    ) -> None:
        """Take in that proposal ``number`` has other parameters than were proposed now."""

    def _learn(self, proposal: Proposal, value: float | None) -> None:  # noqa: B027 - optional
        """Take in a result; ``value`` is None where the evaluation failed."""

    @property
    def finished(self) -> bool:
        """Whether everything was proposed and told."""
        return self._all_asked() and not self._pending

    @property
    def best(self) -> Evaluation | None:
        """The best evaluation told so far; failures never are."""
        return self._best

    @property
    def generation(self) -> int | None:
        """The generation of the next proposal; None where the search has no generations."""
        return None

    @property
    def population(self) -> list[dict[str, Any]]:
        """The configurations of the generation asked for last; empty without generations."""
        return []

    @property
    def gave_up(self) -> GaveUp | None:
        """Why the search ended before its end, where too much failed; else None."""
        return None

    @property
    def failure(self) -> str | None:
        """Why the search gave up without any success, or None."""
        return self.gave_up.reason if self.gave_up is not None and self.best is None else None

    def recall(self, proposals: Mapping[int, dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed, for a resumed experiment.

        The same seed and the same results give the same proposals anyway; but a search may have
        been told its results in another order, or have been continued with other arguments.

        Args:
            proposals: Parameters by the proposal's id, as the search or as JSON has them; what is
                not there is proposed anew.
        """
        self._recalled.update(proposals)

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Take the next proposals.

        Args:
            count: At most so many; None for all there are.

        Returns:
            Proposals in order; empty when nothing is left.

        Raises:
            InvalidArgumentError: ``count`` is negative.
        """
        if count is not None and count < 0:
            raise InvalidArgumentError("count", count, "must not be negative")
        asked: list[Proposal] = []
        while (count is None or len(asked) < count) and not self._all_asked() and self._ready():
            generation = self.generation
            params = self._propose(self._asked + 1)
            if params is None:
                self._exhausted = True
                break
            self._asked += 1
            recalled = self._recalled.pop(self._asked, None)
            # What was recalled may be of JSON: where it says the same, this search's own stays.
            if recalled is not None and image_key(recalled) != image_key(params):
                self._adopt(self._asked, params, recalled)
                params = recalled
            proposal = Proposal(self._asked, params, generation)
            self._pending[proposal.id] = proposal
            asked.append(proposal)
        return asked

    def tell(
        self, proposal_id: int, value: float | None = None, *, failure: str | None = None
    ) -> None:
        """Report what came of a proposal, once.

        Args:
            proposal_id: The proposal's ``id``.
            value: Its metric; one that is not finite counts as a failure.
            failure: Why there is no metric.

        Raises:
            InvalidArgumentError: Nobody asked for that proposal, or it was told already, or
                neither or both of value and failure were given, or the value is no number.
        """
        if (value is None) == (failure is None):
            raise InvalidArgumentError(
                "value", value, f"give a value or a failure, one of the two (failure={failure!r})"
            )
        number = plain(value)
        if number is not None and not is_number(number):
            raise InvalidArgumentError("value", value, "must be a number")
        proposal = self._pending.pop(proposal_id, None)
        if proposal is None:
            raise InvalidArgumentError("proposal_id", proposal_id, "must be a pending proposal")
        told = _finite(number)
        if told is not None and self._is_best(proposal, told):
            self._best = Evaluation(proposal, told)
        self._learn(proposal, told)

    def _is_best(self, proposal: Proposal, value: float) -> bool:
        """Whether it is the best so far; of equals the first asked, whichever is told first."""
        best = self._best
        if best is None or best.value is None:
            return True
        if value == best.value:
            return proposal.id < best.proposal.id
        return self.direction.better(value, best.value)

    def _all_asked(self) -> bool:
        return self._exhausted or (self.total is not None and self._asked >= self.total)


def _finite(value: float | None) -> float | None:
    try:
        return float(value) if value is not None and math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None
