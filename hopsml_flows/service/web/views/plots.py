"""What plots are drawn from: columns of numbers and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.service.index import Column, ExperimentEntry
from hopsml_flows.service.web.views.trials_table import shown_columns
from hopsml_flows.service.web.views.words import cell_text
from hopsml_flows.text import unicode_text
from hopsml_flows.trials import TrialResult
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import is_finite

__all__ = ["plot_columns", "plot_data", "plot_values"]

_MOST = 40
"""Most hyperparameters that plots offer."""

_OUTPUTS = 12
_WORKER = "worker"
_PLAIN = ("number", "state", "metric", "generation", "started", "ended")


def plot_columns(entry: ExperimentEntry) -> list[str]:
    """Return the columns that an experiment's plots need.

    Args:
        entry: The experiment.
    """
    params, outputs = _offered(entry)
    return [*_PLAIN, _WORKER, *(column.path for column in (*params, *outputs))]


def plot_data(entry: ExperimentEntry, values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return the data of an experiment's plots, as strict JSON may have it.

    Args:
        entry: The experiment.
        values: The columns of :func:`plot_columns`.
    """
    params, outputs = _offered(entry)
    record = entry.record
    direction = record.direction if record else None
    key = (record.optimization_key if record else None) or "metric"
    return {
        "direction": direction if direction in ("MAX", "MIN") else None,
        "key": unicode_text(key),
        **{name: values[name] for name in _PLAIN},
        **_workers(values[_WORKER]),
        "params": [_column(entry, column, values[column.path]) for column in params],
        "outputs": [_column(entry, column, values[column.path]) for column in outputs],
    }


def plot_values(entry: ExperimentEntry, trials: Sequence[TrialResult]) -> dict[str, list[Any]]:
    """Return the columns of :func:`plot_columns` from the trials themselves, without an index.

    Args:
        entry: The experiment.
        trials: Its trials, by number.
    """
    params, outputs = _offered(entry)
    return {
        "number": [trial.number for trial in trials],
        "state": [trial.state.value for trial in trials],
        "metric": [_plotted(trial.metric) for trial in trials],
        "generation": [trial.generation for trial in trials],
        "started": [_plotted(trial.started or None) for trial in trials],
        "ended": [_plotted(trial.ended or None) for trial in trials],
        _WORKER: [trial.worker or None for trial in trials],
        **{c.path: [_plotted(trial.params.get(c.name)) for trial in trials] for c in params},
        **{c.path: [_plotted(trial.outputs.get(c.name)) for trial in trials] for c in outputs},
    }


def _workers(values: Sequence[Any]) -> dict[str, Any]:
    """The names of workers, and the place of each trial's among them."""
    places: dict[str, int] = {}
    for name in values:
        if name:
            places.setdefault(name, len(places))
    names = [unicode_text(name) for name in places]
    return {"workers": names, "worker": [places.get(name) for name in values]}


def _plotted(value: Any) -> Any:
    """A value as plots take it: a number, a text or None."""
    if value is None or isinstance(value, bool):
        return value
    if is_number(value):
        return value if is_finite(value) and abs(value) < 1e300 else None
    return cell_text(value)


def _offered(entry: ExperimentEntry) -> tuple[list[Column], list[Column]]:
    params, outputs = shown_columns(entry)
    numbers = [column for column in outputs if column.numeric]
    return params[:_MOST], numbers[:_OUTPUTS]


def _column(entry: ExperimentEntry, column: Column, values: Sequence[Any]) -> dict[str, Any]:
    return {
        "name": column.name,
        "numeric": column.numeric,
        "log": column.numeric and column.group == "params" and _is_log(entry, column),
        "values": values,
    }


def _is_log(entry: ExperimentEntry, column: Column) -> bool:
    """Whether an axis of a hyperparameter is logarithmic: where the search's was, or it is wide."""
    low, high = column.low, column.high
    if low is None or high is None or low <= 0:
        return False
    domain = entry.record.search_space.get(column.name) if entry.record else None
    if isinstance(domain, Mapping) and domain.get("log") is True:
        return True
    return high / low >= 1000
