"""Experiments that were run: list, get and compare them, and find the best, from storage alone.

They may run now or be over for years, and may have been run by others: only the project's storage
is read. No Prefect server is needed, and nothing is changed. Each experiment's files are read when
they are first used.

An argument ``experiment`` is an identifier, a beginning that only one identifier has, ``"last"``,
or ``"digits@-1"``: the newest experiment named *digits*, ``"digits@-2"`` the one before it.
An argument ``project`` is a local path, a URL, ``"block:NAME"``, or a ``Project`` of
``hopsml_flows.storage``; the default is the project of new experiments.

Example:
    >>> from hopsml_flows import experiments
    >>> from hopsml_flows.storage import Project
    >>> experiments.list(project=Project("memory://nothing-here"))
    []
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service.comparison import Comparison, compared, experiment_facts, trial_facts
from hopsml_flows.service.index import ExperimentIndex, ExperimentQuery, ExperimentState, parse_time
from hopsml_flows.service.stored_experiment import (
    StoredExperiment,
    StoredTrial,
    best_of,
    find_stored,
    find_thing,
)
from hopsml_flows.service.trial_rows import columns_of, trial_row
from hopsml_flows.storage import LOOPBACK_HOSTS, Project, block_name
from hopsml_flows.text import unicode_text

if TYPE_CHECKING:
    import pandas as pd
    from starlette.applications import Starlette

__all__ = [
    "Comparison",
    "ExperimentState",
    "StoredExperiment",
    "StoredTrial",
    "best",
    "compare",
    "get",
    "list",
    "to_pandas",
    "web_app",
]

AnyProject: TypeAlias = "Project | str | os.PathLike[str] | None"
Texts: TypeAlias = "str | Sequence[str] | None"
Moment: TypeAlias = "datetime | str | None"


def list(  # noqa: A001 - experiments.list reads as what it does
    project: AnyProject = None,
    *,
    text: str = "",
    name: str | None = None,
    state: Texts = None,
    kind: Texts = None,
    user: Texts = None,
    tag: Texts = None,
    since: Moment = None,
    until: Moment = None,
    limit: int | None = None,
) -> builtins.list[StoredExperiment]:
    """Return the experiments of a project that meet all conditions, the newest first.

    What records and summaries say is kept in an index in the machine's cache directory, so that
    the next call reads only what has changed. An experiment whose record cannot be read is listed,
    too, with the state ``DAMAGED``.

    Args:
        project: The project.
        text: Part of the name, identifier or description, in any case.
        name: The whole name.
        state: A state, or several: ``"RUNNING"``, ``"FINISHED"``, ``"FAILED"``, ``"KILLED"``,
            ``"LOST"``, ``"DAMAGED"``, ``"UNKNOWN"``.
        kind: A verb, or several, such as ``"grid_search"``.
        user: A login name, or several.
        tag: A tag that each must have, or several.
        since: Earliest start: a time; a date or time in ISO 8601; an age such as ``"7d"``.
        until: Latest start.
        limit: Most experiments to return.

    Raises:
        InvalidArgumentError: A condition is wrong.
        StorageUnavailableError: Storage refuses the listing, or did not answer in time.
    """
    query = ExperimentQuery(
        text=text,
        name=name,
        states=[_state(each) for each in _texts(state)],
        kinds=_texts(kind),
        users=_texts(user),
        tags=_texts(tag),
        since=_moment(since, "since"),
        until=_moment(until, "until"),
        limit=limit,
    )
    where = _project(project)
    with ExperimentIndex(where) as index:
        index.refresh()
        found = index.experiments(query).experiments
    return [StoredExperiment(where, entry.id, entry) for entry in found]


def get(experiment: str = "last", project: AnyProject = None) -> StoredExperiment:
    """Return an experiment.

    Args:
        experiment: The experiment.
        project: The project.

    Raises:
        NotFoundError: The text matches no experiment, or several.
    """
    return find_stored(_project(project), experiment)


def best(
    *experiments: str | StoredExperiment, name: str | None = None, project: AnyProject = None
) -> StoredTrial | None:
    """Return the best trial of experiments that optimize the same metric in the same direction.

    Args:
        *experiments: The experiments; none for the last.
        name: Instead: all experiments of this name.
        project: The project.

    Returns:
        The trial, with its experiment; None if no trial has a metric.

    Raises:
        NotFoundError: A text matches no experiment, or several.
        InvalidArgumentError: The experiments have different aims, or both ``experiments`` and
            ``name`` are given.
    """
    if name is not None:
        if experiments:
            raise InvalidArgumentError("name", name, "must stand alone, without experiments")
        return best_of("name", list(project, name=name))
    return best_of("experiments", _all(experiments or ("last",), project))


def to_pandas(*experiments: str | StoredExperiment, project: AnyProject = None) -> pd.DataFrame:
    """Return the trials of experiments as one table, with a row per trial.

    The columns are ``experiment``, ``number``, ``params.<name>``, ``outputs.<name>``, ``metric``,
    ``state``, ``seconds``, ``directory`` and ``error``; where some trials have a budget or were
    stopped early, also ``budget`` and ``why_stopped``.

    Args:
        *experiments: The experiments; none for a table of the project's experiments instead, with
            a row per experiment.
        project: The project.

    Raises:
        NotFoundError: A text matches no experiment, or several.
        ImportError: pandas is not installed.
    """
    import pandas as pd

    if not experiments:
        return _experiments_table(list(project))
    rows = [
        trial_row(trial, each.id) for each in _all(experiments, project) for trial in each.trials
    ]
    return pd.DataFrame(rows, columns=columns_of(rows))


def compare(
    *things: str | StoredExperiment | StoredTrial, project: AnyProject = None
) -> Comparison:
    """Return experiments or trials side by side: what was asked for, and what came of it.

    Args:
        *things: Experiments, and trials as ``"EXPERIMENT/NUMBER"``; at least two.
        project: The project.

    Raises:
        NotFoundError: A text matches none, or several.
        InvalidArgumentError: There are fewer than two.
    """
    if len(things) < 2:
        raise InvalidArgumentError("things", things, "must be at least two")
    found = [
        find_thing(_project(project), thing) if isinstance(thing, str) else thing
        for thing in things
    ]
    return compared([each.id for each in found], [_facts(each) for each in found])


def _facts(thing: StoredExperiment | StoredTrial) -> dict[str, object]:
    if isinstance(thing, StoredTrial):
        return trial_facts(thing.trial)
    return experiment_facts(thing.record, thing.state.value, thing.best)


def _all(
    experiments: Sequence[str | StoredExperiment], project: AnyProject
) -> builtins.list[StoredExperiment]:
    return [
        each if isinstance(each, StoredExperiment) else get(each, project) for each in experiments
    ]


def _experiments_table(found: Sequence[StoredExperiment]) -> pd.DataFrame:
    import pandas as pd

    columns = (
        *("id", "name", "state", "function", "metric", "direction", "optimization_key"),
        *("trials_total", "trials_succeeded", "trials_failed", "trials_stopped"),
        *("user", "start", "end", "duration", "tags", "description", "problem"),
    )
    own = ("id", "name", "state", "problem")
    rows = []
    for each in found:
        told = {name: getattr(each.record, name, None) for name in columns if name not in own}
        row = {"id": each.id, "name": each.name, "state": each.state.value, **told}
        row["problem"] = each.problem if each.record is None else None
        rows.append({k: unicode_text(v) if isinstance(v, str) else v for k, v in row.items()})
    return pd.DataFrame(rows, columns=builtins.list(columns))


def web_app(
    project: AnyProject = None,
    *,
    hosts: Collection[str] = LOOPBACK_HOSTS,
    access_token: str = "",
    writable: bool = True,
) -> Starlette:
    """Return the pages of ``hopsml ui`` as an ASGI application.

    Any ASGI server runs it, and any Starlette or FastAPI application mounts it.

    Args:
        project: The project.
        hosts: Host names that browsers call the server by; "*" for any, which gives up the
            protection from DNS rebinding.
        access_token: Token that each request needs; "" if none is needed.
        writable: Whether pages offer to delete and describe experiments.

    Example:
        >>> from starlette.applications import Starlette
        >>> from starlette.routing import Mount
        >>> pages = web_app("memory://app-example")
        >>> app = Starlette(routes=[Mount("/experiments", pages)])
    """
    from hopsml_flows.service.web import experiments_app  # its libraries are for pages alone

    return experiments_app(
        _project(project), hosts=hosts, access_token=access_token, writable=writable
    )


def _project(project: AnyProject) -> Project:
    if isinstance(project, Project):
        return project
    if block_name(project) is None:
        return Project(project)
    # Imports Prefect, and asks its server.
    from hopsml_flows.server.project_block import saved_project

    return saved_project(project if isinstance(project, str) else None)


def _texts(value: Texts) -> Sequence[str]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _state(text: str) -> ExperimentState:
    try:
        return ExperimentState(text.upper())
    except (ValueError, AttributeError) as error:
        allowed = ", ".join(ExperimentState)
        raise InvalidArgumentError("state", text, f"must be one of {allowed}") from error


def _moment(value: Moment, argument: str) -> float | None:
    if value is None or isinstance(value, datetime):
        return None if value is None else value.timestamp()
    return parse_time(value, argument, datetime.now(UTC))
