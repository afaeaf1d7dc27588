"""Which trials confirm a winner, and which of them are done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.search import GaveUp, Proposal, Stop, Why
from hopsml_flows.trials.confirmation.confirmation import (
    Confirmation,
    Contestant,
    Judged,
    Role,
)
from hopsml_flows.trials.confirmation.statistics import Comparison, compare, estimate
from hopsml_flows.trials.model import Trial, TrialResult
from hopsml_flows.trials.naming import CONFIRMATION, trial_name
from hopsml_flows.trials.seeds import trial_seed
from hopsml_flows.values.plain import image_key, is_jsonable

if TYPE_CHECKING:
    from hopsml_flows.search import Decision, Direction, Evaluation

__all__ = ["MOST_SEEDS", "Contest", "Repetitions", "confirms", "defaults_of", "fresh_seeds"]

MOST_SEEDS = 100
"""Most seeds of a confirmation."""

_BASE = 1_000_000
"""No search has so many trials. So a search that is resumed with more of them does not meet the
numbers of confirming trials."""

_OTHERS = 1000
"""Distance of the numbers for another winner, or another champion, after a resumption."""


def confirms(number: int) -> bool:
    """Whether a trial of this number confirms a winner, rather than being one of the search.

    Args:
        number: The trial's number.

    Example:
        >>> confirms(12), confirms(1_000_001)
        (False, True)
    """
    return number > _BASE


def fresh_seeds(experiment_id: str, seed: int | None, count: int) -> tuple[int, ...]:
    """Return seeds that neither a trial of the search has had, nor the winner of another search.

    A search that runs each night with one seed would otherwise judge each night's winner by the
    same few draws. They stay the same when the experiment is resumed.

    Args:
        experiment_id: The experiment's identifier.
        seed: The experiment's seed, or None.
        count: How many.

    Example:
        >>> fresh_seeds("digits-1", 7, 2)
        (4164566370, 333196899)
    """
    root = experiment_id if seed is None else f"{seed}/{experiment_id}"
    return tuple(trial_seed(root, _BASE + place + 1) for place in range(count))


def defaults_of(
    names: Iterable[str], defaults: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the defaults of hyperparameters; or None, and why they are not evaluated.

    Args:
        names: The hyperparameters.
        defaults: The defaults of the training function's arguments.

    Example:
        >>> defaults_of(["depth"], {"depth": 3, "verbose": False})
        ({'depth': 3}, None)
        >>> defaults_of(["depth", "rate"], {"depth": 3})
        (None, 'the function has no default for rate')
    """
    wanted = list(names)
    if not wanted:
        return None, "the search has no hyperparameters"
    missing = [name for name in wanted if name not in defaults]
    if missing:
        return None, f"the function has no default for {', '.join(missing)}"
    strange = [name for name in wanted if not is_jsonable(defaults[name])]
    if strange:
        return None, f"JSON cannot hold the default of {', '.join(strange)}"
    return {name: defaults[name] for name in wanted}, None


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """One contestant on one seed."""

    contestant: Contestant
    place: int
    trial: Trial


class Contest:
    """The evaluations of contestants on the same seeds.

    Args:
        contestants: The contestants, each in its own role.
        seeds: The seeds.
        earlier: Results of confirming trials of earlier runs, by number.
        began: Hyperparameters of all confirming trials that earlier runs began, by number.
        order: Names that come first in a trial's name (the function's signature).
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        seeds: Sequence[int],
        *,
        earlier: Mapping[int, TrialResult] | None = None,
        began: Mapping[int, dict[str, Any]] | None = None,
        order: Sequence[str] = (),
    ) -> None:
        self._seeds = tuple(seeds)
        self._order = tuple(order)
        self._earlier = earlier or {}
        self._began = began or {}
        self._contestants = {each.role: each for each in contestants}
        self._evaluations = {
            found.trial.number: found
            for place in range(len(self._seeds))
            for each in contestants
            if (found := self._evaluation(each, place))
        }
        self._results = {
            number: result
            for number, evaluation in self._evaluations.items()
            if (result := self._done(evaluation)) is not None
        }

    @property
    def missing(self) -> list[Trial]:
        """The trials that have no result yet, seed by seed."""
        return [
            evaluation.trial
            for number, evaluation in self._evaluations.items()
            if number not in self._results
        ]

    @property
    def results(self) -> tuple[TrialResult, ...]:
        """The results so far, by number."""
        return tuple(self._results[number] for number in sorted(self._results))

    def dressed(self, trial: Trial) -> Trial:
        """Return a trial as the loop has it, with its fresh seed.

        Args:
            trial: The trial.
        """
        return replace(trial, seed=self._evaluations[trial.number].trial.seed)

    def add(self, result: TrialResult) -> None:
        """Take in a result.

        Args:
            result: The result, good or bad.
        """
        self._results[result.number] = result

    def confirmation(
        self,
        key: str,
        direction: Direction,
        winner: TrialResult,
        without_defaults: str | None = None,
    ) -> Confirmation:
        """Return what came of it.

        Args:
            key: The metric's name.
            direction: Which way is better.
            winner: The trial that won the search.
            without_defaults: Why the defaults were not evaluated, or None.
        """
        judged = {role: self._judged(each) for role, each in self._contestants.items()}
        first = judged[Role.WINNER]

        def against(role: Role) -> Comparison | None:
            other = judged.get(role)
            return None if other is None else compare(first.metrics, other.metrics, direction)

        assert winner.metric is not None
        return Confirmation(
            key=key,
            direction=direction,
            seeds=self._seeds,
            trial=winner.number,
            optimistic=winner.metric,
            winner=first,
            defaults=judged.get(Role.DEFAULTS),
            beats_defaults=against(Role.DEFAULTS),
            without_defaults=without_defaults,
            champion=judged.get(Role.CHAMPION),
            beats_champion=against(Role.CHAMPION),
            results=self.results,
        )

    def _evaluation(self, contestant: Contestant, place: int) -> _Evaluation:
        number = _BASE + MOST_SEEDS * list(Role).index(contestant.role) + place + 1
        seed = self._seeds[place]
        while not self._is_free(number, contestant, seed):
            number += _OTHERS
        budget = {} if contestant.budget is None else {"budget": contestant.budget}
        order = (*budget, *(name for name in self._order if name not in budget))
        name = trial_name(number, {**budget, **contestant.params}, order)
        trial = Trial(
            number,
            name,
            contestant.params,
            directory=f"{CONFIRMATION}/{name}",
            budget=contestant.budget,
            seed=seed,
        )
        return _Evaluation(contestant, place, trial)

    def _is_free(self, number: int, contestant: Contestant, seed: int) -> bool:
        """Whether no trial of an earlier run has this number, but for this very evaluation."""
        params = self._began.get(number)
        if params is None:
            return number not in self._earlier
        result = self._earlier.get(number)
        same = image_key(params) == image_key(contestant.params)
        return same and (result is None or _is_of(result, contestant, seed))

    def _done(self, evaluation: _Evaluation) -> TrialResult | None:
        return self._earlier.get(evaluation.trial.number)

    def _judged(self, contestant: Contestant) -> Judged:
        own = sorted(
            (each for each in self._evaluations.values() if each.contestant is contestant),
            key=lambda each: each.place,
        )
        numbers = tuple(each.trial.number for each in own)
        results = [self._results.get(number) for number in numbers]
        metrics = tuple(
            result.metric if result is not None and result.succeeded else None for result in results
        )
        there = [metric for metric in metrics if metric is not None]
        return Judged(contestant, metrics, numbers, estimate(there))


def _is_of(result: TrialResult, contestant: Contestant, seed: int) -> bool:
    return result.seed == seed and result.budget == contestant.budget


class Repetitions:
    """An optimizer that proposes given trials, each once, and learns nothing.

    Args:
        trials: The trials.
        top: The largest budget of a search that counts reports and ends trials below it by them;
            None of other searches, whose training functions are told their budgets.
    """

    adaptive = False
    generation = None
    best: Evaluation | None = None
    gave_up: GaveUp | None = None
    failure: str | None = None

    def __init__(self, trials: Sequence[Trial], top: float | None = None) -> None:
        self._left = list(trials)
        self._top = top
        self._budgets = {trial.number: trial.budget for trial in trials}
        self._steps: dict[int, set[int]] = {}
        self._pending: set[int] = set()
        self.total: int | None = len(trials)
        self.population: list[dict[str, Any]] = []

    @property
    def finished(self) -> bool:
        """Whether everything was proposed and told."""
        return not self._left and not self._pending

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Do nothing: what earlier runs began is among the trials."""

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Return the proposals that may start now.

        Args:
            count: The most.
        """
        most = len(self._left) if count is None else count
        now, self._left = self._left[:most], self._left[most:]
        self._pending |= {trial.number for trial in now}
        return [Proposal(trial.number, trial.params, budget=trial.budget) for trial in now]

    def report(self, proposal_id: int, step: int, value: float) -> Decision | None:
        """End a trial that has spent its budget, where the search counted reports.

        Args:
            proposal_id: The trial's number.
            step: Step of its report.
            value: What it reported.
        """
        budget = self._budgets.get(proposal_id)
        if self._top is None or budget is None or budget >= self._top:
            return None
        steps = self._steps.setdefault(proposal_id, set())
        steps.add(step)
        if len(steps) < budget:
            return None
        return Stop(Why("confirmation", value, "its budget is spent at {value}", step))

    def restart(self, proposal_id: int) -> None:
        """Forget what a trial has reported: it begins again.

        Args:
            proposal_id: The trial's number.
        """
        self._steps.pop(proposal_id, None)

    def tell(
        self,
        proposal_id: int,
        value: float | None = None,  # noqa: ARG002 - nothing is learned
        *,
        failure: str | None = None,  # noqa: ARG002
    ) -> None:
        """Take note that a trial has ended.

        Args:
            proposal_id: The trial's number.
            value: Its metric.
            failure: Why it has none.
        """
        self._pending.discard(proposal_id)
