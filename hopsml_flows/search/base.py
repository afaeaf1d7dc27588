"""The interface of a search: the trial loop asks for proposals and tells their results.

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
from hopsml_flows.search.decisions import Decision, Why
from hopsml_flows.search.direction import Direction
from hopsml_flows.values.arguments import is_number, python_number, whole_number
from hopsml_flows.values.plain import image_key, plain

__all__ = ["BaseSearch", "Evaluation", "GaveUp", "Optimizer", "Proposal", "params_by_id"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to evaluate.

    Args:
        id: Number of the proposal in its search, from 1, in the order of asking.
        params: Hyperparameter name to value.
        generation: Its generation, from 0; None if the search has no generations.
        budget: How much the trial may spend, in the search's own unit, such as epochs; None if the
            search has no budgets.
        continues: The earlier proposal with the same parameters from whose checkpoint the trial
            may go on; None if it begins afresh.
        why: Why the search promoted that proposal; None if it did not.
        repeat: Which repeat of its parameters it is, from 1: proposals of one repeat get the same
            seed. None if each has a seed of its own.

    Raises:
        InvalidArgumentError: A number is none; those of NumPy's and tensors are some.
    """

    id: int
    params: dict[str, Any]
    generation: int | None = None
    budget: float | None = None
    continues: int | None = None
    why: Why | None = None
    repeat: int | None = None

    def __post_init__(self) -> None:
        # Python's own numbers: the journal and files of trials are JSON.
        for name, least in (("id", 1), ("generation", 0), ("continues", 1), ("repeat", 1)):
            if (value := getattr(self, name)) is not None and type(value) is not int:
                object.__setattr__(self, name, whole_number(name, value, least=least))
        if self.budget is not None:
            object.__setattr__(self, "budget", python_number("budget", self.budget))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A proposal and its result.

    Args:
        proposal: The proposal that was evaluated.
        value: Its metric, or None if the evaluation failed.
    """

    proposal: Proposal
    value: float | None


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Why a search ended early: its evaluations failed.

    Args:
        reason: What failed.
        generation: The first generation that failed, or None.
    """

    reason: str
    generation: int | None = None


@runtime_checkable
class Optimizer(Protocol):
    """What the trial loop needs of a search algorithm."""

    @property
    def adaptive(self) -> bool:
        """Whether each proposal depends on results; if so, the loop asks for none ahead of need."""

    @property
    def total(self) -> int | None:
        """The number of proposals, or None if it is not known."""

    @property
    def finished(self) -> bool:
        """Whether everything was proposed and told."""

    @property
    def best(self) -> Evaluation | None:
        """The best evaluation told so far."""

    @property
    def generation(self) -> int | None:
        """The generation of the next proposal; None after the last, or without generations."""

    @property
    def population(self) -> list[dict[str, Any]]:
        """The configurations of the generation asked for last.

        Those that it evaluates, or the parents if each proposal depends on results.
        """

    @property
    def gave_up(self) -> GaveUp | None:
        """Why the search ended before its end, where too much failed; else None."""

    @property
    def failure(self) -> str | None:
        """Why the search gave up without any success, or None."""

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose these proposals or parameters under these ids, in place of the search's own."""

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Return the proposals that may start now, at most ``count``; none while it must wait."""

    def report(self, proposal_id: int, step: int, value: float) -> Decision | None:
        """Take in what a running trial reports; return what becomes of it, or None to go on."""

    def restart(self, proposal_id: int) -> None:
        """Forget what a trial has reported: it was lost, and begins again."""

    def tell(
        self, proposal_id: int, value: float | None = None, *, failure: str | None = None
    ) -> None:
        """Report a metric, or why there is none."""


class BaseSearch(ABC):
    """The bookkeeping of every search: pending proposals, recalled ones, the best evaluation.

    A subclass writes :meth:`_propose`. A search that learns also overrides ``adaptive`` and
    :meth:`_learn`.

    Args:
        direction: Which way is better.

    Example:
        >>> class Halving(BaseSearch):
        ...     total = 3
        ...
        ...     def _propose(self, number):
        ...         return {"lr": 0.5**number}
        >>> search = Halving(direction="min")
        >>> for proposal in search.ask():
        ...     search.tell(proposal.id, proposal.params["lr"])
        >>> search.best.proposal.params, search.finished
        ({'lr': 0.125}, True)
    """

    def __init__(self, *, direction: Direction | str = Direction.MAX) -> None:
        self.direction = Direction.parse(direction)
        self._asked = 0
        self._exhausted = False
        self._endless = False
        self._pending: dict[int, Proposal] = {}
        self._best: Evaluation | None = None
        self._recalled: dict[int, dict[str, Any]] = {}

    @property
    def adaptive(self) -> bool:
        """Whether each proposal depends on results; False unless a subclass says so."""
        return False

    @property
    @abstractmethod
    def total(self) -> int | None:
        """The number of proposals, or None if it is not known."""

    @abstractmethod
    def _propose(self, number: int) -> dict[str, Any] | None:
        """Return the parameters of proposal ``number`` (from 1), or None if there are no more."""

    @property
    def judges_reports(self) -> bool:
        """Whether the search may stop a trial because of its reports."""
        return type(self)._judge is not BaseSearch._judge  # noqa: SLF001 - its own method

    def _ready(self) -> bool:
        """Whether there is a proposal now. A search that learns may have to wait for results."""
        return True

    def _adopt(  # noqa: B027 - optional
        self, number: int, proposed: dict[str, Any], params: dict[str, Any]
    ) -> None:
        """Take over other parameters for proposal ``number`` than the search proposed."""

    def _described(self, proposal: Proposal) -> Proposal:
        """Return a new proposal with its budget and the proposal that it continues."""
        return proposal

    def _learn(self, proposal: Proposal, value: float | None) -> None:  # noqa: B027 - optional
        """Take in a result; ``value`` is None if the evaluation failed."""

    def _judge(self, proposal: Proposal, step: int, value: float) -> Decision | None:  # noqa: ARG002 - optional
        """Take in a report of a running trial, and decide what becomes of it."""
        return None

    def _forget(self, proposal: Proposal) -> None:  # noqa: B027 - optional
        """Forget the reports of a trial that begins again."""

    @property
    def finished(self) -> bool:
        """Whether everything was proposed and told."""
        return self._all_asked() and not self._pending

    @property
    def best(self) -> Evaluation | None:
        """The best evaluation told so far, never a failure."""
        return self._best

    @property
    def generation(self) -> int | None:
        """The generation of the next proposal; None if the search has no generations."""
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

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed, for a resumed experiment.

        The same seed and the same results give the same proposals in any case. But the earlier run
        may have been told its results in another order, or have had other arguments.

        Args:
            proposals: Earlier proposals by their ids, or only their parameters; values are those
                of the search or of JSON. The search proposes its own under all other ids.
        """
        self._recalled.update(params_by_id(proposals))

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Return the next proposals.

        Args:
            count: The most proposals to return; None for all there are.

        Returns:
            Proposals in order; empty if none is left, or the search must wait for results.

        Raises:
            InvalidArgumentError: ``count`` is negative, or None and the search has no end.
        """
        if count is None and self._endless:
            raise InvalidArgumentError("count", count, "must be a number if a search has no end")
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
            # Recalled values may come from JSON. If they mean the same, the search's own stay.
            if recalled is not None and image_key(recalled) != image_key(params):
                self._adopt(self._asked, params, recalled)
                params = recalled
            proposal = self._described(Proposal(self._asked, params, generation))
            self._pending[proposal.id] = proposal
            asked.append(proposal)
        return asked

    def tell(
        self, proposal_id: int, value: float | None = None, *, failure: str | None = None
    ) -> None:
        """Report the result of a proposal, once.

        Args:
            proposal_id: The proposal's ``id``.
            value: Its metric; one that is not finite counts as a failure.
            failure: Why there is no metric.

        Raises:
            InvalidArgumentError: The proposal was not asked for or was told already, or neither or
                both of value and failure were given, or the value is no number.
        """
        if (value is None) == (failure is None):
            raise InvalidArgumentError(
                "value", value, f"must be given, or else a failure, not both (failure={failure!r})"
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

    def report(self, proposal_id: int, step: int, value: float) -> Decision | None:
        """Take in what a running trial reports.

        Args:
            proposal_id: The proposal's ``id``.
            step: The step of the report, at least that of the one before.
            value: The metric at this step; may be NaN or infinite.

        Returns:
            What becomes of the trial; None if it goes on as it is.

        Raises:
            InvalidArgumentError: The proposal was not asked for or was told already.
        """
        proposal = self._pending.get(proposal_id)
        if proposal is None:
            raise InvalidArgumentError("proposal_id", proposal_id, "must be a pending proposal")
        return self._judge(proposal, step, value)

    def restart(self, proposal_id: int) -> None:
        """Forget what a trial has reported: it was lost, and begins again.

        Args:
            proposal_id: The proposal's ``id``.

        Raises:
            InvalidArgumentError: The proposal was not asked for or was told already.
        """
        proposal = self._pending.get(proposal_id)
        if proposal is None:
            raise InvalidArgumentError("proposal_id", proposal_id, "must be a pending proposal")
        self._forget(proposal)

    def _is_best(self, proposal: Proposal, value: float) -> bool:
        """Whether it is the best so far. Of equals, the one asked for first is the best."""
        best = self._best
        if best is None or best.value is None:
            return True
        if value == best.value:
            return proposal.id < best.proposal.id
        return self.direction.better(value, best.value)

    def _all_asked(self) -> bool:
        return self._exhausted or (self.total is not None and self._asked >= self.total)


def params_by_id(proposals: Mapping[int, Proposal | dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the parameters of recalled proposals.

    Args:
        proposals: Proposals, or only their parameters, by their ids.
    """
    return {
        number: given.params if isinstance(given, Proposal) else given
        for number, given in proposals.items()
    }


def _finite(value: float | None) -> float | None:
    try:
        return float(value) if value is not None and math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None
