"""This project's differential evolution, set up as it is measured."""

from __future__ import annotations

import inspect
from typing import Any

from optimization.problem import Problem
from optimization.settings import generations

STRATEGIES = ("adaptive", "rand1bin", "best1bin", "currenttopbest1bin")


def default_strategy() -> str:
    """The strategy of a search that is given none."""
    if not is_there():
        return STRATEGIES[0]
    from hopsml_flows.search import DifferentialEvolution

    return str(inspect.signature(DifferentialEvolution).parameters["strategy"].default)


def is_there() -> bool:
    """Whether this version of the project has it."""
    from hopsml_flows import search

    return hasattr(search, "DifferentialEvolution")


def differential_evolution(
    problem: Problem, budget: int, seed: int, *, population: int, **options: Any
) -> Any:
    """A search of the project's, set up for a budget.

    Args:
        problem: What will be minimised.
        budget: Evaluations that there are; the last generation may have some more.
        seed: Of the search.
        population: How many individuals.
        options: More of its arguments.
    """
    from hopsml_flows.search import DifferentialEvolution

    options = {"generations": generations(budget, population), **options}
    return DifferentialEvolution(
        problem.space, direction="MIN", seed=seed, population=population, **options
    )
