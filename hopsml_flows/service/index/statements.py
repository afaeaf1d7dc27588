"""SQL for the questions that are asked of the index. Pure.

Values of users reach SQL as parameters only; names of columns come from the lists here, and
hyperparameters and outputs are addressed by their places.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.service.index.entries import Column, ExperimentEntry
from hopsml_flows.service.index.queries import (
    TRIAL_COLUMNS,
    Condition,
    ExperimentQuery,
    TrialQuery,
)
from hopsml_flows.text import unicode_text

__all__ = [
    "KEY",
    "cell_expression",
    "cell_place",
    "experiments_where",
    "order_of_experiments",
    "trials_order",
    "trials_where",
]

KEY = "(SELECT key FROM experiments WHERE id = ?)"
"""The number of an experiment in the index."""

Clause = tuple[str, list[Any]]
"""A piece of SQL and its parameters."""

_STATE = "CASE WHEN id IN (SELECT value FROM json_each(?)) THEN 'LOST' ELSE state END"


def experiments_where(query: ExperimentQuery, lost: Collection[str]) -> Clause:
    """Return the conditions of a query for experiments.

    Args:
        query: The query.
        lost: Identifiers of running experiments whose drivers are gone.
    """
    parts: list[str] = ["1"]
    values: list[Any] = []
    if query.text:
        parts.append(f"({' OR '.join(_contains(c) for c in ('name', 'id', 'description'))})")
        values += [_pattern(query.text)] * 3
    if query.name is not None:
        parts.append("name = ?")
        values.append(unicode_text(query.name))
    if query.states:
        parts.append(f"{_STATE} IN (SELECT value FROM json_each(?))")
        values += [_array(lost), _array(state.value for state in query.states)]
    for column, wanted in (("kind", query.kinds), ("user", query.users)):
        if wanted:
            parts.append(f"{column} IN (SELECT value FROM json_each(?))")
            values.append(_array(wanted))
    for tag in query.tags:
        parts.append("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)")
        values.append(unicode_text(tag))
    for comparison, limit in (("start >= ?", query.since), ("start <= ?", query.until)):
        if limit is not None:
            parts.append(comparison)
            values.append(limit)
    return " AND ".join(parts), values


def order_of_experiments(query: ExperimentQuery, lost: Collection[str]) -> Clause:
    """Return the order of a query for experiments.

    Args:
        query: The query.
        lost: Identifiers of running experiments whose drivers are gone.
    """
    way = "DESC" if query.descending else "ASC"
    column, values = f'"{query.sort}"', []
    if query.sort == "state":
        column, values = _STATE, [_array(lost)]
    return f"{column} {way} NULLS LAST, start {way}, id {way}", values


def trials_where(entry: ExperimentEntry, query: TrialQuery) -> Clause:
    """Return the conditions of a query for trials.

    Args:
        entry: The trials' experiment.
        query: The query.

    Raises:
        InvalidArgumentError: The experiment's trials have no such column.
    """
    parts: list[str] = [f"experiment = {KEY}"]
    values: list[Any] = [entry.id]
    if query.text:
        parts.append(f"({' OR '.join(_contains(c) for c in ('name', 'cells', 'error'))})")
        # In JSON a text is escaped.
        escaped = json.dumps(unicode_text(query.text))[1:-1]
        values += [_pattern(query.text), _pattern(escaped), _pattern(query.text)]
    for condition in query.conditions:
        part, more = _condition(entry, condition)
        parts.append(part)
        values += more
    return " AND ".join(parts), values


def trials_order(entry: ExperimentEntry, query: TrialQuery) -> Clause:
    """Return the order of a query for trials.

    Args:
        entry: The trials' experiment.
        query: The query.

    Raises:
        InvalidArgumentError: The experiment's trials have no such column.
    """
    if query.sort is not None:
        expression, values = cell_expression(entry, query.sort, "sort")
        way = "DESC" if query.descending else "ASC"
        kind = f"CASE typeof({expression}) WHEN 'null' THEN 2 WHEN 'text' THEN 1 ELSE 0 END"
        return f"{kind}, {expression} {way}, place", [*values, *values]
    direction = None if entry.record is None else entry.record.direction
    if direction not in {each.value for each in Direction}:
        return "place", []
    way = "DESC" if direction == Direction.MAX.value else "ASC"
    return f"state NOT IN ('FINISHED', 'STOPPED'), metric {way} NULLS LAST, place", []


def cell_expression(entry: ExperimentEntry, column: str, argument: str) -> Clause:
    """Return the SQL for a column of trials.

    Args:
        entry: The trials' experiment.
        column: One of ``TRIAL_COLUMNS``, or a hyperparameter or output.
        argument: What the user calls the column, for the error.

    Raises:
        InvalidArgumentError: The experiment's trials have no such column.
    """
    place = cell_place(entry, column, argument)
    return (f'"{column}"', []) if place is None else ("json_extract(cells, ?)", [f"$[{place}]"])


def cell_place(entry: ExperimentEntry, column: str, argument: str) -> int | None:
    """Return the place of a hyperparameter or output in a trial's cells; None of other columns.

    Args:
        entry: The trials' experiment.
        column: One of ``TRIAL_COLUMNS``, or a hyperparameter or output.
        argument: What the user calls the column, for the error.

    Raises:
        InvalidArgumentError: The experiment's trials have no such column.
    """
    if column in TRIAL_COLUMNS:
        return None
    found = entry.column(column)
    if found is None:
        names = ", ".join((*TRIAL_COLUMNS, *(_short(entry, each) for each in entry.columns)))
        raise InvalidArgumentError(argument, column, f"must be one of {names}")
    return entry.columns.index(found)


def _short(entry: ExperimentEntry, column: Column) -> str:
    """The shortest name that means a column."""
    bare = column.name not in TRIAL_COLUMNS and entry.column(column.name) is column
    return column.name if bare else column.path


def _condition(entry: ExperimentEntry, condition: Condition) -> Clause:
    expression, values = cell_expression(entry, condition.column, "condition")
    value, operator = condition.value, condition.operator
    if operator in ("~", "!~"):
        negation = "NOT " if operator == "!~" else ""
        return f"{negation}ifnull({_contains(expression)}, 0)", [*values, _pattern(str(value))]
    if isinstance(value, str):
        value = unicode_text(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        value = float(min(max(value, -(10**300)), 10**300))
    if operator in ("=", "!="):
        return f"{expression} {'IS' if operator == '=' else 'IS NOT'} ?", [*values, value]
    # SQLite orders texts after all numbers; a comparison with a number means numbers.
    kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
    # The comparison comes first: few values are left of which the kind is asked.
    part = f"({expression} {operator} ? AND typeof({expression}) IN {kinds})"
    return part, [*values, value, *values]


def _contains(expression: str) -> str:
    return f"{expression} LIKE ? ESCAPE '\\'"


def _pattern(text: str) -> str:
    escaped = unicode_text(text)
    for character in ("\\", "%", "_"):
        escaped = escaped.replace(character, f"\\{character}")
    return f"%{escaped}%"


def _array(values: Any) -> str:
    texts: Sequence[str] = [unicode_text(value) for value in values]
    return json.dumps(texts)
