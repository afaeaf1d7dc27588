"""The table of an experiment's trials, in as many columns as there is room for.

Number, metric and state are always shown, however narrow the terminal. Columns in which trials
differ come before those in which all are alike. Numbers are never cut. Lines below the table name
what has no room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import HEAVY_HEAD, Box
from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from hopsml_flows.search import Direction
from hopsml_flows.text import number_text, one_line, value_text
from hopsml_flows.trials import LOG, TrialResult, shown_trials
from hopsml_flows.values.plain import image_key, is_jsonable

__all__ = ["LONGEST_VALUE", "TrialTable"]

_MOST_OUTPUTS = 6
LONGEST_VALUE = 40
"""Most characters of a value in a table or a line."""

_NUMBER = 13
"""Columns of the longest number, ``-1.23457e-100``."""

_STATE = 8
"""Columns of FINISHED; a reason needs more."""

_LONGEST_STATE = 60
_TWO_PARTS = 30
"""Columns from which on a reason that is too long keeps its end, too."""

_CUTS = ((LONGEST_VALUE, LONGEST_VALUE), (24, 16), (16, 13), (_NUMBER, 10), (_NUMBER, 4))
"""Longest values and names of columns; the first cut that fits is used."""

_FRAME = 3
_GAP = 2
"""Columns between two cells, with lines and without."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that may be shown.

    Args:
        name: Its head.
        cells: Its cells, not cut.
        rank: 0 if it is always shown; columns of a higher rank are shown if there is room.
        alike: Whether all trials have the same value.
        right: Whether its cells are aligned right.
    """

    name: str
    cells: tuple[str, ...]
    rank: int
    alike: bool = False
    right: bool = True

    def width(self, cell: int, head: int) -> int:
        """Columns it needs if cells and head are cut to a length."""
        widest = max(map(cell_len, self.cells), default=0)
        return max(min(widest, cell), min(cell_len(self.name), head))


@dataclass(frozen=True, slots=True)
class TrialTable:
    """Trials as rows: all by number, or of many trials the best.

    Args:
        title: Written above the table.
        trials: The trials.
        best: The trial to mark, or None.
        fitting: Turns a text into one that the output can write.
        direction: Which metric is better; None where none is compared.
    """

    title: str
    trials: Sequence[TrialResult]
    best: TrialResult | None
    fitting: Callable[[str], str]
    direction: Direction | None = None

    def drawn(self, width: int) -> tuple[Table, list[str]]:
        """The table, and lines on what it lacks.

        Args:
            width: Columns there are.
        """
        columns = self._columns()
        whole = _fitted(columns, _CUTS[0], width - 1 - _FRAME * len(columns))
        if whole is not None:
            return self._table(columns, whole, HEAVY_HEAD), self._rest([])
        shown, widths = _chosen(columns, width)
        left_out = [column for column in columns if column not in shown]
        return self._table(shown, widths, None), self._rest(left_out)

    @property
    def _rows(self) -> Sequence[TrialResult]:
        return shown_trials(self.trials, self.direction)

    def _columns(self) -> list[_Column]:
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.params))
        metric = self._metric_output()
        return [
            self._column("#", lambda trial: str(trial.number), 0),
            *([self._column("budget", _budget, 1)] if self._has_budget else []),
            *(self._parameter(name) for name in names),
            *([self._column("metric", _metric, 0)] if metric is None and self._has_metric else []),
            *(self._output(name, 0 if name == metric else 3) for name in self._outputs(metric)),
            self._column("time", lambda trial: f"{trial.duration:.1f} s", 2),
            self._column("state", _state, 0, right=False),
        ]

    @property
    def _has_budget(self) -> bool:
        return any(trial.budget is not None for trial in self.trials)

    @property
    def _has_metric(self) -> bool:
        return any(trial.metric is not None for trial in self.trials)

    def _metric_output(self) -> str | None:
        """The output that is the metric of all trials, or None."""
        measured = [trial for trial in self.trials if trial.metric is not None]
        names = measured[0].outputs if measured else ()
        return next((n for n in names if all(t.outputs.get(n) == t.metric for t in measured)), None)

    def _outputs(self, metric: str | None) -> list[str]:
        """Names of the outputs that are shown, the metric's among them."""
        names = dict.fromkeys(name for trial in self.trials for name in trial.outputs)
        there = [
            name
            for name in names
            if name != LOG and any(trial.outputs.get(name) is not None for trial in self.trials)
        ]
        others = [name for name in there if name != metric][: _MOST_OUTPUTS - (metric is not None)]
        return [name for name in there if name == metric or name in others]

    def _parameter(self, name: str) -> _Column:
        keys = {_key(trial.params.get(name)) for trial in self.trials}
        alike = len(keys) == 1 and len(self.trials) > 1
        return self._column(
            name,
            lambda trial: value_text(trial.params.get(name, ""), LONGEST_VALUE),
            4 if alike else 1,
            alike=alike,
        )

    def _output(self, name: str, rank: int) -> _Column:
        def text(trial: TrialResult) -> str:
            value = trial.outputs.get(name, "")
            if isinstance(value, str) and f"/{trial.directory}/" in value:  # an attached file
                value = value.rsplit("/", 1)[-1]
            return value_text(value, LONGEST_VALUE)

        return self._column(name, text, rank)

    def _column(
        self,
        name: str,
        text: Callable[[TrialResult], str],
        rank: int,
        *,
        alike: bool = False,
        right: bool = True,
    ) -> _Column:
        cells = tuple(self.fitting(text(trial)) for trial in self._rows)
        return _Column(self.fitting(one_line(name)), cells, rank, alike, right)

    def _table(self, columns: Sequence[_Column], widths: Sequence[int], box: Box | None) -> Table:
        dots = self.fitting("…")
        # Rich parses neither names nor values: "[/x]" is a value like others.
        table = Table(
            title=Text(self.fitting(one_line(self.title))),
            title_justify="left",
            box=box,
            padding=(0, 1) if box else (0, _GAP, 0, 0),
            pad_edge=box is not None,
        )
        for column, width in zip(columns, widths, strict=True):
            table.add_column(
                Text(_cut(column.name, width, dots)),
                justify="right" if column.right else "left",
                no_wrap=True,
                width=width,
            )
        for place, trial in enumerate(self._rows):
            table.add_row(
                *(
                    Text((_cut if column.right else _cut_inside)(column.cells[place], width, dots))
                    for column, width in zip(columns, widths, strict=True)
                ),
                style="bold" if trial is self.best else None,
            )
        return table

    def _rest(self, left_out: Sequence[_Column]) -> list[str]:
        lines = []
        if (rows := len(self._rows)) < len(self.trials):
            which = "first" if self.direction is None else "best"
            lines.append(f"The {which} {rows} of {len(self.trials)} trials (see .summary.json)")
        alike = [f"{column.name}={column.cells[0]}" for column in left_out if column.alike]
        if alike:
            lines.append(f"The same in all trials: {', '.join(alike)}")
        others = [column.name for column in left_out if not column.alike]
        if others:
            lines.append(f"No room for: {', '.join(others)} (see .summary.json)")
        return lines


def _fitted(
    columns: Sequence[_Column], cut: tuple[int, int], room: int, *, anyway: bool = False
) -> list[int] | None:
    """Widths of columns, or None if there is no room for them.

    The last column is the state: a reason of a failure gets what is left, and at least so much that
    the state is seen.
    """
    *widths, state = [column.width(*cut) for column in columns]
    most = columns[-1].width(_LONGEST_STATE, LONGEST_VALUE)
    least = min(_STATE, most, state)
    left = room - sum(widths)
    if left < least and not anyway:
        return None
    return [*widths, min(max(left, least), most)]


def _chosen(columns: Sequence[_Column], width: int) -> tuple[list[_Column], list[int]]:
    """The columns that there is room for, and their widths."""

    def fitted(chosen: list[_Column], cut: tuple[int, int]) -> list[int] | None:
        needless = not any(column.rank for column in chosen)
        return _fitted(chosen, cut, width - _GAP * (len(chosen) - 1), anyway=needless)

    needful = [column for column in columns if column.rank <= 1]
    cut = next((cut for cut in _CUTS if fitted(needful, cut) is not None), _CUTS[-1])
    shown = [column for column in columns if column.rank == 0]
    for column in sorted(columns, key=lambda column: column.rank):
        more = [other for other in columns if other in shown or other is column]
        if column.rank and fitted(more, cut) is not None:
            shown = more
    return shown, fitted(shown, cut) or []


def _cut(text: str, width: int, dots: str) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - len(dots))).rstrip() + dots


def _cut_inside(text: str, width: int, dots: str) -> str:
    """A text without its middle, if there is room for two parts: errors end with the cause."""
    if cell_len(text) <= width or cell_len(text) != len(text) or width < _TWO_PARTS:
        return _cut(text, width, dots)
    head = width // 2
    return text[:head] + dots + text[len(text) - width + head + len(dots) :]


def _metric(trial: TrialResult) -> str:
    return "" if trial.metric is None else number_text(trial.metric)


def _budget(trial: TrialResult) -> str:
    return "" if trial.budget is None else value_text(trial.budget, LONGEST_VALUE)


def _state(trial: TrialResult) -> str:
    if trial.failure is None:
        why = "" if trial.why_stopped is None else f" {trial.why_stopped}"
        return one_line(f"{trial.state.value}{why}")
    return one_line(f"FAILED {trial.failure}")


def _key(value: Any) -> str:
    return image_key(value) if is_jsonable(value) else repr(value)
