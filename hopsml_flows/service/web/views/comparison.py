"""Trials and experiments side by side, as the page shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopsml_flows.service.comparison import ComparisonRow, compared, settings, trial_facts
from hopsml_flows.service.index import ExperimentEntry
from hopsml_flows.service.web.views.words import cell_text, long_text, took
from hopsml_flows.text import readable
from hopsml_flows.trials import TrialResult

__all__ = [
    "Compared",
    "ComparedRow",
    "ComparisonView",
    "DiffLine",
    "Difference",
    "comparison_view",
    "diff_lines",
]

_MOST_LINES = 2000
"""Most lines of a difference that a page shows."""

_KINDS = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, slots=True)
class Compared:
    """A trial, or an experiment with its best trial.

    Args:
        entry: The experiment.
        trial: The trial; None if the experiment has none.
        whole: Whether the experiment was chosen, and the trial is its best.
    """

    entry: ExperimentEntry
    trial: TrialResult | None
    whole: bool = False

    @property
    def key(self) -> str:
        """What addresses call it."""
        number = "" if self.whole or self.trial is None else f":{self.trial.number}"
        return f"{self.entry.id}{number}"


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A row of the comparison.

    Args:
        name: What is compared.
        texts: A text per column; "" where there is none.
        differs: Whether the values differ.
        best: Place of the best number, or None.
    """

    name: str
    texts: Sequence[str]
    differs: bool
    best: int | None = None


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The comparison.

    Args:
        columns: What is compared.
        groups: Title and rows of each group.
    """

    columns: Sequence[Compared]
    groups: Sequence[tuple[str, Sequence[ComparedRow]]]

    @property
    def alike(self) -> int:
        """Number of rows in which all are alike."""
        return sum(not row.differs for _, rows in self.groups for row in rows)


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a difference.

    Args:
        kind: "added", "removed", "place" or "same".
        text: The line.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """How a text of an experiment differs from that of the first one.

    Args:
        title: Which text.
        other: Identifier of the experiment.
        lines: The lines of the difference; none if the two are alike.
    """

    title: str
    other: str
    lines: Sequence[DiffLine]

    @property
    def words(self) -> str:
        """How many lines differ, in words."""
        removed = sum(line.kind == "removed" for line in self.lines)
        added = sum(line.kind == "added" for line in self.lines)
        return f"{added} added, {removed} removed" if self.lines else "alike"


def comparison_view(columns: Sequence[Compared]) -> ComparisonView:
    """Return the comparison of trials and experiments.

    Args:
        columns: What is compared.
    """
    comparison = compared([each.key for each in columns], [_facts(each) for each in columns])
    directions = {each.entry.record.direction for each in columns if each.entry.record}
    direction = directions.pop() if len(directions) == 1 else None
    titles = {"outputs": "Outputs", "params": "Hyperparameters", "space": "Search space"}
    groups: dict[str, list[ComparedRow]] = {
        title: [] for title in ("Outputs", "Hyperparameters", "Run", "Search space", "Settings")
    }
    for row in comparison.rows:
        group, dot, name = row.name.partition(".")
        if row.name == "metric":
            groups["Outputs"].insert(0, _row(row, "Metric", _best(row.values, direction)))
        elif dot and group in titles:
            groups[titles[group]].append(_row(row, name))
        elif dot or row.name in _SETTINGS:
            groups["Settings"].append(_row(row, name or row.name.replace("_", " ").capitalize()))
        else:
            groups["Run"].append(_row(row, row.name.capitalize()))
    return ComparisonView(columns, [(title, rows) for title, rows in groups.items() if rows])


def diff_lines(lines: Sequence[str]) -> list[DiffLine]:
    """Return the lines of a difference in the unified format, each with what it is.

    Args:
        lines: The lines.

    Example:
        >>> [line.kind for line in diff_lines(["--- a", "+++ b", "@@ -1 +1 @@", "-x", "+y", " z"])]
        ['place', 'place', 'place', 'removed', 'added', 'same']
    """
    found = [
        DiffLine("place" if place < 2 else _KINDS.get(line[:1], "same"), readable(line))
        for place, line in enumerate(lines[:_MOST_LINES])
    ]
    if len(lines) > _MOST_LINES:
        found.append(DiffLine("place", "… more lines differ"))
    return found


_SETTINGS = ("kind", "train", "direction", "optimization_key")
_NOT_SHOWN = ("options.project", "seconds", "error")


def _facts(each: Compared) -> dict[str, Any]:
    record, trial = each.entry.record, each.trial
    facts: dict[str, Any] = {} if trial is None else trial_facts(trial)
    facts["duration"] = took(trial.duration) if trial is not None and trial.ended else None
    if trial is not None and trial.failure is not None:
        facts["failure"] = str(trial.failure)
    if record is not None:
        facts["user"] = record.user
        facts |= settings(record)
    return {name: value for name, value in facts.items() if name not in _NOT_SHOWN}


def _row(row: ComparisonRow, name: str, best: int | None = None) -> ComparedRow:
    texts = ["" if value is None else _text(value) for value in row.values]
    return ComparedRow(name, texts, row.differs, best)


def _text(value: Any) -> str:
    return ", ".join(_pairs(value)) if isinstance(value, Mapping) else cell_text(value)


def _pairs(value: Mapping[str, Any]) -> Iterator[str]:
    for name, each in value.items():
        yield f"{name} {long_text(each, indent=None)}"


def _best(values: Sequence[Any], direction: str | None) -> int | None:
    known = {place: number for place, number in enumerate(values) if number is not None}
    if direction not in ("MAX", "MIN") or len(set(known.values())) < 2:
        return None
    choose: Callable[..., int] = max if direction == "MAX" else min
    return choose(known, key=known.__getitem__)
