"""The list of experiments: what is asked for, and what its rows show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.service.index import (
    EXPERIMENT_COLUMNS,
    LONGEST_TEXT,
    MOST_CONDITIONS,
    ExperimentEntry,
    ExperimentQuery,
    ExperimentState,
    Series,
    parse_time,
)
from hopsml_flows.service.web.views.paging import Pages, SortLink, sort_link
from hopsml_flows.service.web.views.parameters import Parameters
from hopsml_flows.service.web.views.sparkline import Sparkline, sparkline
from hopsml_flows.service.web.views.words import age, clock_time, iso_time, took

__all__ = ["ROWS", "ExperimentRow", "ListView", "asked_experiments", "experiment_row", "list_view"]

ROWS = 25
"""Experiments per page."""

_HEADINGS = (
    ("name", "Name", ""),
    ("kind", "Kind", ""),
    ("state", "State", ""),
    ("metric", "Metric", "number"),
    ("trials", "Trials", ""),
    ("user", "User", ""),
    ("start", "Started", ""),
    ("duration", "Duration", "number"),
)
_DESCENDING_FIRST = frozenset({"metric", "trials", "start", "duration"})


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """An experiment as a row shows it.

    Args:
        entry: The experiment.
        count: Number of runs of its name, if runs are folded; otherwise 1.
        best: The best run of its name, if runs are folded; None otherwise.
        now: The present time, in seconds since 1970.
        spark: The best so far over the runs of its name, if runs are folded; None otherwise.
    """

    entry: ExperimentEntry
    now: float
    count: int = 1
    best: ExperimentEntry | None = None
    spark: Sparkline | None = None

    @property
    def kind(self) -> str:
        """The verb, in words."""
        return self.entry.record.function.replace("_", " ") if self.entry.record else ""

    @property
    def description(self) -> str:
        """The user's description, what is wrong with the record, or ""."""
        record = self.entry.record
        if record is None:
            return f"The record {self.entry.problem}." if self.entry.problem else "No record yet."
        return record.description or ""

    @property
    def metric(self) -> float | None:
        """The best metric."""
        return self.entry.record.metric if self.entry.record else None

    @property
    def metric_name(self) -> str:
        """What the metric is called."""
        record = self.entry.record
        return (record.optimization_key or "metric") if record and record.direction else "metric"

    @property
    def total(self) -> int | None:
        """Number of trials there will be."""
        return self.entry.record.trials_total if self.entry.record else None

    @property
    def failed(self) -> int:
        """Number of trials that failed."""
        return self.entry.record.trials_failed if self.entry.record else 0

    @property
    def stopped(self) -> int:
        """Number of trials that were stopped early."""
        return self.entry.record.trials_stopped if self.entry.record else 0

    @property
    def done(self) -> int:
        """Number of trials that have a result, and were not stopped early."""
        return self.entry.trials_done - self.failed - self.stopped

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.entry.state is ExperimentState.RUNNING

    @property
    def started(self) -> str:
        """When it started, in words."""
        return age(self.entry.started, self.now)

    @property
    def started_at(self) -> str:
        """When it started, as a clock of this machine shows it."""
        return clock_time(self.entry.started)

    @property
    def started_iso(self) -> str:
        """When it started, as machines read it."""
        return iso_time(self.entry.started)

    @property
    def duration(self) -> str:
        """How long it ran, or has been running."""
        record = self.entry.record
        if record is not None and record.duration is not None:
            return took(record.duration)
        return took(max(0.0, self.now - self.entry.started)) if self.running else took(None)


@dataclass(frozen=True, slots=True)
class ListView:
    """The list of experiments.

    Args:
        rows: The rows of the page.
        pages: Which page it is.
        parameters: The page's address.
        headings: Column, title, class and link of each heading.
        choices: What the filters offer.
        problem: What is wrong with a filter that the user typed, or "".
        folded: Whether runs of one name are one row.
    """

    rows: Sequence[ExperimentRow]
    pages: Pages
    parameters: Parameters
    headings: Sequence[tuple[str, str, str, SortLink]]
    choices: Mapping[str, Sequence[str]]
    problem: str
    folded: bool

    @property
    def filtered(self) -> bool:
        """Whether a filter is set."""
        names = ("q", "name", "state", "kind", "user", "tag", "since", "until")
        return any(self.parameters.one(name) for name in names)

    @property
    def states(self) -> list[str]:
        """The states that can be filtered by."""
        return [state.value for state in ExperimentState]

    @property
    def fold_address(self) -> str:
        """Address of the list folded by name, or unfolded."""
        return self.parameters.changed(fold=None if self.folded else 1, page=None)


def asked_experiments(parameters: Parameters, now: float) -> tuple[ExperimentQuery, str]:
    """Return the query that an address means, and what is wrong with the address, or "".

    A part of an address that means nothing is left out.

    Args:
        parameters: The address.
        now: The present time, in seconds since 1970.
    """
    problems: list[str] = []
    moment = datetime.fromtimestamp(now, UTC)

    def time(name: str, *, whole_day: bool = False) -> float | None:
        text = parameters.one(name)
        if not text:
            return None
        try:
            seconds = parse_time(text, name, moment)
        except InvalidArgumentError as error:
            problems.append(str(error))
            return None
        # A date as an end means its last second.
        day = timedelta(days=1).total_seconds() - 0.001
        return seconds + day if whole_day and len(text.strip()) == 10 else seconds

    sort = parameters.one("sort", "start")
    known = {state.value for state in ExperimentState}
    page = parameters.number("page", 1)
    query = ExperimentQuery(
        text=parameters.one("q")[:LONGEST_TEXT],
        name=parameters.one("name") or None,
        states=[ExperimentState(text) for text in parameters.all("state") if text in known],
        kinds=parameters.all("kind"),
        users=parameters.all("user"),
        tags=parameters.all("tag")[:MOST_CONDITIONS],
        since=time("since"),
        until=time("until", whole_day=True),
        sort=sort if sort in EXPERIMENT_COLUMNS else "start",
        descending=parameters.one("order", "desc") != "asc",
        offset=(page - 1) * ROWS,
        limit=ROWS,
    )
    return query, "; ".join(problems)


def experiment_row(entry: ExperimentEntry, now: float) -> ExperimentRow:
    """Return the row of an experiment.

    Args:
        entry: The experiment.
        now: The present time, in seconds since 1970.
    """
    return ExperimentRow(entry, now)


def list_view(
    found: Sequence[ExperimentEntry] | Sequence[Series],
    total: int,
    query: ExperimentQuery,
    parameters: Parameters,
    choices: Mapping[str, Sequence[str]],
    *,
    problem: str = "",
    now: float,
) -> ListView:
    """Return what the list shows.

    Args:
        found: The experiments of the page, or series of them.
        total: Number of all that match.
        query: What was asked for.
        parameters: The page's address.
        choices: What the filters offer.
        problem: What is wrong with the address, or "".
        now: The present time, in seconds since 1970.
    """
    return ListView(
        rows=list(_rows(found, now)),
        pages=Pages(query.offset // ROWS + 1, ROWS, total, parameters),
        parameters=parameters,
        headings=list(_headings(query, parameters)),
        choices=choices,
        problem=problem,
        folded=bool(parameters.one("fold")),
    )


def _rows(found: Sequence[Any], now: float) -> Iterator[ExperimentRow]:
    for each in found:
        if isinstance(each, Series):
            yield ExperimentRow(each.latest, now, each.count, each.best, _spark(each))
        else:
            yield ExperimentRow(each, now)


def _spark(series: Series) -> Sparkline | None:
    told = None if series.latest.record is None else series.latest.record.direction
    return sparkline(series.metrics, Direction(told)) if told in set(Direction) else None


def _headings(
    query: ExperimentQuery, parameters: Parameters
) -> Iterator[tuple[str, str, str, SortLink]]:
    for column, title, kind in _HEADINGS:
        first = "desc" if column in _DESCENDING_FIRST else "asc"
        link = sort_link(parameters, column, query.sort, descending=query.descending, first=first)
        yield column, title, kind, link
