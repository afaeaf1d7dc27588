"""Trials as flat rows, as tables and files have them. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hopsml_flows.text import unicode_text
from hopsml_flows.trials import TrialResult

__all__ = ["columns_of", "csv_text", "trial_json", "trial_row"]

_FIRST = ("experiment", "number")
_LAST = ("metric", "state", "seconds", "directory", "error", "budget", "why_stopped")


def trial_row(trial: TrialResult, experiment: str | None = None) -> dict[str, Any]:
    """Return a trial as a row.

    Args:
        trial: The trial.
        experiment: The experiment's identifier, for a column of it; None for none.

    Example:
        >>> from hopsml_flows.trials import State
        >>> row = trial_row(TrialResult(2, "0002-x=4", {"x": 4}, State.FINISHED, 0.9, {"y": 7}))
        >>> row["params.x"], row["outputs.y"], row["metric"]
        (4, 7, 0.9)
    """
    return {
        **({} if experiment is None else {"experiment": experiment}),
        "number": trial.number,
        **_named("params", trial.params),
        **_named("outputs", trial.outputs),
        "metric": trial.metric,
        "state": trial.state.value,
        "seconds": trial.duration,
        "directory": unicode_text(trial.directory),
        "error": unicode_text(str(trial.failure)) if trial.failure else None,
        **({} if trial.budget is None else {"budget": trial.budget}),
        **({} if trial.why_stopped is None else {"why_stopped": str(trial.why_stopped)}),
    }


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns that some row has: hyperparameters, then outputs, then the rest.

    Args:
        rows: The rows.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    params = [name for name in names if name.startswith("params.")]
    outputs = [name for name in names if name.startswith("outputs.")]
    first, last = ([n for n in part if n in names] for part in (_FIRST, _LAST))
    return [*first, *params, *outputs, *last]


def csv_text(rows: Sequence[Mapping[str, Any]], *, for_spreadsheets: bool = False) -> str:
    """Return rows as a CSV file; lists and objects are cells in JSON.

    Args:
        rows: The rows.
        for_spreadsheets: Whether texts that a spreadsheet would take for a formula get an
            apostrophe before them. Programs should read texts as they are.

    Example:
        >>> print(csv_text([{"number": 1, "params.x": [1, 2]}]), end="")
        number,params.x
        1,"[1, 2]"
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    guard = _as_text if for_spreadsheets else _as_is
    writer.writerows({name: guard(_cell(value)) for name, value in row.items()} for row in rows)
    return text.getvalue()


def trial_json(trial: TrialResult) -> dict[str, Any]:
    """Return a trial as an object, as ``--json`` prints it.

    Args:
        trial: The trial.
    """
    return {
        "number": trial.number,
        "name": trial.name,
        "state": trial.state.value,
        "metric": trial.metric,
        "params": trial.params,
        "outputs": trial.outputs,
        "attempt": trial.attempt,
        "started": trial.started or None,
        "ended": trial.ended or None,
        "seconds": trial.duration,
        "directory": trial.directory,
        "generation": trial.generation,
        "budget": trial.budget,
        "why_stopped": None if trial.why_stopped is None else str(trial.why_stopped),
        "error": None if trial.failure is None else str(trial.failure),
        "warnings": list(trial.warnings),
        "lineage": trial.lineage.as_json(),
    }


def _named(group: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        unicode_text(f"{group}.{name}"): unicode_text(value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else value


def _as_is(cell: Any) -> Any:
    return cell


def _as_text(cell: Any) -> Any:
    is_formula = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if is_formula else cell
