"""Pictures of an experiment as PNG: how the metric went, where the search has been.

Pure functions from results to bytes; nothing here reads or writes a file, and matplotlib is
imported when the first picture is drawn. PNG rather than SVG: ten thousand trials are as small a
file as ten. ``artifact`` needs Prefect and is imported by name, not from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.tracking.pictures.canvas import render
from hopsml_flows.tracking.pictures.data import Population
from hopsml_flows.tracking.pictures.metric_progress import progress_figure
from hopsml_flows.tracking.pictures.parallel_coordinates import parallel_figure
from hopsml_flows.tracking.pictures.population import population_figure

if TYPE_CHECKING:
    from hopsml_flows.search import Direction, Domain
    from hopsml_flows.trials import TrialResult

__all__ = ["by_generation", "parallel_coordinates", "pictures", "population_by_parameter"]


def by_generation(
    generations: Sequence[Sequence[TrialResult]], *, direction: Direction, metric: str = "metric"
) -> bytes:
    """The best metric so far, and the mean and the middle half of each generation.

    Args:
        generations: The results of every generation, in order.
        direction: Which way is better.
        metric: What the metric is called.
    """
    return render(progress_figure(Population(generations, direction, metric)))


def population_by_parameter(
    generations: Sequence[Sequence[TrialResult]],
    domains: Mapping[str, Domain],
    *,
    direction: Direction,
    metric: str = "metric",
) -> bytes:
    """The metric over each hyperparameter, a panel each, coloured by generation.

    Args:
        generations: The results of every generation, in order; one for a search without.
        domains: Hyperparameter name to its domain. What is missing is inferred from the trials.
        direction: Which way is better.
        metric: What the metric is called.
    """
    return render(population_figure(Population(generations, direction, metric), domains))


def parallel_coordinates(
    results: Sequence[TrialResult],
    domains: Mapping[str, Domain],
    *,
    direction: Direction,
    metric: str = "metric",
) -> bytes:
    """Every trial as a line across all hyperparameters and the metric, the best on top.

    Args:
        results: The results of all trials.
        domains: Hyperparameter name to its domain. What is missing is inferred from the trials.
        direction: Which way is better.
        metric: What the metric is called.
    """
    return render(parallel_figure(Population([results], direction, metric), domains))


def pictures(
    generations: Sequence[Sequence[TrialResult]],
    domains: Mapping[str, Domain],
    *,
    direction: Direction,
    metric: str = "metric",
) -> dict[str, bytes]:
    """All pictures that have something to show, by the name of their file.

    Args:
        generations: The results of every generation, in order; one for a search without.
        domains: Hyperparameter name to its domain. What is missing is inferred from the trials.
        direction: Which way is better.
        metric: What the metric is called.
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
