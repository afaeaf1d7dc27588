"""What a trial's small files say: made, and read back with every doubt. Pure.

``.outputs.json`` holds the outputs and, under ``_commit``, what makes the trial done. Whatever lies
on storage may have been cut short, edited or copied from elsewhere: each reader returns what is
certain, or raises an error that names the file and what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.errors import DamagedFileError, InvalidOutputError
from hopsml_flows.search.decisions import Why
from hopsml_flows.trials.best_configurations import Past
from hopsml_flows.trials.lineage import Lineage
from hopsml_flows.trials.model import State, Trial, TrialResult
from hopsml_flows.trials.outputs import RESERVED
from hopsml_flows.trials.summary_entries import told_result
from hopsml_flows.trials.usage import DeviceUsage
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import (
    FILE_LEVELS,
    is_finite,
    json_value,
    with_floats,
    without_floats,
)

__all__ = [
    "commit_text",
    "committed_result",
    "loaded",
    "past_trials",
    "stored_params",
    "told_trials",
]

_SCHEMA = 1
_NOT_FINITE = "not_finite"
"""Key of the commit: paths of outputs that are numbers which JSON lacks."""


def commit_text(result: TrialResult, *, files: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """Content of ``.outputs.json``, strict JSON.

    Args:
        result: The result of a trial that succeeded.
        files: The trial's files: name, size, sha256.
        **more: Further entries of the commit, as JSON values.
    """
    outputs, paths = without_floats(result.outputs)
    commit = {
        "schema": _SCHEMA,
        "number": result.number,
        "attempt": result.attempt,
        "metric": result.metric,
        "started": result.started,
        "ended": result.ended,
        "worker": result.worker,
        "devices": result.devices.as_json() if result.devices else None,
        "warnings": list(result.warnings),
        "files": list(files),
        **({"state": result.state.value} if result.state is not State.FINISHED else {}),
        **({"why_stopped": result.why_stopped.as_json()} if result.why_stopped else {}),
        **({"seed": result.seed} if result.seed is not None else {}),
        **({"repeat": result.repeat} if result.repeat is not None else {}),
        **({"budget": result.budget} if result.budget is not None else {}),
        **({"lineage": result.lineage.as_json()} if result.lineage else {}),
        **({_NOT_FINITE: paths} if paths else {}),
        **more,
    }
    return json.dumps({**outputs, RESERVED: commit}, allow_nan=False)


def committed_result(
    file: str, content: str | bytes, trial: Trial, *, needs_metric: bool = False
) -> TrialResult:
    """The result that a trial has committed.

    Args:
        file: What to call the file in an error.
        content: Content of ``.outputs.json``.
        trial: The trial; the result has its name and its parameters.
        needs_metric: Whether a trial without a metric is not done.

    Raises:
        DamagedFileError: It is not what the trial wrote.
    """
    outputs = _object(file, loaded(file, content))
    commit = _object(file, outputs.pop(RESERVED, None), RESERVED)
    number = _whole(file, commit, "number")
    if number != trial.number:
        raise DamagedFileError(file, f"is of trial {number}, not of trial {trial.number}")
    metric = None if commit.get("metric") is None else _number(file, commit, "metric")
    if needs_metric and metric is None:
        raise DamagedFileError(file, f"has no {RESERVED}.metric")
    return TrialResult(
        number=number,
        name=trial.name,
        params=trial.params,
        state=State.STOPPED if commit.get("state") == State.STOPPED else State.FINISHED,
        metric=metric,
        outputs=_outputs(file, outputs, commit.get(_NOT_FINITE) or []),
        directory=trial.directory,
        attempt=_whole(file, commit, "attempt"),
        started=_number(file, commit, "started"),
        ended=_number(file, commit, "ended"),
        worker=str(commit.get("worker") or ""),
        generation=trial.generation,
        devices=_devices(commit.get("devices")),
        warnings=_texts(commit.get("warnings")),
        budget=commit.get("budget") if is_number(commit.get("budget")) else None,
        why_stopped=_why(commit.get("why_stopped")),
        seed=commit.get("seed") if is_whole(commit.get("seed")) else None,
        lineage=Lineage.from_json(commit.get("lineage")),
        repeat=commit.get("repeat") if is_whole(commit.get("repeat")) else None,
    )


def stored_params(file: str, content: str | bytes) -> dict[str, Any]:
    """The hyperparameters that a trial began with, as JSON has them.

    Args:
        file: What to call the file in an error.
        content: Content of ``.hparams.json``.

    Raises:
        DamagedFileError: It holds none.
    """
    return _object(file, loaded(file, content))


def past_trials(file: str, content: str | bytes) -> tuple[list[Past], int]:
    """The finished trials that a summary tells of.

    Args:
        file: What to call the file in an error.
        content: Content of ``.summary.json``.

    Returns:
        The trials, and the number of entries that cannot be read.

    Raises:
        DamagedFileError: It is no summary.
    """
    read = [_past(entry) for entry in _entries(file, content)]
    return [past for past in read if isinstance(past, Past)], read.count(None)


def told_trials(file: str, content: str | bytes) -> list[TrialResult]:
    """The trials that a summary tells of; those that failed, or were stopped early, are among them.

    Args:
        file: What to call the file in an error.
        content: Content of ``.summary.json``.

    Returns:
        The trials, without entries that cannot be read.

    Raises:
        DamagedFileError: It is no summary.
    """
    told = [told_result(entry, place) for place, entry in enumerate(_entries(file, content), 1)]
    return [result for result in told if result is not None]


def _entries(file: str, content: str | bytes) -> list[Any]:
    entries = _object(file, loaded(file, content)).get("combinations")
    if not isinstance(entries, list):
        raise DamagedFileError(file, f"has no list of combinations, but {_shown(entries)}")
    return entries


def loaded(file: str, content: str | bytes) -> Any:
    """JSON that may be none.

    Args:
        file: What to call the file in an error.
        content: Its content.

    Raises:
        DamagedFileError: It is no JSON.
    """
    try:
        value = json.loads(content)
        json_value("it", value, levels=FILE_LEVELS)
    except (RecursionError, InvalidOutputError):
        pass  # its traceback has hundreds of frames: what pickles errors with theirs would fail
    except ValueError as error:
        raise DamagedFileError(file, f"is not JSON ({error})") from error
    else:
        return value
    raise DamagedFileError(file, "is nested too deep")


def _past(entry: Any) -> Past | bool | None:
    """A finished trial; False for another one, None where an entry cannot be read."""
    if not isinstance(entry, dict):
        return None
    name, params, metric = entry.get("trial"), entry.get("parameters"), entry.get("metric")
    state = entry.get("state")
    # What was stopped early has not shown what it can reach.
    if state in (State.FAILED, State.STOPPED) or (state == State.FINISHED and metric is None):
        return False
    if state != State.FINISHED or not isinstance(name, str) or not isinstance(params, dict):
        return None
    return Past(name, params, float(metric)) if is_number(metric) and is_finite(metric) else None


def _outputs(file: str, outputs: dict[str, Any], paths: Any) -> dict[str, Any]:
    try:
        restored: dict[str, Any] = with_floats(outputs, paths)
    except (ValueError, TypeError, IndexError) as error:
        raise DamagedFileError(file, f"has wrong {RESERVED}.{_NOT_FINITE} ({error})") from error
    return restored


def _devices(value: Any) -> DeviceUsage | None:
    """What the trial took; a curve less is no reason to train again."""
    try:
        return DeviceUsage.from_json(value) if value else None
    except (KeyError, TypeError, AttributeError):
        return None


def _why(value: Any) -> Why | None:
    """Why the trial was stopped; a reason less is no reason to train again."""
    try:
        return Why.from_json(value) if value else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _object(file: str, value: Any, inside: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if inside:
        raise DamagedFileError(file, f"has {_shown(value)} for {inside}, not an object")
    raise DamagedFileError(file, f"holds {_shown(value)}, not an object")


def _whole(file: str, commit: Mapping[str, Any], name: str) -> int:
    value = commit.get(name)
    if not is_whole(value) or value < 1:
        raise DamagedFileError(file, f"has {RESERVED}.{name} {_shown(value)}, no number from 1")
    return value


def _number(file: str, commit: Mapping[str, Any], name: str) -> float:
    value = commit.get(name)
    if not (is_number(value) and is_finite(value)):
        raise DamagedFileError(file, f"has {RESERVED}.{name} {_shown(value)}, no finite number")
    return float(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
