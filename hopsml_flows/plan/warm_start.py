"""Takes the first configurations of a search from an earlier experiment.

It reads one listing and a few files of the project, and writes nothing.
:mod:`hopsml_flows.trials.best_configurations` chooses the configurations.
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
from hopsml_flows.user_warnings import warn
from hopsml_flows.values.plain import json_value

__all__ = ["LAST", "keep_seeds", "take_seeds"]

LAST = "last"
"""The value of ``warm_start`` that means the last finished experiment of the same name."""

_SEEDS = "seeds"
_KEPT = ("warm_start", _SEEDS)
"""Options in the record that say what the search began with."""

_MOST_READ = 50
"""The most records that are read of one name: thousands would take too long."""

_SHOWN = 5
"""The most trials that a warning names."""


def take_seeds(plan: Plan) -> Plan:
    """Return the plan with the configurations that its warm start gives it.

    Args:
        plan: The plan that the verb made.

    Raises:
        InvalidArgumentError: The experiment that ``warm_start`` names does not exist, has no
            finished trial, or optimizes something else.
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
            raise InvalidArgumentError("warm_start", wish.source, because=str(error)) from error
        warn(f"begins with no seeds of {record.id}: {error}")
        past = []
    if not past and wish.source != LAST:
        raise InvalidArgumentError("warm_start", wish.source, because="it has no finished trial")
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
    """Return the plan of a resumed experiment with the configurations that it began with.

    Args:
        plan: The plan that the verb made; its ``warm_start`` is ignored.
        record: The experiment's record.

    Raises:
        InvalidArgumentError: The record has them in a form that cannot be read.
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
    """Return the configurations that the search began with, by its record."""
    seeds = record.options[_SEEDS]
    listed = seeds.get("configurations") if isinstance(seeds, dict) else None
    if not isinstance(listed, list) or not all(isinstance(params, dict) for params in listed):
        raise InvalidArgumentError(
            "resume", record.id, because="the seeds in its record cannot be read"
        )
    return listed


def _last_finished(plan: Plan) -> tuple[ExperimentRecord | None, str]:
    """Return the record of the last finished search of the plan's name, or why there is none."""
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
        if record.rerun_of:  # it has the name of the search whose trials it repeats
            continue
        if reason := _another_aim(plan, record):
            text = f"begins with no seeds, because of {record.id}, the last of its name: {reason}"
            warn(text)
            return None, text
        return record, ""
    among = f" among its last {_MOST_READ}" if len(names) > _MOST_READ else ""
    return None, f"begins with no seeds: no experiment {options.name!r} has finished yet{among}"


def _named(plan: Plan, source: str) -> ExperimentRecord:
    project = plan.options.project
    record = earlier_record(project, source, argument="warm_start", otherwise=f"{LAST!r} or ")
    if reason := _another_aim(plan, record):
        raise InvalidArgumentError("warm_start", source, because=reason)
    return record


def _another_aim(plan: Plan, record: ExperimentRecord) -> str:
    """Say how an experiment's aim differs from the plan's; "" if it does not."""
    for argument, now, then in (
        ("direction", plan.optimized.value, record.direction),
        ("optimization_key", plan.optimization_key, record.optimization_key),
    ):
        if now != then:
            return f"its {argument} is {then!r}, not {now!r}"
    return ""


def _past(project: Project, name: str) -> list[Past]:
    """Return the finished trials of an experiment; unreadable ones are left out with a warning.

    Raises:
        DamagedFileError: The experiment's summary cannot be understood.
        StorageUnavailableError: Storage does not say whether there is a summary.
    """
    past, unreadable = read_summary(project, name) or ([], 0)
    if unreadable:
        summary = project.full(ExperimentPaths(name).summary)
        warn(f"{summary} has {unreadable} entries that cannot be read: left out")
    return past


def _with(plan: Plan, record: ExperimentRecord | None, seeds: Seeds) -> Mapping[str, Any]:
    """Return the plan's settings and, for the record, the origin of its seeds."""
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
