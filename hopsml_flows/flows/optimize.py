"""``experiment.optimize``: asynchronous search, with early stopping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from hopsml_flows.execution import BUDGETS_ELSEWHERE, TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.asynchronous_search import AsynchronousSearch
from hopsml_flows.plan.options import Options, WarmOptions
from hopsml_flows.plan.plan import Plan, WarmStart, checked_key
from hopsml_flows.plan.run_form import (
    DirectionParameter,
    EarlyStopParameter,
    OptimizerParameter,
    PositiveParameter,
    SecondsParameter,
    SpaceParameter,
    TrainParameter,
)
from hopsml_flows.search import Direction, Domain
from hopsml_flows.trials import DEFAULT_KEY, SearchResult

__all__ = ["optimize"]


@experiment_flow(SearchResult)
def optimize(
    train: TrainParameter,
    space: SpaceParameter,
    direction: DirectionParameter = Direction.MAX,
    num_trials: PositiveParameter | None = None,
    max_seconds: SecondsParameter | None = None,
    optimizer: OptimizerParameter = "evolution",
    early_stop: EarlyStopParameter = "none",
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    optimization_key: str = DEFAULT_KEY,
    *,
    initial: Sequence[dict[str, Any]] = (),
    **options: Unpack[WarmOptions],
) -> Plan:
    """Search asynchronously: a worker that is free gets its next trial at once.

    Trials that report (``reporter.broadcast``) can be stopped early. What was asked, told,
    reported and stopped is in the experiment's journal, which ``hopsml replay`` repeats.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        space: Hyperparameter name to [low, high], a list of strings, Float, Int or Categorical; two
            ints are an inclusive integer range, one value in a list is fixed. None for the
            optimizer "none", which calls the function ``num_trials`` times.
        direction: Direction.MAX or Direction.MIN.
        num_trials: Number of trials; None if ``max_seconds`` alone limits the search.
        max_seconds: Seconds after which no further trial begins; those that run end. A resumed run
            has its own.
        optimizer: "evolution" (asynchronous differential evolution), "random", "grid", "asha"
            (trials with small budgets first; the best are promoted), "tpe", "gp" or "cmaes" (of
            Optuna), "none"; an import string of a class, or an optimizer. With arguments:
            {"optimizer": "asha", "max_budget": 27}.
        early_stop: "median" (stops a trial whose best report is worse than the median of the
            others' means), "halving" (goes on with the best part at each rung), "none"; an import
            string of a class, or a rule. With arguments: {"rule": "median", "min_finished": 5}.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict; what ``reporter.broadcast``
            reports.
        initial: Configurations to evaluate first.
        **options: Those of :class:`~hopsml_flows.plan.options.WarmOptions`.

    Returns:
        The result; it unpacks as ``best_dir, best_params, best_outputs = optimize(…)``.
    """
    function = TrainingFunction(train)
    way = Direction.parse(direction)
    checked = Options.checked(
        WarmOptions,
        options,
        train=function,
        name=name,
        description=description,
        local_logdir=local_logdir,
        draws=True,
    )
    search = AsynchronousSearch.checked(
        space,
        way,
        num_trials=num_trials,
        max_seconds=max_seconds,
        optimizer=optimizer,
        early_stop=early_stop,
        initial=initial,
    )
    total = search.make(checked.seed).total
    domains: Mapping[str, Domain] = search.space or {}
    if not search.adds_hyperparameters:
        check_names(
            function.callable,
            list(domains),
            argument="space",
            given=search.given,
            elsewhere=BUDGETS_ELSEWHERE,
        )
    return Plan(
        verb="optimize",
        experiment_type="PARALLEL_EXPERIMENTS",
        train=function,
        options=checked,
        make_search=search.make,
        trials=total,
        direction=way,
        optimization_key=checked_key(optimization_key),
        needs_metric=True,
        space={} if search.space is None else search.space.describe(),
        domains=dict(domains),
        settings=search.settings,
        make_rule=search.rule,
        is_asynchronous=True,
        max_seconds=search.max_seconds,
        warm_start=WarmStart.wished(
            checked.warm_start, most=search.most_seeds(total), taken=initial
        ),
    )
