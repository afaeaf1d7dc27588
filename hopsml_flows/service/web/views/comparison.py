"""Trials and experiments side by side."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopsml_flows.service.index import ExperimentEntry
from hopsml_flows.service.web.views.words import cell_text, took
from hopsml_flows.text import readable
from hopsml_flows.trials import TrialResult
from hopsml_flows.trials.outputs import LOG
from hopsml_flows.values.arguments import is_number

__all__ = ["Compared", "ComparedRow", "Comparison", "DiffLine", "comparison", "difference"]

_MOST_LINES = 2000
"""Most lines of a difference that a page shows."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A trial, or an experiment with its best trial.

    Args:
        entry: The experiment.
        trial: The trial; None if the experiment has none that counts.
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
        differs: Whether the texts differ.
        best: Place of the best number, or None.
    """

    name: str
    texts: Sequence[str]
    differs: bool
    best: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison.

    Args:
        columns: What is compared.
        facts: Rows about the experiments.
        params: Rows of hyperparameters.
        outputs: Rows of metrics and outputs.
    """

    columns: Sequence[Compared]
    facts: Sequence[ComparedRow]
    params: Sequence[ComparedRow]
    outputs: Sequence[ComparedRow]

    @property
    def alike(self) -> int:
        """Number of rows in which all are alike."""
        rows = (*self.facts, *self.params, *self.outputs)
        return sum(not row.differs for row in rows)


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a difference.

    Args:
        kind: "added", "removed", "place" or "same".
        text: The line.
    """

    kind: str
    text: str


def comparison(columns: Sequence[Compared]) -> Comparison:
    """Return the comparison of trials and experiments.

    Args:
        columns: What is compared.
    """
    directions = {each.entry.record.direction for each in columns if each.entry.record}
    direction = directions.pop() if len(directions) == 1 else None
    return Comparison(
        columns,
        [row for name, fact in _FACTS if (row := _row(name, columns, fact)) is not None],
        list(_values(columns, "params")),
        [*_metric(columns, direction), *_values(columns, "outputs")],
    )


def difference(old: str, new: str, old_name: str, new_name: str) -> list[DiffLine]:
    r"""Return the lines in which two texts differ, each with three lines around it.

    Args:
        old: The one text.
        new: The other.
        old_name: What to call the one.
        new_name: What to call the other.

    Example:
        >>> [line.kind for line in difference("a\nb", "a\nc", "old", "new")]
        ['removed', 'added', 'place', 'same', 'removed', 'added']
    """
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""
    )
    kinds = {"+": "added", "-": "removed", "@": "place"}
    found = []
    for line in lines:
        if len(found) == _MOST_LINES:
            found.append(DiffLine("place", "… more lines differ"))
            break
        found.append(DiffLine(kinds.get(line[:1], "same"), readable(line)))
    return found


def _metric(columns: Sequence[Compared], direction: str | None) -> Iterator[ComparedRow]:
    def metric(each: Compared) -> Any:
        return None if each.trial is None else each.trial.metric

    row = _row("Metric", columns, metric)
    if row is None:
        return
    numbers = {place: metric(each) for place, each in enumerate(columns)}
    known = {place: number for place, number in numbers.items() if number is not None}
    best = None
    if direction in ("MAX", "MIN") and len(set(known.values())) > 1:
        choose: Callable[..., int] = max if direction == "MAX" else min
        best = choose(known, key=known.__getitem__)
    yield ComparedRow(row.name, row.texts, row.differs, best)


def _values(columns: Sequence[Compared], group: str) -> Iterator[ComparedRow]:
    mappings: list[Mapping[str, Any]] = [
        {} if each.trial is None else getattr(each.trial, group) for each in columns
    ]
    names = dict.fromkeys(name for mapping in mappings for name in mapping)
    for name in names:
        if (
            group == "outputs"
            and name == LOG
            and not any(is_number(mapping.get(name)) for mapping in mappings)
        ):
            continue
        there = [name in mapping for mapping in mappings]
        values = [mapping.get(name) for mapping in mappings]
        texts = [cell_text(v) if t else "" for v, t in zip(values, there, strict=True)]
        differs = len({repr(value) for value in values}) > 1 or len(set(there)) > 1
        yield ComparedRow(name, texts, differs)


def _row(
    name: str, columns: Sequence[Compared], fact: Callable[[Compared], Any]
) -> ComparedRow | None:
    values = [fact(each) for each in columns]
    if all(value is None or value == "" for value in values):
        return None
    texts = ["" if value is None else cell_text(value) for value in values]
    return ComparedRow(name, texts, len(set(texts)) > 1)


def _recorded(name: str) -> Callable[[Compared], Any]:
    def fact(each: Compared) -> Any:
        return None if each.entry.record is None else getattr(each.entry.record, name)

    return fact


def _duration(each: Compared) -> Any:
    return took(each.trial.duration) if each.trial is not None and each.trial.ended else None


_FACTS: Sequence[tuple[str, Callable[[Compared], Any]]] = (
    ("Kind", _recorded("function")),
    ("Training function", _recorded("train")),
    ("Direction", _recorded("direction")),
    ("User", _recorded("user")),
    ("State", lambda each: each.trial.state.value if each.trial else each.entry.state.value),
    ("Duration", _duration),
)
