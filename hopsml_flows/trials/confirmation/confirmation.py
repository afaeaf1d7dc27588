"""What came of evaluating a search's winner again, as a value and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hopsml_flows.search import Direction
from hopsml_flows.trials.confirmation.statistics import LEVEL, Comparison, Estimate
from hopsml_flows.trials.model import TrialResult
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import is_finite, json_value

__all__ = ["METHOD", "Confirmation", "Contestant", "Judged", "Role"]

METHOD = "posterior of the mean of paired differences, Student t"
"""How probabilities are computed; :mod:`~hopsml_flows.trials.confirmation.statistics` says more."""


class Role(StrEnum):
    """Whom a confirmation evaluates."""

    WINNER = "winner"
    DEFAULTS = "defaults"
    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A configuration that is evaluated on fresh seeds.

    Args:
        role: Which one it is.
        params: Its hyperparameters.
        budget: Its budget; None if the search has no budgets.
        version: Of a champion, the version of its model.
    """

    role: Role
    params: dict[str, Any]
    budget: float | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A contestant with its evaluations.

    Args:
        contestant: The contestant.
        metrics: Its metric for each seed; None where the evaluation failed.
        trials: Numbers of the trials that evaluated it.
        estimate: Mean and interval of its metrics; None of fewer than two.
    """

    contestant: Contestant
    metrics: tuple[float | None, ...]
    trials: tuple[int, ...]
    estimate: Estimate | None

    @property
    def failed(self) -> int:
        """How many of its evaluations failed."""
        return sum(metric is None for metric in self.metrics)

    def as_json(self) -> dict[str, Any]:
        """The contestant as JSON values."""
        own, found = self.contestant, self.estimate
        return {
            "parameters": json_value("parameters", own.params),
            "metrics": list(self.metrics),
            "trials": list(self.trials),
            "mean": None if found is None else found.mean,
            "interval": None if found is None else [found.low, found.high],
            **({} if own.budget is None else {"budget": own.budget}),
            **({} if own.version is None else {"version": own.version}),
        }


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The winner of a search and others, evaluated again on the same fresh seeds.

    Args:
        key: The metric's name.
        direction: Which way is better.
        seeds: The seeds; each contestant is evaluated once on each.
        trial: Number of the trial that won the search.
        optimistic: The metric that it won with. It is too good to be true: the search chose it.
        winner: The winner's evaluations.
        defaults: Those of the function's defaults, or None.
        beats_defaults: How the winner compares with them, or None.
        without_defaults: Why the defaults were not evaluated, or None.
        champion: Evaluations of a model's best version, or None.
        beats_champion: How the winner compares with it, or None.
        results: The trials that were run for it; none where it was read from a record.
    """

    key: str
    direction: Direction
    seeds: tuple[int, ...]
    trial: int
    optimistic: float
    winner: Judged
    defaults: Judged | None = None
    beats_defaults: Comparison | None = None
    without_defaults: str | None = None
    champion: Judged | None = None
    beats_champion: Comparison | None = None
    results: tuple[TrialResult, ...] = field(default=(), compare=False, repr=False)

    @property
    def mean(self) -> float | None:
        """The corrected metric: the winner's mean over the seeds, or None."""
        return None if self.winner.estimate is None else self.winner.estimate.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval that has the true mean in it with a probability of 95 %, or None."""
        found = self.winner.estimate
        return None if found is None else (found.low, found.high)

    @property
    def metrics(self) -> tuple[float | None, ...]:
        """The winner's metric for each seed; None where the evaluation failed."""
        return self.winner.metrics

    @property
    def probability(self) -> float | None:
        """The probability that the winner beats the function's defaults, or None."""
        return None if self.beats_defaults is None else self.beats_defaults.probability

    def as_json(self) -> dict[str, Any]:
        """The confirmation as JSON values, for the experiment's record."""
        return {
            "metric": self.key,
            "direction": self.direction.value,
            "seeds": list(self.seeds),
            "trial": self.trial,
            "optimistic": self.optimistic,
            "level": LEVEL,
            "method": METHOD,
            "winner": self.winner.as_json(),
            "defaults": _with(self.defaults, self.beats_defaults),
            "without_defaults": self.without_defaults,
            "champion": _with(self.champion, self.beats_champion),
        }

    @classmethod
    def from_json(cls, entry: object) -> Confirmation | None:
        """Return the confirmation that a record has; None if there is none that can be read.

        Args:
            entry: What :meth:`as_json` returned; whoever can edit a record may write anything.
        """
        if not isinstance(entry, Mapping):
            return None
        try:
            seeds = tuple(entry["seeds"])
            count, key, why = len(seeds), entry["metric"], entry.get("without_defaults")
            if not isinstance(key, str) or not (why is None or isinstance(why, str)):
                return None
            if not all(map(is_whole, (*seeds, entry["trial"]))):
                return None
            defaults, beats_defaults = _pair(Role.DEFAULTS, entry.get("defaults"), count)
            champion, beats_champion = _pair(Role.CHAMPION, entry.get("champion"), count)
            return cls(
                key=key,
                direction=Direction(entry["direction"]),
                seeds=seeds,
                trial=entry["trial"],
                optimistic=_number(entry["optimistic"]),
                winner=_judged(Role.WINNER, entry["winner"], count),
                defaults=defaults,
                beats_defaults=beats_defaults,
                without_defaults=why,
                champion=champion,
                beats_champion=beats_champion,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def _with(judged: Judged | None, comparison: Comparison | None) -> dict[str, Any] | None:
    if judged is None:
        return None
    found = comparison
    return {
        **judged.as_json(),
        "probability": None if found is None else found.probability,
        "difference": None if found is None else found.difference.mean,
        "difference_interval": (
            None if found is None else [found.difference.low, found.difference.high]
        ),
        "pairs": 0 if found is None else found.pairs,
    }


def _pair(role: Role, entry: Any, count: int) -> tuple[Judged | None, Comparison | None]:
    if entry is None:
        return None, None
    judged = _judged(role, entry, count)
    if entry["probability"] is None:
        return judged, None
    difference = _estimate(entry["difference"], entry["difference_interval"])
    probability = _number(entry["probability"])
    if difference is None or not 0 <= probability <= 1 or not is_whole(entry["pairs"]):
        raise ValueError("a comparison is none")
    return judged, Comparison(probability, difference, entry["pairs"])


def _judged(role: Role, entry: Mapping[str, Any], count: int) -> Judged:
    metrics = tuple(None if each is None else _number(each) for each in entry["metrics"])
    trials, version, params = tuple(entry["trials"]), entry.get("version"), entry["parameters"]
    budget = None if entry.get("budget") is None else _number(entry["budget"])
    whole = [*trials, *(() if version is None else (version,))]
    if not isinstance(params, dict) or not all(map(is_whole, whole)):
        raise ValueError("a contestant is none")
    if len(metrics) != count or len(trials) != count:
        raise ValueError("not each seed has a metric")
    contestant = Contestant(role, params, budget, version)
    return Judged(contestant, metrics, trials, _estimate(entry["mean"], entry["interval"]))


def _estimate(mean: Any, interval: Sequence[Any] | None) -> Estimate | None:
    if mean is None or interval is None:
        return None
    low, high = interval
    return Estimate(_number(mean), _number(low), _number(high))


def _number(value: Any) -> float:
    if not is_number(value) or not is_finite(value):
        raise ValueError(f"{value!r:.80} is no number")
    return float(value)
