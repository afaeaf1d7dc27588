"""What the index keeps of an experiment's record and summary. Pure: contents in, values out.

Whatever lies on storage may be damaged or not from this project. Every function returns what is
certain, and says in words what is wrong with the rest; none raises because of a file's content.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.text import one_line, unicode_text
from hopsml_flows.tracking.record import ExperimentRecord
from hopsml_flows.trials import State, TrialResult, name_of, stamp_of, told_result
from hopsml_flows.values.plain import FILE_LEVELS, json_value

__all__ = [
    "Column",
    "ExperimentEntry",
    "ExperimentState",
    "SummaryEntries",
    "is_gone",
    "read_entry",
    "read_trials",
]

_LONGEST = 200
"""Most characters of a text that trials are sorted and filtered by."""

_BEGIN = '{"combinations": [\n'
"""How a driver begins a summary."""

_LARGEST = 2**63
"""The index holds smaller integers only."""

_encoded = json.JSONEncoder().encode


class ExperimentState(StrEnum):
    """State of an experiment, as a list shows it: that of its record, or what is wrong with it."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"
    LOST = "LOST"  # the record says RUNNING, and its driver's process is gone
    DAMAGED = "DAMAGED"  # the record cannot be read
    UNKNOWN = "UNKNOWN"  # there is no record, yet or any more


@dataclass(frozen=True, slots=True)
class Column:
    """A hyperparameter or an output of an experiment's trials.

    Args:
        group: "params" or "outputs".
        name: The hyperparameter's or output's name.
        numeric: Whether all its values are numbers.
        alike: Whether all trials have the same value.
        low: The smallest of its numbers, or None.
        high: The largest of its numbers, or None.
    """

    group: str
    name: str
    numeric: bool
    alike: bool
    low: float | None
    high: float | None

    @property
    def path(self) -> str:
        """What queries call the column: ``params.x`` or ``outputs.accuracy``."""
        return f"{self.group}.{self.name}"


@dataclass(frozen=True, slots=True)
class ExperimentEntry:
    """An experiment, as a list of experiments shows it.

    Args:
        id: Identifier, also the directory's name.
        record: The record; None if there is none that can be read.
        problem: What is wrong with the record, or None.
        summary_problem: What is wrong with the summary, or None.
        told: Number of trials that the summary tells of.
        unread: Number of its entries that cannot be read.
        columns: Hyperparameters, then outputs, of the trials.
        is_lost: Whether the record says that the experiment runs, and its driver's process on this
            machine is gone.
    """

    id: str
    record: ExperimentRecord | None
    problem: str | None = None
    summary_problem: str | None = None
    told: int = 0
    unread: int = 0
    columns: tuple[Column, ...] = ()
    is_lost: bool = False

    @property
    def state(self) -> ExperimentState:
        """The state that a list shows."""
        if self.record is None:
            return ExperimentState.UNKNOWN if self.problem is None else ExperimentState.DAMAGED
        return ExperimentState.LOST if self.is_lost else ExperimentState(self.record.state)

    @property
    def name(self) -> str:
        """The user's name; of an experiment without a record, that part of the identifier."""
        return name_of(self.id) if self.record is None else self.record.name

    @property
    def started(self) -> float:
        """Start in seconds since 1970."""
        return _seconds(self.record.start if self.record else None) or _stamp_seconds(self.id)

    @property
    def ended(self) -> float | None:
        """End in seconds since 1970, or None."""
        return _seconds(self.record.end) if self.record else None

    @property
    def trials_done(self) -> int:
        """Trials that have ended: succeeded, stopped early or failed."""
        record = self.record
        return 0 if record is None else record.trials_succeeded + record.trials_failed

    def marked_lost(
        self, lives: Callable[[Mapping[str, Any]], bool | None], silent: Callable[[], bool]
    ) -> ExperimentEntry:
        """Return the entry with ``is_lost`` as its driver's process and its beats say.

        Args:
            lives: Whether a process lives; None if this machine cannot know.
            silent: Whether the driver has given no sign of life for long.
        """
        record = self.record
        if record is None or record.state is not State.RUNNING or not record.driver:
            return self
        known = lives(record.driver)
        return replace(self, is_lost=is_gone(known, silent=known is None and silent()))

    def column(self, path: str) -> Column | None:
        """Return a column by its path, or by a bare name: a hyperparameter's before an output's.

        Args:
            path: Such as "params.x" or "x".
        """
        exact = next((column for column in self.columns if column.path == path), None)
        return exact or next((column for column in self.columns if column.name == path), None)


def is_gone(lives: bool | None, *, silent: bool) -> bool:
    """Whether the driver of an experiment that its record calls running is gone.

    Args:
        lives: Whether its process lives; None if this machine cannot know.
        silent: Whether it has given no sign of life for long.
    """
    return lives is False or (lives is None and silent)


@dataclass(frozen=True, slots=True)
class SummaryEntries:
    """The trials of a summary, ready for the index.

    Args:
        problem: What is wrong with the summary, or None.
        trials: The place of each trial in the summary, the trial, its entry as JSON, and the JSON
            array of its cells, one per column.
        columns: The columns.
        unread: Number of entries that cannot be read.
    """

    problem: str | None = None
    trials: Sequence[tuple[int, TrialResult, str, str]] = ()
    columns: tuple[Column, ...] = ()
    unread: int = 0


def read_entry(experiment_id: str, content: bytes | None) -> ExperimentEntry:
    """Return the entry of an experiment whose record has this content.

    Args:
        experiment_id: The experiment's identifier.
        content: Content of ``experiment.json``; None if there is none.

    Example:
        >>> entry = read_entry("digits-20260101-120000-ab12cd", b"half a rec")
        >>> entry.state.value, entry.name
        ('DAMAGED', 'digits')
    """
    if content is None:
        return ExperimentEntry(experiment_id, None)
    try:
        record = ExperimentRecord.from_json(content)
        for part in (record.options, record.search_space, record.driver):
            json_value("record", part, levels=FILE_LEVELS)
    except (ValueError, RecursionError, InvalidOutputError) as error:
        return ExperimentEntry(experiment_id, None, problem=f"is no record ({_words(error)})")
    if record.state is State.STOPPED:
        return ExperimentEntry(experiment_id, None, problem="is no record (STOPPED is of a trial)")
    if record.id != experiment_id:
        told = f"is the record of another experiment, {record.id!r:.80}"
        return ExperimentEntry(experiment_id, None, problem=one_line(told))
    return ExperimentEntry(experiment_id, _bounded(record))


def read_trials(content: bytes | None) -> SummaryEntries:
    """Return the trials of a summary, as far as they can be read.

    Args:
        content: Content of ``.summary.json``; None if there is none.

    Example:
        >>> text = b'{"combinations": [{"parameters": {"x": 1}, "trial": "0001-x=1", '
        >>> told = read_trials(text + b'"state": "FINISHED", "metric": 0.5}, 7]}')
        >>> len(told.trials), told.unread
        (1, 1)
    """
    if content is None:
        return SummaryEntries()
    try:
        combinations, problem = _combinations(content.decode())
    except (ValueError, RecursionError) as error:
        return SummaryEntries(f"is not JSON ({_words(error)})")
    if combinations is None:
        return SummaryEntries("has no list of combinations")
    table = _Table()
    trials, unread = [], 0
    for place, (entry, text) in enumerate(combinations, 1):
        result = None if _is_deep(entry, text) else told_result(entry, place)
        if result is None:
            unread += 1
        else:
            trials.append((place, result, text or json.dumps(entry), table.cells(result)))
    return SummaryEntries(problem, trials, table.columns, unread)


def _is_deep(entry: Any, text: str) -> bool:
    """Whether an entry is nested so deep that code of others may fail on it.

    Args:
        entry: The entry.
        text: Its text; "" if that is not known.
    """
    if text and text.count("[") + text.count("{") <= FILE_LEVELS:
        return False
    try:
        json_value("it", entry, levels=FILE_LEVELS)
    except (InvalidOutputError, RecursionError):
        return True
    return False


def _combinations(text: str) -> tuple[list[tuple[Any, str]] | None, str | None]:
    """Return the entries of a summary, each with its own text if it has a line of its own.

    Drivers write a line per trial. Read by lines, a summary that was cut short or damaged loses
    only the trials whose lines are.

    Returns:
        The entries, None if there is no list of them; and what is wrong with the file, or None.
    """
    if not text.startswith(_BEGIN):
        summary = json.loads(text)
        found = summary.get("combinations") if isinstance(summary, dict) else None
        return ([(each, "") for each in found], None) if isinstance(found, list) else (None, None)
    body, end, rest = text[len(_BEGIN) :].rpartition("\n]}")
    whole = bool(end) and not rest.strip()
    problem = None if whole else "is cut short"
    entries: list[tuple[Any, str]] = []
    # JSON writes a line break in a text as two other characters.
    for line in (body if whole else text[len(_BEGIN) :]).split(",\n"):
        try:
            entries.append((json.loads(line), line))
        except (ValueError, RecursionError):
            if line.strip():
                entries.append((None, line))
                problem = problem or "has lines that are not JSON"
    return entries, problem


@dataclass(slots=True)
class _Table:
    """Collects the cells of trials; columns are in the order in which they are first met."""

    places: dict[tuple[str, str], int] = field(default_factory=dict)
    rows: list[list[Any]] = field(default_factory=list)

    def cells(self, result: TrialResult) -> str:
        """Return a trial's cells as a JSON array."""
        places = self.places
        row: list[Any] = [None] * len(places)
        for group, mapping in (("params", result.params), ("outputs", result.outputs)):
            for name, value in mapping.items():
                place = places.setdefault((group, name), len(places))
                if place == len(row):
                    row.append(None)
                kind = type(value)
                # Most values are floats, and there may be millions.
                row[place] = value if kind is float and value - value == 0 else _cell(value)
        self.rows.append(row)
        return _encoded(row)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns; the place of each is that of its cells."""
        return tuple(self._column(*key, place) for key, place in self.places.items())

    def _column(self, group: str, name: str, place: int) -> Column:
        values = [row[place] for row in self.rows if len(row) > place]
        there = [value for value in values if value is not None]
        kinds = set(map(type, there))
        numbers = there if kinds <= {int, float} else [v for v in there if type(v) in (int, float)]
        return Column(
            group,
            unicode_text(name),
            numeric=bool(there) and len(numbers) == len(there),
            alike=len(there) == len(self.rows) and len(kinds) == 1 and len(set(there)) == 1,
            low=min(numbers, default=None),
            high=max(numbers, default=None),
        )


def _cell(value: Any) -> Any:
    """Return what a trial is sorted and filtered by: a number, a text, a truth value or None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else json_value("it", value)
    if isinstance(value, int):
        return value if -_LARGEST < value < _LARGEST else (_real(value) or str(value)[:_LONGEST])
    text = value if isinstance(value, str) else json.dumps(value)
    return unicode_text(text[:_LONGEST])


def _real(value: float | None) -> float | None:
    """Return a number as a finite float; None if it has none."""
    try:
        real = None if value is None else float(value)
    except OverflowError:
        return None
    return real if real is not None and math.isfinite(real) else None


def _bounded_integer(value: Any, default: Any) -> Any:
    return value if isinstance(value, int) and abs(value) < _LARGEST else default


def _bounded(record: ExperimentRecord) -> ExperimentRecord:
    """Return a record whose numbers the index can hold and a page can show."""
    return replace(
        record,
        metric=_real(record.metric),
        duration=_real(record.duration),
        trials_total=_bounded_integer(record.trials_total, None),
        **{
            name: _bounded_integer(getattr(record, name), 0)
            for name in ("trials_succeeded", "trials_failed", "trials_stopped", "attempt")
        },
    )


def _seconds(text: str | None) -> float | None:
    """Return an ISO time in seconds since 1970; None if it is none."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _stamp_seconds(experiment_id: str) -> float:
    try:
        stamp = datetime.strptime(f"{stamp_of(experiment_id)}+0000", "%Y%m%d-%H%M%S%z")
        return stamp.timestamp()
    except ValueError:  # digits that are no time
        return 0.0


def _words(error: BaseException) -> str:
    return one_line(str(error))[:200] or type(error).__name__
