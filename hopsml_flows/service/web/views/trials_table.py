"""The table of an experiment's trials: what is asked for, its columns and its cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service.index import (
    LONGEST_TEXT,
    MOST_CONDITIONS,
    TRIAL_COLUMNS,
    Column,
    Condition,
    ExperimentEntry,
    TrialQuery,
    parse_condition,
)
from hopsml_flows.service.web.views.paging import Pages, SortLink, sort_link
from hopsml_flows.service.web.views.parameters import Parameters
from hopsml_flows.service.web.views.words import cell_text, long_text, took
from hopsml_flows.trials import State, TrialResult
from hopsml_flows.trials.outputs import LOG
from hopsml_flows.values.arguments import is_number

__all__ = [
    "TRIAL_ROWS",
    "TableColumn",
    "TrialCell",
    "TrialRow",
    "TrialsTable",
    "asked_trials",
    "shown_columns",
    "trial_cells",
    "trials_table",
]

TRIAL_ROWS = 50
"""Trials per page."""

_MOST = 30
"""Most columns of hyperparameters, and of outputs, in a page; files have all."""

_AND = re.compile(r"\s+and\s+|\s*;\s*", re.IGNORECASE)
_COMPARED = re.compile(r"[=<>~]")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of hyperparameters or outputs.

    Args:
        column: The index's column.
        link: What its heading does.
        optimized: Whether its values are the metric that is optimized.
    """

    column: Column
    link: SortLink
    optimized: bool = False


@dataclass(frozen=True, slots=True)
class TrialCell:
    """A cell.

    Args:
        text: What it shows.
        whole: The whole value, if the cell shows a part of it; otherwise "".
        numeric: Whether it is a number.
    """

    text: str
    whole: str = ""
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial as a row shows it.

    Args:
        trial: The trial.
        params: Cells of hyperparameters.
        outputs: Cells of outputs.
        best: Whether it is the best trial.
    """

    trial: TrialResult
    params: Sequence[TrialCell]
    outputs: Sequence[TrialCell]
    best: bool = False

    @property
    def duration(self) -> str:
        """How long it ran."""
        return took(self.trial.duration if self.trial.ended else None)

    @property
    def note(self) -> str:
        """Why it failed or was stopped, on one line; "" if neither."""
        why = self.trial.failure or self.trial.why_stopped
        return cell_text(str(why)) if why else ""


@dataclass(frozen=True, slots=True)
class TrialsTable:
    """The table.

    Args:
        params: Columns of hyperparameters.
        outputs: Columns of outputs.
        rows: The page's rows.
        pages: Which page it is.
        headings: Links of the columns that all trials have: number, state, metric, seconds.
        parameters: The page's address.
        problem: What is wrong with the filter that the user typed, or "".
        left_out: Number of columns that the page does not show.
        metric: Name of the metric's own column, "" if an output shows the metric.
        generations: Whether trials have generations.
        budgets: Whether trials have budgets.
        optimized: Whether there is a best trial.
    """

    params: Sequence[TableColumn]
    outputs: Sequence[TableColumn]
    rows: Sequence[TrialRow]
    pages: Pages
    headings: dict[str, SortLink]
    parameters: Parameters
    problem: str = ""
    left_out: int = 0
    metric: str = ""
    generations: bool = False
    budgets: bool = False
    optimized: bool = field(default=False)

    @property
    def filtered(self) -> bool:
        """Whether a filter is set."""
        return bool(self.parameters.one("where") or self.parameters.one("state"))

    @property
    def states(self) -> list[str]:
        """The states that can be filtered by."""
        return [State.FINISHED.value, State.STOPPED.value, State.FAILED.value]


def asked_trials(
    parameters: Parameters, *, rows: int | None = TRIAL_ROWS
) -> tuple[TrialQuery, str]:
    """Return the query that an address means, and what is wrong with the address, or "".

    A filter has conditions between "and" or semicolons; a part without a comparison is a text to
    search for.

    Args:
        parameters: The address.
        rows: Trials per page; None for all.

    Example:
        >>> query, problem = asked_trials(Parameters((("where", "lr>0.1 and adam"),)))
        >>> query.text, query.conditions[0].column, problem
        ('adam', 'lr', '')
    """
    problem = ""
    texts: list[str] = []
    conditions: list[Condition] = []
    for part in _AND.split(parameters.one("where").strip()):
        if not _COMPARED.search(part):
            texts.append(part)
            continue
        try:
            conditions.append(parse_condition(part, "filter"))
        except InvalidArgumentError as error:
            problem = str(error)
    if (state := parameters.one("state")) in set(State):
        conditions.append(Condition("state", "=", state))
    text = " ".join(text for text in texts if text)
    if len(conditions) > MOST_CONDITIONS or len(text) > LONGEST_TEXT:
        problem = f"the filter is too long: at most {MOST_CONDITIONS} conditions"
        conditions, text = [], ""
    page = parameters.number("page", 1)
    query = TrialQuery(
        conditions=conditions,
        text=text,
        sort=parameters.one("sort") or None,
        descending=parameters.one("order") == "desc",
        offset=0 if rows is None else (page - 1) * rows,
        limit=rows,
    )
    return query, problem


def shown_columns(entry: ExperimentEntry) -> tuple[list[Column], list[Column]]:
    """Return an experiment's columns of hyperparameters and of outputs, without the log's.

    Args:
        entry: The experiment.
    """
    params = [column for column in entry.columns if column.group == "params"]
    outputs = [column for column in entry.columns if column.group == "outputs"]
    own = [column for column in outputs if column.name != LOG or column.numeric]
    key = entry.record.optimization_key if entry.record else None
    # The metric first: it is what the user looks for.
    own.sort(key=lambda column: column.name != key)
    return params, own


def trials_table(
    entry: ExperimentEntry,
    trials: Sequence[TrialResult],
    total: int,
    query: TrialQuery,
    parameters: Parameters,
    problem: str = "",
) -> TrialsTable:
    """Return the table of trials.

    Args:
        entry: The experiment.
        trials: The trials of the page.
        total: Number of trials that match.
        query: What was asked for.
        parameters: The page's address.
        problem: What is wrong with the address, or "".
    """
    record = entry.record
    direction = record.direction if record else None
    key = (record.optimization_key if record else None) or "metric"
    params, outputs = shown_columns(entry)
    best = record.best_trial if record else None
    sort, descending = _order(query, direction)

    def linked(columns: Sequence[Column]) -> list[TableColumn]:
        return [
            TableColumn(
                column,
                sort_link(
                    parameters,
                    column.path,
                    sort if sort != "metric" else f"outputs.{key}",
                    descending=descending,
                    first=_first(column, key, direction),
                ),
                column.path == f"outputs.{key}",
            )
            for column in columns[:_MOST]
        ]

    has_metric = direction is not None and not any(
        column.name == key and column.numeric for column in outputs[:_MOST]
    )
    rows = [
        TrialRow(
            trial,
            trial_cells(trial.params, params[:_MOST]),
            trial_cells(trial.outputs, outputs[:_MOST]),
            best is not None and trial.name == best,
        )
        for trial in trials
    ]
    return TrialsTable(
        params=linked(params),
        outputs=linked(outputs),
        rows=rows,
        pages=Pages(query.offset // TRIAL_ROWS + 1, TRIAL_ROWS, total, parameters),
        headings={
            name: sort_link(parameters, name, sort, descending=descending) for name in TRIAL_COLUMNS
        },
        parameters=parameters,
        problem=problem,
        left_out=max(0, len(params) - _MOST) + max(0, len(outputs) - _MOST),
        metric=key if has_metric else "",
        generations=any(trial.generation is not None for trial in trials),
        budgets=any(trial.budget is not None for trial in trials),
        optimized=direction is not None,
    )


def trial_cells(values: Mapping[str, Any], columns: Sequence[Column]) -> list[TrialCell]:
    """Return a trial's cells of some columns.

    Args:
        values: The trial's hyperparameters, or its outputs.
        columns: The columns.
    """
    return [_cell(values, column.name) for column in columns]


def _order(query: TrialQuery, direction: str | None) -> tuple[str, bool]:
    """The column that sorts, and whether its largest comes first."""
    if query.sort is not None:
        return query.sort, query.descending
    return ("number", False) if direction is None else ("metric", direction == "MAX")


def _first(column: Column, key: str, direction: str | None) -> str:
    """The direction of the first click on a heading: the best first, where one is."""
    return "desc" if column.path == f"outputs.{key}" and direction == "MAX" else "asc"


def _cell(values: Mapping[str, Any], name: str) -> TrialCell:
    if name not in values:
        return TrialCell("")
    value = values[name]
    text = cell_text(value)
    whole = "" if is_number(value) or value is None else long_text(value)
    return TrialCell(text, whole if whole != text else "", is_number(value))
