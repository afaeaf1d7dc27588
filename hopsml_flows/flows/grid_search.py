"""``experiment.grid_search``: every combination of the given values."""

from __future__ import annotations

from typing import Any, Unpack

from hopsml_flows.execution import TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.options import Options, SearchOptions
from hopsml_flows.plan.plan import Plan, checked_key
from hopsml_flows.plan.run_form import (
    DirectionParameter,
    GridParameter,
    TrainParameter,
)
from hopsml_flows.search import Categorical, Direction, GridSearch
from hopsml_flows.search.quoted_numbers import warn_of_unread
from hopsml_flows.trials import DEFAULT_KEY, SearchResult
from hopsml_flows.values.plain import image_key

__all__ = ["grid_search"]


@experiment_flow(SearchResult)
def grid_search(
    train: TrainParameter,
    grid_dict: GridParameter,
    direction: DirectionParameter = Direction.MAX,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    optimization_key: str = DEFAULT_KEY,
    **options: Unpack[SearchOptions],
) -> Plan:
    """Evaluate the training function at every combination of hyperparameter values.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        grid_dict: Hyperparameter name to list of values; combined in the dict's order, the last
            one changing fastest.
        direction: Direction.MAX or Direction.MIN.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict.
        **options: Those of :class:`~hopsml_flows.plan.options.SearchOptions`.

    Returns:
        The result; it unpacks as ``best_dir, best_params, best_outputs = grid_search(…)``.
    """
    function = TrainingFunction(train)
    way = Direction.parse(direction)
    search = GridSearch(grid_dict, direction=way)
    check_names(function.callable, list(grid_dict), argument="grid_dict")
    warn_of_unread("grid_dict", search.grid)
    return Plan(
        verb="grid_search",
        experiment_type="PARALLEL_EXPERIMENTS",
        train=function,
        options=Options.checked(
            SearchOptions,
            options,
            train=function,
            name=name,
            description=description,
            local_logdir=local_logdir,
        ),
        make_search=lambda *_: GridSearch(grid_dict, direction=way),
        trials=search.total,
        direction=way,
        optimization_key=checked_key(optimization_key),
        needs_metric=True,
        space=search.grid,
        domains={
            name: Categorical(different)
            for name, values in search.grid.items()
            if len(different := _different(values)) > 1
        },
    )


def _different(values: list[Any]) -> list[Any]:
    """The values without repeats; True, 1 and 1.0 are not the same, (3, 3) and [3, 3] are."""
    return list({image_key(value): value for value in values}.values())
