"""What is asked of the index: which experiments or trials, in which order, which page. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service.index.entries import ExperimentState

__all__ = [
    "EXPERIMENT_COLUMNS",
    "LONGEST_TEXT",
    "MOST_CONDITIONS",
    "TRIAL_COLUMNS",
    "Condition",
    "ExperimentQuery",
    "TrialQuery",
    "parse_condition",
    "parse_time",
]

EXPERIMENT_COLUMNS = (
    *("start", "end", "name", "id", "state", "kind", "metric", "duration", "user"),
    *("trials", "failed", "stopped"),
)
"""What experiments can be sorted by."""

TRIAL_COLUMNS = (
    *("number", "name", "state", "metric", "seconds", "started", "ended", "generation", "budget"),
    *("attempt", "error", "worker"),
)
"""What trials can be sorted and filtered by, beside their hyperparameters and outputs."""

LONGEST_TEXT = 500
"""Most characters of a text that is searched for: SQLite's patterns have a limit."""

MOST_CONDITIONS = 50
"""Most conditions of a query: SQLite's expressions have a limit."""

_OPERATORS = ("!=", "<=", ">=", "!~", "=", "<", ">", "~")
_CONDITION = re.compile(r"(?s)(.+?)\s*(==|!=|<=|>=|!~|=|<|>|~)\s*(.*)")
_AGE = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class ExperimentQuery:
    """Which experiments of a project are wanted; all conditions must hold.

    Args:
        text: Part of the name, identifier or description, in any case; "" for all.
        name: The exact name of a series of runs, or None.
        states: States; none for all.
        kinds: Verbs, such as "grid_search"; none for all.
        users: Login names; none for all.
        tags: Tags that each must have.
        since: Earliest start, in seconds since 1970, or None.
        until: Latest start, in seconds since 1970, or None.
        sort: One of ``EXPERIMENT_COLUMNS``.
        descending: Whether the largest comes first. Experiments without a value come last.
        offset: Number of experiments to leave out.
        limit: Most experiments to return; None for all.
    """

    text: str = ""
    name: str | None = None
    states: Sequence[ExperimentState] = ()
    kinds: Sequence[str] = ()
    users: Sequence[str] = ()
    tags: Sequence[str] = ()
    since: float | None = None
    until: float | None = None
    sort: str = "start"
    descending: bool = True
    offset: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.sort not in EXPERIMENT_COLUMNS:
            allowed = ", ".join(EXPERIMENT_COLUMNS)
            raise InvalidArgumentError("sort", self.sort, f"must be one of {allowed}")
        _check_text(self.text)
        _check_page(self.offset, self.limit)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a column of trials.

    Args:
        column: One of ``TRIAL_COLUMNS``, or a hyperparameter or output: ``params.x``,
            ``outputs.y``, or its bare name.
        operator: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``; ``~`` and ``!~`` for texts that
            contain the value, or do not.
        value: A number, a text, a truth value or None.
    """

    column: str
    operator: str
    value: Any

    def __post_init__(self) -> None:
        if self.operator not in _OPERATORS:
            allowed = " ".join(_OPERATORS)
            raise InvalidArgumentError("operator", self.operator, f"must be one of {allowed}")
        if isinstance(self.value, str):
            _check_text(self.value)


@dataclass(frozen=True, slots=True)
class TrialQuery:
    """Which trials of an experiment are wanted; all conditions must hold.

    Args:
        conditions: The conditions.
        text: Part of the trial's name, of a value or of its error, in any case; "" for all.
        sort: A column as in :class:`Condition`; None for the best metric first, or the number
            where nothing is optimized.
        descending: Whether the largest comes first. Trials without a value come last, and texts
            come after numbers.
        offset: Number of trials to leave out.
        limit: Most trials to return; None for all.
    """

    conditions: Sequence[Condition] = ()
    text: str = ""
    sort: str | None = None
    descending: bool = False
    offset: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if len(self.conditions) > MOST_CONDITIONS:
            count = len(self.conditions)
            raise InvalidArgumentError("conditions", count, f"must be at most {MOST_CONDITIONS}")
        _check_text(self.text)
        _check_page(self.offset, self.limit)


def parse_condition(text: str, argument: str = "condition") -> Condition:
    """Return the condition that a user typed.

    Args:
        text: Such as ``x>0.1``, ``params.optimizer=adam`` or ``error~memory``.
        argument: What the user calls it, for the error.

    Raises:
        InvalidArgumentError: It is none.

    Example:
        >>> parse_condition("lr >= 0.1")
        Condition(column='lr', operator='>=', value=0.1)
        >>> parse_condition("optimizer=adam").value
        'adam'
    """
    found = _CONDITION.fullmatch(text.strip())
    if not found:
        raise InvalidArgumentError(argument, text, 'must be like "x>0.1" or "optimizer=adam"')
    operator = "=" if found[2] == "==" else found[2]
    value = found[3] if operator in ("~", "!~") else _value(found[3])
    return Condition(found[1].strip(), operator, value)


def parse_time(text: str, argument: str, now: datetime) -> float:
    """Return the time that a user typed, in seconds since 1970.

    Args:
        text: A date or time in ISO 8601, of this machine's time zone if it has none; or an age
            such as "7d", "12h", "30m".
        argument: What the user calls it, for the error.
        now: The time that ages count from.

    Raises:
        InvalidArgumentError: It is neither.

    Example:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
        >>> parse_time("1d", "since", noon) == datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
        True
    """
    must = 'must be a date or time such as 2026-01-31 or "2026-01-31 08:00", or an age such as 7d'
    try:
        if age := _AGE.fullmatch(text.strip()):
            return (now - timedelta(**{_UNITS[age[2]]: int(age[1])})).timestamp()
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError(argument, text, must) from error


def _value(text: str) -> Any:
    """Return a number, truth value or null as JSON has them; all else is a text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, (list, dict)) or (isinstance(value, float) and not math.isfinite(value)):
        return text
    return value


def _check_text(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        must = f"must have at most {LONGEST_TEXT} characters"
        raise InvalidArgumentError("text", f"{text:.20}…", must)


def _check_page(offset: int, limit: int | None) -> None:
    if offset < 0:
        raise InvalidArgumentError("offset", offset, "must be at least 0")
    if limit is not None and limit < 0:
        raise InvalidArgumentError("limit", limit, "must be at least 0")
