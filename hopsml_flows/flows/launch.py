"""``experiment.launch``: the training function once, or once for each set of arguments."""

from __future__ import annotations

from typing import Unpack

from hopsml_flows.execution import TrainingFunction, check_names
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.options import Options, TrialOptions
from hopsml_flows.plan.plan import Plan, checked_key
from hopsml_flows.plan.run_form import (
    PositionsParameter,
    TrainParameter,
)
from hopsml_flows.search import ListSearch, value_lists, zipped
from hopsml_flows.search.quoted_numbers import warn_of_unread
from hopsml_flows.trials import RunResult

__all__ = ["launch"]


@experiment_flow(RunResult)
def launch(
    train: TrainParameter,
    args_dict: PositionsParameter = None,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    metric_key: str | None = None,
    **options: Unpack[TrialOptions],
) -> Plan:
    """Run the training function as an experiment: once, or once for each position of the lists.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        args_dict: Argument name to list of values, all of one length: the first values are
            passed together, then the second ones, …; without it the function is called once.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        metric_key: Key of the metric in the returned dict.
        **options: Those of :class:`~hopsml_flows.plan.options.TrialOptions`.

    Returns:
        The result; it unpacks as ``path, outputs = launch(…)``.
    """
    function = TrainingFunction(train)
    configurations = [{}] if args_dict is None else zipped(args_dict)
    check_names(function.callable, configurations[0], argument="args_dict")
    space = {} if args_dict is None else value_lists("args_dict", args_dict)
    warn_of_unread("args_dict", space)
    key = None if metric_key is None else checked_key(metric_key, argument="metric_key")
    return Plan(
        verb="launch",
        experiment_type="EXPERIMENT" if args_dict is None else "PARALLEL_EXPERIMENTS",
        train=function,
        options=Options.checked(
            TrialOptions,
            options,
            train=function,
            name=name,
            description=description,
            local_logdir=local_logdir,
        ),
        make_search=lambda *_: ListSearch(configurations),
        trials=len(configurations),
        direction=None,
        optimization_key=key,
        needs_metric=False,
        own_directory=args_dict is not None,
        space=space,
    )
