"""The data that pictures show, taken from an experiment's results. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hopsml_flows.search import Direction, Domain
from hopsml_flows.text import plural
from hopsml_flows.tracking.pictures.scales import (
    NumberScale,
    Scale,
    as_number,
    metric_scale,
    parameter_scale,
    short_number,
)

if TYPE_CHECKING:
    from hopsml_flows.trials import TrialResult

__all__ = ["MOST_PARAMETERS", "Population", "Shown", "beyond", "mean", "quantile"]

MOST_PARAMETERS = 24
"""Most hyperparameters in one picture; with more, none could be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One trial as the pictures show it.

    Args:
        number: Its number.
        generation: Its generation, from 0.
        params: Its hyperparameters.
        metric: A finite number, or None if the trial has none.
    """

    number: int
    generation: int
    params: Mapping[str, Any]
    metric: float | None


@dataclass(frozen=True, slots=True)
class Population:
    """The trials of an experiment, by generation.

    Args:
        generations: The results of every generation, in order.
        direction: Which way is better.
        metric: The metric's name.
    """

    generations: Sequence[Sequence[TrialResult]]
    direction: Direction
    metric: str
    trials: list[Shown] = field(init=False)
    best: Shown | None = field(init=False)

    def __post_init__(self) -> None:
        trials = [
            Shown(result.number, number, result.params, _metric(result))
            for number, results in enumerate(self.generations)
            for result in results
        ]
        object.__setattr__(self, "trials", trials)
        best: Shown | None = None
        for trial in trials:
            if trial.metric is not None and self.direction.better(
                trial.metric, None if best is None else best.metric
            ):
                best = trial
        object.__setattr__(self, "best", best)

    @property
    def good(self) -> list[Shown]:
        """Trials with a metric, the worst first, so that the best is drawn on top."""
        good = [trial for trial in self.trials if trial.metric is not None]
        return sorted(good, key=lambda trial: -self.direction.loss(trial.metric or 0.0))

    @property
    def failed(self) -> list[Shown]:
        """Trials without a metric."""
        return [trial for trial in self.trials if trial.metric is None]

    def metrics_by_generation(self) -> list[list[float]]:
        """Return the finite metrics of every generation, ascending."""
        metrics: list[list[float]] = [[] for _ in self.generations]
        for trial in self.trials:
            if trial.metric is not None:
                metrics[trial.generation].append(trial.metric)
        return [sorted(values) for values in metrics]

    def metric_scale(self) -> NumberScale:
        """Return the metric's axis; from 0 to 1 if no trial has a metric."""
        values = [trial.metric for trial in self.trials if trial.metric is not None]
        return metric_scale(values, self.direction) if values else NumberScale(0.0, 1.0)

    def scales(self, domains: Mapping[str, Domain]) -> dict[str, Scale]:
        """Return the axis of every hyperparameter: first those with a domain, then the others.

        Args:
            domains: Hyperparameter name to its domain. Missing ones are inferred from the trials.
        """
        names = list(dict.fromkeys([*domains, *(n for trial in self.trials for n in trial.params)]))
        return {
            name: parameter_scale(
                domains.get(name),
                (trial.params[name] for trial in self.trials if name in trial.params),
            )
            for name in names
        }

    def better(self) -> str:
        """Return which way is better, in words."""
        return "higher is better" if self.direction is Direction.MAX else "lower is better"

    def notes(self) -> list[str]:
        """Return the experiment's counts and best metric, in words."""
        good = len(self.trials) - len(self.failed)
        count, generations = len(self.trials), len(self.generations)
        notes = [plural(count, "trial")]
        if generations > 1:
            notes[0] += f" in {generations} generations"
        if count > good:
            notes.append(f"{count - good} failed")
        if self.best is not None:
            notes.append(f"best {short_number(self.best.metric)} by trial {self.best.number}")
        return notes


def beyond(positions: Iterable[float]) -> int:
    """Return how many positions lie off their axis, outside of [0, 1].

    Args:
        positions: Positions; NaN does not count.
    """
    return sum(position < 0 or position > 1 for position in positions)


def _metric(result: TrialResult) -> float | None:
    return as_number(result.metric) if result.succeeded else None


def mean(values: Sequence[float]) -> float:
    """Return the mean; NaN of no values.

    Args:
        values: Finite numbers of any size; their sum may exceed a float.
    """
    return math.fsum(value / len(values) for value in values) if values else math.nan


def quantile(ascending: Sequence[float], share: float) -> float:
    """Return the one of the values below which a share of them lies; NaN of no values.

    Args:
        ascending: Finite numbers, sorted.
        share: The share, from 0 to 1.
    """
    return ascending[round(share * (len(ascending) - 1))] if ascending else math.nan
