"""``experiment.differential_evolution``: generations of configurations that breed the next ones."""

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
    FractionParameter,
    PopulationParameter,
    PositiveParameter,
    StrategyParameter,
    TrainParameter,
    UpdatingParameter,
    WeightParameter,
)
from hopsml_flows.search import (
    DifferentialEvolution,
    Direction,
    SearchSpace,
    Strategy,
    Updating,
)
from hopsml_flows.trials import DEFAULT_KEY, SearchResult
from hopsml_flows.values.plain import json_value, plain

__all__ = ["differential_evolution"]


@experiment_flow(SearchResult)
def differential_evolution(
    train: TrainParameter,
    boundary_dict: BoundsParameter,
    direction: DirectionParameter = Direction.MAX,
    generations: PositiveParameter = 4,
    population: PopulationParameter = 6,
    mutation: WeightParameter = 0.5,
    crossover: FractionParameter = 0.7,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    optimization_key: str = DEFAULT_KEY,
    *,
    strategy: StrategyParameter = Strategy.ADAPTIVE,
    updating: UpdatingParameter = Updating.DEFERRED,
    initial: Sequence[dict[str, Any]] = (),
    tol: float = 0.0,
    patience: PositiveParameter | None = None,
    max_failed_generations: PositiveParameter = 3,
    **options: Unpack[WarmOptions],
) -> Plan:
    """Search by differential evolution: ``(generations + 1) * population`` evaluations at most.

    Each generation is a subflow run. Below some 50 evaluations a generation of 6 is right, for
    100 of 10, for 300 of 15; it pays that a generation is a multiple of the workers.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        boundary_dict: Hyperparameter name to [low, high], a list of strings, Float, Int or
            Categorical; two ints are an inclusive integer range, one value in a list is fixed.
        direction: Direction.MAX or Direction.MIN.
        generations: Generations after the first one, which is number 0.
        population: Trials in a generation; at least 4.
        mutation: Differential weight F, in (0, 2]; for "adaptive" where it begins.
        crossover: Crossover rate CR, in [0, 1]; for "adaptive" where it begins.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict.
        strategy: "adaptive"; or "rand1bin" (HopsML's), "best1bin" or "currenttopbest1bin".
        updating: "deferred": a generation waits for all its trials, and a seed gives the same
            search whatever the workers; "immediate": no worker waits.
        initial: Configurations to evaluate first, at most ``population``.
        tol: An improvement that is no larger counts as none.
        patience: Generations without improvement after which the search ends; None for never.
        max_failed_generations: Generations in a row in which all trials fail after which the search
            ends: with its result, where an earlier trial succeeded.
        **options: Those of :class:`~hopsml_flows.plan.options.WarmOptions`.

    Returns:
        The result; it unpacks as ``best_dir, best_params, best_outputs =
        differential_evolution(…)``.
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

    def search(seed: int | None, first: Sequence[Mapping[str, Any]] = ()) -> DifferentialEvolution:
        return DifferentialEvolution(
            space,
            generations=generations,
            population=population,
            direction=way,
            strategy=strategy,
            mutation=mutation,
            crossover=crossover,
            updating=updating,
            initial=[*initial, *first] if first else initial,
            tol=tol,
            patience=patience,
            max_failed_generations=max_failed_generations,
            seed=seed,
        )

    total = search(checked.seed).total
    return Plan(
        verb="differential_evolution",
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
        settings={
            "generations": plain(generations),
            "population": plain(population),
            "mutation": float(mutation),
            "crossover": float(crossover),
            "strategy": Strategy.parse(strategy).value,
            "updating": Updating.parse(updating).value,
            "initial": [json_value("initial", point) for point in initial],
            "tol": float(tol),
            "patience": plain(patience),
            "max_failed_generations": plain(max_failed_generations),
        },
        points=PointsWanted(
            f"{1 + int(generations)} generations of population={population}",
            (1 + int(generations)) * int(population),
            space.cardinality,
            may_end_early=True,
        ),
        warm_start=WarmStart.wished(
            checked.warm_start, most=min(population // 2, population - len(initial)), taken=initial
        ),
    )
