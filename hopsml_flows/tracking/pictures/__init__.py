"""Draws pictures of an experiment as PNG: the metric's course, and where the search has been.

Pure functions from results to bytes. Matplotlib is imported when the first picture is drawn. PNG
rather than SVG: the file of ten thousand trials is as small as that of ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.tracking.pictures.canvas import render
from hopsml_flows.tracking.pictures.data import Population
from hopsml_flows.tracking.pictures.effects import effects_figure
from hopsml_flows.tracking.pictures.learning_curves import curves_figure
from hopsml_flows.tracking.pictures.metric_progress import progress_figure
from hopsml_flows.tracking.pictures.parallel_coordinates import parallel_figure
from hopsml_flows.tracking.pictures.population import population_figure

if TYPE_CHECKING:
    from hopsml_flows.ablation.verdicts import Judged
    from hopsml_flows.search import Direction, Domain
    from hopsml_flows.trials import TrialResult
    from hopsml_flows.trials.learning_curves import LearningCurve

__all__ = [
    "by_generation",
    "effects_picture",
    "learning_curves",
    "parallel_coordinates",
    "pictures",
    "population_by_parameter",
]


def by_generation(
    generations: Sequence[Sequence[TrialResult]], *, direction: Direction, metric: str = "metric"
) -> bytes:
    """Draw the best metric so far, and the mean and the middle half of each generation.

    Args:
        generations: The results of every generation, in order.
        direction: Which way is better.
        metric: The metric's name.
    """
    return render(progress_figure(Population(generations, direction, metric)))


def population_by_parameter(
    generations: Sequence[Sequence[TrialResult]],
    domains: Mapping[str, Domain],
    *,
    direction: Direction,
    metric: str = "metric",
) -> bytes:
    """Draw the metric over each hyperparameter in a panel of its own, coloured by generation.

    Args:
        generations: The results of every generation, in order; a search without generations has
            one.
        domains: Hyperparameter name to its domain. Missing ones are inferred from the trials.
        direction: Which way is better.
        metric: The metric's name.
    """
    return render(population_figure(Population(generations, direction, metric), domains))


def parallel_coordinates(
    results: Sequence[TrialResult],
    domains: Mapping[str, Domain],
    *,
    direction: Direction,
    metric: str = "metric",
) -> bytes:
    """Draw each trial as a line across all hyperparameters and the metric, the best on top.

    Args:
        results: The results of all trials.
        domains: Hyperparameter name to its domain. Missing ones are inferred from the trials.
        direction: Which way is better.
        metric: The metric's name.
    """
    return render(parallel_figure(Population([results], direction, metric), domains))


def learning_curves(
    curves: Sequence[LearningCurve],
    *,
    direction: Direction,
    metric: str = "metric",
    best: int | None = None,
) -> bytes:
    """Draw what each trial reported over its steps. Stopped trials are grey, and end with a cross.

    Args:
        curves: The curves of all trials.
        direction: Which way is better.
        metric: The metric's name.
        best: Number of the best trial, drawn on top; None for none.
    """
    return render(curves_figure(curves, direction=direction, metric=metric, best=best))


def effects_picture(
    judged: Sequence[Judged], *, metric: str = "metric", base: str = "base"
) -> bytes:
    """Draw the effect of each component with its interval. Filled points are certain.

    Args:
        judged: The effects with their verdicts, the largest first.
        metric: The metric's name.
        base: Name of the arm that leaves nothing out.
    """
    return render(effects_figure(judged, metric=metric, base=base))


def pictures(
    generations: Sequence[Sequence[TrialResult]],
    domains: Mapping[str, Domain],
    *,
    direction: Direction,
    metric: str = "metric",
) -> dict[str, bytes]:
    """Draw all pictures that have something to show.

    Args:
        generations: The results of every generation, in order; a search without generations has
            one.
        domains: Hyperparameter name to its domain. Missing ones are inferred from the trials.
        direction: Which way is better.
        metric: The metric's name.

    Returns:
        File name to PNG.
    """
    population = Population(generations, direction, metric)
    results = list({result.number: result for some in generations for result in some}.values())
    drawn: dict[str, bytes] = {}
    if len(generations) > 1 and population.best is not None:
        drawn[ExperimentFiles.PROGRESS_PICTURE] = render(progress_figure(population))
    if any(result.params for result in results):
        if population.best is not None:
            drawn[ExperimentFiles.POPULATION_PICTURE] = render(
                population_figure(population, domains)
            )
        drawn[ExperimentFiles.PARALLEL_PICTURE] = parallel_coordinates(
            results, domains, direction=direction, metric=metric
        )
    return drawn
