"""The plan of the verbs for distributed training: one trial, which is a process group."""

from __future__ import annotations

from dataclasses import replace

from hopsml_flows.execution import TrainingFunction, check_names
from hopsml_flows.execution.group import check_packages
from hopsml_flows.plan.group_options import GroupOptions
from hopsml_flows.plan.options import Options
from hopsml_flows.plan.plan import Plan, checked_key
from hopsml_flows.search import ListSearch

__all__ = ["training_plan"]


def training_plan(
    verb: str, function: TrainingFunction, options: Options, group: GroupOptions, metric_key: object
) -> Plan:
    """Return the plan of one distributed training.

    Args:
        verb: Name of the verb.
        function: The training function.
        options: The options that every verb takes.
        group: The process group.
        metric_key: The metric's key as the user passed it, or None.

    Raises:
        InvalidArgumentError: One is wrong; the message names it.
        MissingPackageError: The framework is not installed on this machine, where the members
            would run.
    """
    check_names(function.callable, [], argument="train")
    if not options.cluster.elsewhere:
        check_packages(group.shape, f"experiment.{verb}")
    return Plan(
        verb=verb,
        experiment_type="DISTRIBUTED_TRAINING",
        train=function,
        options=replace(options, group=group),
        make_search=lambda *_: ListSearch([{}]),
        trials=1,
        direction=None,
        optimization_key=None
        if metric_key is None
        else checked_key(metric_key, argument="metric_key"),
        needs_metric=False,
        own_directory=False,
    )
