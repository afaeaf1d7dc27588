"""Trials as CSV, which spreadsheets and pandas read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from hopsml_flows.service.index import Column
from hopsml_flows.service.web.views.trials_table import cells
from hopsml_flows.service.web.views.words import long_text
from hopsml_flows.text import unicode_text
from hopsml_flows.trials import TrialResult

__all__ = ["csv_lines"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(trials: Sequence[TrialResult], columns: Sequence[Column]) -> Iterator[str]:
    r"""Yield a table of trials as CSV, line by line.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.

    Args:
        trials: The trials.
        columns: Hyperparameters and outputs.

    Example:
        >>> from hopsml_flows.trials import State
        >>> column = Column("params", "x", numeric=True, alike=True, low=1, high=1)
        >>> trial = TrialResult(1, "0001-x=1", {"x": 1}, State.FINISHED, 0.5, started=1, ended=3)
        >>> print("".join(csv_lines([trial], [column])).replace("\r\n", "|"))
        number,params.x,metric,state,seconds,error|1,1,0.5,FINISHED,2,|
    """
    names = [column.path for column in columns]
    yield _line(["number", *names, "metric", "state", "seconds", "error"])
    for trial, values in zip(trials, cells(trials, columns), strict=True):
        seconds = trial.duration if trial.ended else None
        error = str(trial.failure) if trial.failure else None
        state = trial.state.value
        yield _line([trial.number, *values, trial.metric, state, seconds, error])


def _line(values: Sequence[Any]) -> str:
    target = io.StringIO()
    csv.writer(target).writerow([_field(value) for value in values])
    return target.getvalue()


def _field(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if not isinstance(value, str):
        return long_text(value, indent=None)
    text = unicode_text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
