"""Beginning a search with the best configurations of an earlier experiment.

Looks at the project, one listing and a few files, and changes nothing. Which configurations these
are is decided in :mod:`hopsml_flows.trials.best_configurations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hopsml_flows.errors import DamagedFileError, InvalidArgumentError
from hopsml_flows.execution import argument_defaults
from hopsml_flows.plan.earlier_record import earlier_record, intact_records
from hopsml_flows.plan.plan import Plan
from hopsml_flows.search import SearchSpace
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking import ExperimentRecord, read_summary
from hopsml_flows.tracking.listing import experiments
from hopsml_flows.trials import (
    Past,
    Seeds,
    State,
    chosen,
    experiment_id,
    slug,
    stamp_of,
)
from hopsml_flows.values.plain import json_value
from hopsml_flows.warned import warn

__all__ = ["LAST", "keep_seeds", "take_seeds"]

LAST = "last"
"""Stands for the last finished experiment of the same name."""

_SEEDS = "seeds"
_KEPT = ("warm_start", _SEEDS)
"""Options of the record that say what a search began with."""

_MOST_READ = 50
"""Experiments of the same name that are looked at; nobody waits for thousands of records."""

_SHOWN = 5
"""So many trials a warning names."""


def take_seeds(plan: Plan) -> Plan:
    """The plan with the configurations that its search begins with.

    Args:
        plan: What was asked for.

    Raises:
        InvalidArgumentError: The experiment that ``warm_start`` names is not there, has no finished
            trial, or optimizes something else.
    """
    wish = plan.warm_start
    if wish is None:
        return plan
    if wish.source == LAST:
        record, notice = _last_finished(plan)
    else:
        record, notice = _named(plan, wish.source), ""
    if record is None:
        return replace(plan, notices=(*plan.notices, notice), settings=_with(plan, None, Seeds()))
    try:
        past = _past(plan.options.project, record.id)
    except DamagedFileError as error:
        if wish.source != LAST:
            text = f"cannot be used: {error}"
            raise InvalidArgumentError("warm_start", wish.source, text) from error
        warn(f"begins with no seeds of {record.id}: {error}")
        past = []
    if not past and wish.source != LAST:
        raise InvalidArgumentError("warm_start", wish.source, "has no finished trial")
    seeds = chosen(
        past,
        SearchSpace(plan.domains),
        direction=plan.optimized,
        most=wish.most,
        defaults=argument_defaults(plan.train.callable),
        taken=wish.taken,
    )
    for text in _complaints(record, seeds):
        warn(text)
    notices = (*plan.notices, *_complaints(record, seeds), _said(record, seeds, wish.most))
    settings = _with(plan, record, seeds)
    return replace(plan, first=seeds.configurations, notices=notices, settings=settings)


def keep_seeds(plan: Plan, record: ExperimentRecord) -> Plan:
    """The plan of an experiment that goes on, with the configurations that it began with.

    Args:
        plan: What was asked for; its ``warm_start`` counts no more.
        record: The experiment's record.

    Raises:
        InvalidArgumentError: The record does not say what they are.
    """
    kept = {name: record.options[name] for name in _KEPT if name in record.options}
    asked = {name: value for name, value in plan.settings.items() if name not in _KEPT}
    first: list[Mapping[str, Any]] = []
    if _SEEDS in kept:
        space = SearchSpace(plan.domains)
        restored = [space.restored(params) for params in _configurations(record)]
        first = [params for params in restored if params is not None]
    return replace(plan, first=tuple(first), notices=(), settings={**asked, **kept})


def _configurations(record: ExperimentRecord) -> list[dict[str, Any]]:
    """The configurations that a record says the search began with."""
    seeds = record.options[_SEEDS]
    listed = seeds.get("configurations") if isinstance(seeds, dict) else None
    if not isinstance(listed, list) or not all(isinstance(params, dict) for params in listed):
        raise InvalidArgumentError("resume", record.id, "has a record with unreadable seeds")
    return listed


def _last_finished(plan: Plan) -> tuple[ExperimentRecord | None, str]:
    """The record of the last finished search of the plan's name; or why there is none."""
    options = plan.options
    begin = f"{slug(options.name)}-"
    names = [
        name
        for name in reversed(experiments(options.project))
        # The slug of another name may begin with this one's.
        if len(name) == len(experiment_id(options.name, stamp_of(name) or "", "123456"))
        and name.startswith(begin)
    ]
    for record in intact_records(options.project, names[:_MOST_READ], "begins with no seeds of"):
        if (record.name, record.state) != (options.name, State.FINISHED) or not record.direction:
            continue
        if reason := _another_aim(plan, record):
            text = f"begins with no seeds: {record.id}, the last experiment of its name, {reason}"
            warn(text)
            return None, text
        return record, ""
    among = f" among its last {_MOST_READ}" if len(names) > _MOST_READ else ""
    return None, f"begins with no seeds: no experiment {options.name!r} has finished yet{among}"


def _named(plan: Plan, source: str) -> ExperimentRecord:
    project = plan.options.project
    record = earlier_record(project, source, argument="warm_start", otherwise=f"{LAST!r} or ")
    if reason := _another_aim(plan, record):
        raise InvalidArgumentError("warm_start", source, reason)
    return record


def _another_aim(plan: Plan, record: ExperimentRecord) -> str:
    """In what an experiment optimized something else; "" where it did not."""
    for argument, now, then in (
        ("direction", plan.optimized.value, record.direction),
        ("optimization_key", plan.optimization_key, record.optimization_key),
    ):
        if now != then:
            return f"has another {argument}: {then!r}"
    return ""


def _past(project: Project, name: str) -> list[Past]:
    """The finished trials of an experiment, of its summary: one file, however many they are.

    Raises:
        DamagedFileError: It is no summary.
        StorageUnavailableError: Storage does not say whether there is one.
    """
    past, unreadable = read_summary(project, name) or ([], 0)
    if unreadable:
        summary = project.full(ExperimentPaths(name).summary)
        warn(f"{summary} has {unreadable} entries that cannot be read: left out")
    return past


def _with(plan: Plan, record: ExperimentRecord | None, seeds: Seeds) -> Mapping[str, Any]:
    """The plan's settings and, for the record, where its seeds are from."""
    assert plan.warm_start is not None
    return {
        **plan.settings,
        "warm_start": plan.warm_start.source,
        _SEEDS: {
            "experiment": record.id if record else None,
            "trials": list(seeds.trials),
            "configurations": [json_value("seeds", params) for params in seeds.configurations],
        },
    }


def _said(record: ExperimentRecord, seeds: Seeds, most: int) -> str:
    if not seeds.trials:
        why = f"no trial of {record.id} fits the search space" if most else "initial leaves no room"
        return f"begins with no seeds: {why}"
    return f"begins with {len(seeds.trials)} seeds of {record.id}: {', '.join(seeds.trials)}"


def _complaints(record: ExperimentRecord, seeds: Seeds) -> list[str]:
    complaints = []
    if seeds.unfit:
        some = "; ".join(f"{name}: {reason}" for name, reason in seeds.unfit[:_SHOWN])
        more = len(seeds.unfit) - _SHOWN
        some += f"; and {more} more" if more > 0 else ""
        complaints.append(f"trials of {record.id} do not fit the search space ({some})")
    if seeds.left_out:
        names = ", ".join(seeds.left_out)
        complaints.append(f"seeds of {record.id} lack {names}, which is not searched any more")
    return complaints
