"""``hopsml trials``: the trials of an experiment that have ended, sorted and filtered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.cli.tables import Column, print_table
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service import (
    ExperimentEntry,
    ExperimentIndex,
    TrialQuery,
    find_experiment,
    parse_condition,
    trial_json,
)
from hopsml_flows.text import number_text, one_line, plural, readable, say, value_text
from hopsml_flows.trials import LOG, TrialResult

__all__ = ["print_problem", "trials"]


def trials(
    experiment: Annotated[str, EXPERIMENT],
    /,
    *,
    where: Annotated[
        tuple[str, ...], Parameter(name=["--where", "-w"], negative="", show_default=False)
    ] = (),
    text: str = "",
    sort: Annotated[str | None, Parameter(name=["--sort", "-s"])] = None,
    reverse: Annotated[bool, Parameter(name=["--reverse", "-r"], negative="")] = False,
    limit: Annotated[int, Parameter(name=["--limit", "-n"])] = 20,
    every: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """List the trials of an experiment that have ended, the best first.

    Args:
        experiment: The experiment: its identifier, the beginning of it, "last", or "NAME@-1".
        where: A condition such as "x>0.1", "optimizer=adam", "state=FAILED" or "error~memory"; may
            be given several times. A column is a hyperparameter, an output, or one of number, name,
            state, metric, seconds, started, ended, generation, budget, attempt and error;
            params.NAME and outputs.NAME name one that is hidden by another.
        text: Part of a trial's name, of a value, or of its error.
        sort: Column to sort by, the smallest first; default: the best first.
        reverse: Sort the other way round.
        limit: Most trials to show.
        every: Show all.
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if limit < 0:
        raise InvalidArgumentError("--limit", limit, "must be at least 0")
    if reverse and sort is None:
        raise InvalidArgumentError("--reverse", reverse, "must come with --sort")
    query = TrialQuery(
        conditions=[parse_condition(each, "--where") for each in where],
        text=text,
        sort=sort,
        descending=reverse,
        limit=None if every else limit,
    )
    place = open_project(project)
    paths = find_experiment(place, experiment)
    with ExperimentIndex(place) as index:
        index.refresh(only=[paths.id])
        entry = index.experiment(paths.id) or ExperimentEntry(paths.id, None)
        try:
            page = index.trials(paths.id, query)
        except InvalidArgumentError as error:
            option = "--sort" if error.argument == "sort" else "--where"
            raise error.renamed(option) from error
    print_problem(entry)
    if json:
        print_json([trial_json(trial) for trial in page.trials])
        return
    if page.trials:
        print_table(_columns(entry, page.trials, sort))
    if not page.total:
        what = "matches" if query.conditions or text else "has ended"
        print(f"hopsml: no trial of {paths.id} {what}", file=sys.stderr)
    elif len(page.trials) < page.total:
        say(f"{len(page.trials)} of {plural(page.total, 'trial')}; --all shows all")


def print_problem(entry: ExperimentEntry) -> None:
    """Say on standard error what is wrong with an experiment's record or summary.

    Args:
        entry: The experiment.
    """
    for what, problem in (("record", entry.problem), ("summary", entry.summary_problem)):
        if problem:
            print(readable(f"hopsml: {what} of {entry.id}: {problem}"), file=sys.stderr)
    if entry.unread:
        entries = plural(entry.unread, "entry").replace("entrys", "entries")
        print(f"hopsml: summary of {entry.id}: {entries} cannot be read", file=sys.stderr)


def _columns(entry: ExperimentEntry, rows: Sequence[TrialResult], sort: str | None) -> list[Column]:
    sorted_by = None if sort is None else entry.column(sort)
    key = None if entry.record is None else entry.record.optimization_key

    def column(head: str, get: Callable[[TrialResult], Any], rank: int, **more: Any) -> Column:
        return Column(head, [_text(get(row)) for row in rows], rank, right=True, **more)

    def named(group: str, name: str) -> Callable[[TrialResult], Any]:
        return lambda row: getattr(row, group).get(name)

    columns = [column("#", lambda row: row.number, 0, whole=True)]
    for each in entry.columns:
        if each.name == LOG or (each.group == "outputs" and each.name in (key, "metric")):
            continue
        ranks = (3, 5) if each.group == "params" else (4, 6)
        rank = 2 if each is sorted_by else ranks[each.alike]
        columns.append(column(each.name, named(each.group, each.name), rank))
    if any(row.budget is not None for row in rows):
        columns.append(column("budget", lambda row: row.budget, 3))
    if any(row.metric is not None for row in rows):
        columns.append(column(key or "metric", lambda row: row.metric, 1))
    columns.append(column("seconds", lambda row: row.duration, 2 if sort == "seconds" else 4))
    columns.append(Column("state", [_state(row) for row in rows], 0, most=60))
    return columns


def _state(row: TrialResult) -> str:
    why = row.failure or row.why_stopped
    return one_line(f"{row.state.value} {why}" if why else row.state.value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return number_text(value) if isinstance(value, float) else value_text(value, 40)
