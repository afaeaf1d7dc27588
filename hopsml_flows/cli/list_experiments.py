"""``hopsml list``: the experiments of a project, the newest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.cli.tables import Column, print_table
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service import (
    ExperimentEntry,
    ExperimentIndex,
    ExperimentQuery,
    ExperimentState,
    parse_time,
)
from hopsml_flows.text import number_text, plural, readable, say

__all__ = ["entry_json", "list_experiments"]


def list_experiments(
    text: Annotated[str, Parameter(name="TEXT")] = "",
    /,
    *,
    name: str | None = None,
    state: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    kind: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    user: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    tag: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    since: str | None = None,
    until: str | None = None,
    sort: str = "start",
    reverse: Annotated[bool, Parameter(name=["--reverse", "-r"], negative="")] = False,
    limit: Annotated[int, Parameter(name=["--limit", "-n"])] = 20,
    every: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """List the experiments of a project, the newest first.

    Args:
        text: Part of the name, identifier or description.
        name: The whole name.
        state: RUNNING, FINISHED, FAILED, KILLED, LOST, DAMAGED or UNKNOWN; may be given several
            times.
        kind: A verb, such as grid_search; may be given several times.
        user: A login name; may be given several times.
        tag: A tag that each must have; may be given several times.
        since: Earliest start: a date, a time, or an age such as 7d or 12h.
        until: Latest start.
        sort: What to sort by: start, end, name, id, state, kind, metric, duration, user, trials,
            failed or stopped. Names and texts begin with A, numbers and times with the largest.
        reverse: Sort the other way round.
        limit: Most experiments to show.
        every: Show all.
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    now = datetime.now(UTC)
    if limit < 0:
        raise InvalidArgumentError("--limit", limit, "must be at least 0")
    try:
        query = ExperimentQuery(
            text=text,
            name=name,
            states=[_state(each) for each in state],
            kinds=kind,
            users=user,
            tags=tag,
            since=None if since is None else parse_time(since, "--since", now),
            until=None if until is None else parse_time(until, "--until", now),
            sort=sort,
            descending=(sort not in _TEXTS) is not reverse,
            limit=None if every else limit,
        )
    except InvalidArgumentError as error:
        raise (error.renamed("--sort") if error.argument == "sort" else error) from error
    with ExperimentIndex(open_project(project)) as index:
        index.refresh()
        page = index.experiments(query)
    if json:
        print_json([entry_json(entry) for entry in page.experiments])
        return
    if page.experiments:
        print_table(_columns(page.experiments, now))
    for entry in page.experiments:
        if entry.problem:
            print(readable(f"hopsml: record of {entry.id}: {entry.problem}"), file=sys.stderr)
    if not page.total:
        print("hopsml: no experiment of the project matches", file=sys.stderr)
    elif len(page.experiments) < page.total:
        say(f"{len(page.experiments)} of {plural(page.total, 'experiment')}; --all shows all")


_TEXTS = ("name", "id", "state", "kind", "user")
"""What is sorted from A to Z, unless it is reversed."""


def entry_json(entry: ExperimentEntry) -> dict[str, Any]:
    """Return an experiment as ``--json`` prints it: its record, with the state that a list shows.

    Args:
        entry: The experiment.
    """
    told = {} if entry.record is None else asdict(entry.record)
    return {
        **told,
        "id": entry.id,
        "name": entry.name,
        "state": entry.state.value,
        "trials_told": entry.told,
        "problem": entry.problem,
        "summary_problem": entry.summary_problem,
    }


def _columns(entries: Sequence[ExperimentEntry], now: datetime) -> list[Column]:
    records = [entry.record for entry in entries]

    def cells(fact: str) -> list[str]:
        found = [getattr(record, fact, None) for record in records]
        return [number_text(v) if isinstance(v, float) else str(v or "") for v in found]

    columns = [
        Column("id", [entry.id for entry in entries], 0, whole=True),
        Column("state", [entry.state.value for entry in entries], 0, whole=True),
        Column("metric", cells("metric"), 1, right=True),
        Column("trials", [_trials(entry) for entry in entries], 2, right=True),
    ]
    columns += [
        Column(fact, counts, 3, right=True)
        for fact in ("failed", "stopped")
        if any(counts := cells(f"trials_{fact}"))
    ]
    columns += [
        Column("started", [_when(entry.started, now) for entry in entries], 4),
        Column("took", [_took(entry, now) for entry in entries], 5, right=True),
        Column("kind", cells("function"), 6),
        Column("user", cells("user"), 7),
    ]
    if any(record and record.tags for record in records):
        columns.append(Column("tags", [", ".join(r.tags) if r else "" for r in records], 8))
    return columns


def _trials(entry: ExperimentEntry) -> str:
    if entry.record is None:
        return str(entry.told or "")
    total = entry.record.trials_total
    return f"{entry.trials_done}/{'?' if total is None else total}"


def _when(seconds: float, now: datetime) -> str:
    if not seconds:
        return ""
    try:
        time = datetime.fromtimestamp(seconds, UTC).astimezone()
    except (OverflowError, ValueError, OSError):  # a year that this machine does not know
        return ""
    today = time.date() == now.astimezone().date()
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d")


def _took(entry: ExperimentEntry, now: datetime) -> str:
    seconds = None if entry.record is None else entry.record.duration
    if entry.state is ExperimentState.RUNNING:
        seconds = now.timestamp() - entry.started
    try:
        return "" if seconds is None else str(timedelta(seconds=max(0, round(seconds))))
    except OverflowError:
        return ""


def _state(text: str) -> ExperimentState:
    try:
        return ExperimentState(text.upper())
    except ValueError as error:
        allowed = ", ".join(ExperimentState)
        raise InvalidArgumentError("--state", text, f"must be one of {allowed}") from error
