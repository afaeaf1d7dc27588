"""Continues a stopped experiment: judges whether it may be resumed, and takes over its seed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace

from hopsml_flows.errors import ExperimentRunningError, InvalidArgumentError
from hopsml_flows.execution import Earlier
from hopsml_flows.plan.plan import Plan
from hopsml_flows.plan.warm_start import keep_seeds
from hopsml_flows.storage import ExperimentPaths, Project, process_lives
from hopsml_flows.storage.lease import check_free
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.trials import State
from hopsml_flows.trials.journal import Journal
from hopsml_flows.values.plain import FILE_LEVELS, json_value

__all__ = ["check_budget", "check_is_over", "continue_experiment"]


def check_is_over(project: Project, record: ExperimentRecord) -> None:
    """Refuse to continue an experiment that certainly runs on this machine. Do not wait.

    The lease decides later which driver continues.

    Args:
        project: The experiment's project.
        record: The experiment's record.

    Raises:
        ExperimentRunningError: Its driver runs.
    """
    driver = record.driver
    if driver.get("leased"):
        check_free(project, ExperimentPaths(record.id))
    # The driver is of an older version, without a lease. A driver in this process has ended.
    elif record.state is State.RUNNING and process_lives(driver) and driver["pid"] != os.getpid():
        where = f"process {driver['pid']} on {driver['host']}"
        raise ExperimentRunningError("resume", record.id, because=f"it is still running ({where})")


def continue_experiment(plan: Plan, record: ExperimentRecord) -> Plan:
    """Return the plan that continues an experiment: its name, its seed, its first configurations.

    The budget, the rule of early stopping, the function's code and the options may differ. The
    verb, the aim, the optimizer with its arguments, and the search space may not.

    Args:
        plan: The plan that the verb made.
        record: The experiment's record.

    Raises:
        InvalidArgumentError: One of them differs.
    """
    resume = record.id
    for argument, now, then in (
        ("verb", plan.verb, record.function),
        ("direction", plan.direction.value if plan.direction else None, record.direction),
        ("optimization_key", plan.optimization_key, record.optimization_key),
        *(
            (name, plan.settings.get(name), record.options.get(name))
            for name in ("population", "optimizer", "sequential", "adapt", "around", *_bound(plan))
        ),
    ):
        if now != then:
            raise InvalidArgumentError(
                "resume", resume, because=f"its {argument} is {then!r}, not {now!r}"
            )
    if _text(plan, plan.space) != _text(plan, record.search_space):
        raise InvalidArgumentError(
            "resume", resume, because=f"its search space is {record.search_space!r}"
        )
    seed = record.options.get("seed", plan.options.seed)
    if not plan.options.seed_is_drawn and plan.options.seed not in (None, seed):
        raise InvalidArgumentError(
            "seed", plan.options.seed, f"must be the seed of the experiment to resume, {seed}"
        )
    # The directory bears the first run's name.
    options = replace(plan.options, name=record.name, seed=seed, resume=resume)
    return keep_seeds(replace(plan, options=options, attempt=record.attempt + 1), record)


def _bound(plan: Plan) -> tuple[str, ...]:
    """Settings that may not differ in such a plan: its most repeats decide about every one."""
    return ("repeats",) if plan.settings.get("sequential") else ()


def check_budget(plan: Plan, left: Earlier, journal: Journal | None = None) -> None:
    """Refuse a plan with fewer trials than there are already: their results would be lost.

    Args:
        plan: The plan.
        left: What the trials left.
        journal: The journal of an asynchronous search, which has begun all trials in it.

    Raises:
        InvalidArgumentError: There are more trials than the plan has.
    """
    begun = () if journal is None else journal.proposals
    highest = max([*left.results, *begun], default=0)
    most = plan.trials if plan.trials is not None else plan.settings.get("num_trials")
    if most is not None and left.results and highest > most:
        raise InvalidArgumentError(
            "resume",
            plan.options.resume,
            because=f"it has trial {highest} already, and these arguments end at {most}: "
            "a budget can be raised, not lowered",
        )


def _text(plan: Plan, space: Mapping[str, object]) -> str:
    """Return a search space as text, in which 1 and 1.0 differ.

    The order of hyperparameters counts in a grid, whose trials are numbered in it. Other searches
    keep their proposals in any order.
    """
    order = list(space) if plan.verb == "grid_search" else []
    image = json_value("search_space", space, levels=FILE_LEVELS)
    return json.dumps([order, image], sort_keys=True)
