"""``experiment.random_search``: configurations drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from hopsml_flows.execution import TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.few_points import PointsWanted
from hopsml_flows.plan.options import Options, WarmOptions
from hopsml_flows.plan.plan import Plan, WarmStart, checked_key
from hopsml_flows.plan.run_form import (
    BoundsParameter,
    DirectionParameter,
    PositiveParameter,
    TrainParameter,
)
from hopsml_flows.search import Direction, RandomSearch, SearchSpace
from hopsml_flows.trials import DEFAULT_KEY, SearchResult

__all__ = ["random_search"]


@experiment_flow(SearchResult)
def random_search(
    train: TrainParameter,
    boundary_dict: BoundsParameter,
    direction: DirectionParameter = Direction.MAX,
    samples: PositiveParameter = 10,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    optimization_key: str = DEFAULT_KEY,
    **options: Unpack[WarmOptions],
) -> Plan:
    """Evaluate the training function at random points of a search space, each once.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        boundary_dict: Hyperparameter name to [low, high], a list of strings, Float, Int or
            Categorical; two ints are an inclusive integer range, one value in a list is fixed.
        direction: Direction.MAX or Direction.MIN.
        samples: Number of points.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict.
        **options: Those of :class:`~hopsml_flows.plan.options.WarmOptions`.

    Returns:
        The result; it unpacks as ``best_dir, best_params, best_outputs = random_search(…)``.
    """
    function = TrainingFunction(train)
    way = Direction.parse(direction)
    space = SearchSpace(boundary_dict)
    check_names(function.callable, list(space), argument="boundary_dict")
    checked = Options.checked(
        WarmOptions,
        options,
        train=function,
        name=name,
        description=description,
        local_logdir=local_logdir,
        draws=True,
    )

    def search(seed: int | None, first: Sequence[Mapping[str, Any]] = ()) -> RandomSearch:
        return RandomSearch(space, samples=samples, direction=way, initial=first, seed=seed)

    total = search(checked.seed).total

    return Plan(
        verb="random_search",
        experiment_type="PARALLEL_EXPERIMENTS",
        train=function,
        options=checked,
        make_search=search,
        trials=total,
        direction=way,
        optimization_key=checked_key(optimization_key),
        needs_metric=True,
        space=space.describe(),
        domains=dict(space),
        points=PointsWanted(f"samples={samples}", int(samples), space.cardinality),
        warm_start=WarmStart.wished(checked.warm_start, most=max(1, total // 4)),
    )
