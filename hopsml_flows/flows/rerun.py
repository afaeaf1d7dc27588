"""The flow that runs trials of an earlier experiment again.

Users call ``experiment.rerun``, which reads the trials from storage and loads the saved program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import TrainingFunction, check_names
from hopsml_flows.execution.group import check_packages
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.group_options import checked_group
from hopsml_flows.plan.options import Options, SearchOptions
from hopsml_flows.plan.plan import Plan, Repeats
from hopsml_flows.plan.run_form import TrainParameter
from hopsml_flows.search import Direction, ListSearch
from hopsml_flows.trials import Framework, RunResult

__all__ = ["RepeatedTrial", "rerun"]


@dataclass(frozen=True, slots=True)
class RepeatedTrial:
    """A trial that is run again.

    Args:
        number: Its number in the earlier experiment.
        params: Its hyperparameters.
        seed: Its seed.
        budget: Its budget, or None.
    """

    number: int
    params: Mapping[str, Any]
    seed: int
    budget: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The trial as the flow takes it."""
        return {
            "number": self.number,
            "params": dict(self.params),
            "seed": self.seed,
            "budget": self.budget,
        }


@experiment_flow(RunResult)
def rerun(
    train: TrainParameter,
    trials: list[dict[str, Any]],
    experiment: str,
    trial: int | None = None,
    name: str | None = None,
    direction: str | None = None,
    optimization_key: str | None = None,
    group: dict[str, Any] | None = None,
    **options: Unpack[SearchOptions],
) -> Plan:
    """Run trials of an earlier experiment again, each with its parameters and its seed.

    Args:
        train: The training function, of the saved program.
        trials: The trials: number, params, seed and budget of each. A flow run shows the numbers,
            and cannot be run again from these alone.
        experiment: Identifier of the earlier experiment.
        trial: Number of the only trial that is run again; None for all.
        name: Name of the experiment.
        direction: Which way is better, or None if nothing was optimized.
        optimization_key: Key of the metric, or None.
        group: The process group of a distributed training: framework, num_workers, num_ps and
            evaluator; None for none.
        **options: Those of :class:`~hopsml_flows.plan.options.SearchOptions`.

    Returns:
        The result.
    """
    if not all(isinstance(each, Mapping) for each in trials):
        because = f"these are only numbers; `hopsml rerun {experiment}` reads the trials"
        raise InvalidArgumentError("trials", trials, because=because)
    function = TrainingFunction(train)
    repeated = [RepeatedTrial(**each) for each in trials]
    way = None if direction is None else Direction.parse(direction)
    for each in repeated:
        given = () if each.budget is None else ("budget",)
        check_names(function.callable, list(each.params), argument="train", given=given)
    budgets = [each.budget for each in repeated]
    checked = Options.checked(
        SearchOptions, options, train=function, name=name, description=None, local_logdir=False
    )
    is_training = group is not None
    if group is not None:
        checked = _of_group(checked, group)
    return Plan(
        verb="rerun",
        experiment_type="DISTRIBUTED_TRAINING"
        if is_training
        else "EXPERIMENT"
        if len(repeated) == 1
        else "PARALLEL_EXPERIMENTS",
        train=function,
        options=checked,
        make_search=lambda *_: ListSearch(
            [each.params for each in repeated],
            direction=way or Direction.MAX,
            budgets=budgets if any(budgets) else None,
        ),
        trials=len(repeated),
        direction=way,
        optimization_key=optimization_key,
        needs_metric=way is not None,
        own_directory=not is_training and (len(repeated) > 1 or bool(repeated[0].params)),
        space=_values(repeated),
        settings={} if group is None else {"framework": group["framework"]},
        repeats=Repeats(
            experiment, trial, {place: each.seed for place, each in enumerate(repeated, start=1)}
        ),
    )


def _values(repeated: Sequence[RepeatedTrial]) -> dict[str, list[Any]]:
    """The different values of each hyperparameter."""
    found: dict[str, list[Any]] = {}
    for each in repeated:
        for name, value in each.params.items():
            known = found.setdefault(name, [])
            if value not in known:
                known.append(value)
    return found


def _of_group(options: Options, group: Mapping[str, Any]) -> Options:
    """The options of a distributed training."""
    try:
        framework = Framework(group["framework"])
    except (KeyError, ValueError):
        allowed = ", ".join(Framework)
        raise InvalidArgumentError("group", group, f"must name a framework: {allowed}") from None
    made = checked_group(
        framework,
        options.cluster,
        num_workers=group.get("num_workers"),
        wait_for_workers=None,
        environment={},
        num_ps=group.get("num_ps", 0),
        evaluator=group.get("evaluator", False),
    )
    if not options.cluster.elsewhere:
        check_packages(made.shape, "experiment.rerun")
    return replace(options, group=made)
