"""The trials that a summary tells of, read back for those who look at an experiment. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hopsml_flows.search.decisions import Why
from hopsml_flows.trials.lineage import Lineage
from hopsml_flows.trials.model import Failure, Promoted, State, TrialResult
from hopsml_flows.trials.naming import generation_name, generation_of, number_of
from hopsml_flows.trials.outputs import LOG
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import is_finite, with_floats

__all__ = ["NOT_FINITE", "OTHER_TYPES", "ExactValues", "exact_values", "told_result"]

NOT_FINITE = "not_finite"
"""Key of an entry: paths of its values that are numbers which JSON lacks."""

OTHER_TYPES = "other_types"
"""Key of an entry: the types of hyperparameters that are no JSON values."""

_T = TypeVar("_T")

_LARGEST = 2**63
"""Whole numbers from here on are no numbers of attempts, trials or generations."""

_STATES = frozenset(State)
_SAFE = re.compile(r"[A-Za-z0-9._=-]+")
_LONG_NUMBER = re.compile(r"\d{19}")


def told_result(entry: Any, place: int) -> TrialResult | None:
    """Return the trial that an entry of a summary tells of; None where it cannot be read.

    Args:
        entry: One of the ``combinations``.
        place: Its place among them, from 1; the number of a trial whose name has none.

    Example:
        >>> entry = {"trial": "0002-x=1", "parameters": {"x": 1}, "state": "FINISHED"}
        >>> trial = told_result({**entry, "metric": 0.5, "started": 1.0, "ended": 3.5}, 1)
        >>> trial.number, trial.params, trial.metric, trial.duration
        (2, {'x': 1}, 0.5, 2.5)
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("parameters"), dict):
        return None
    name, outputs, error = entry.get("trial"), entry.get("outputs"), entry.get("error")
    if not isinstance(name, str) or not _is_state(entry.get("state")):
        return None
    number = number_of(name)
    # The name of a directory comes from a file: it must not lead out of the experiment's.
    if _LONG_NUMBER.match(name) or (number is not None and not _SAFE.fullmatch(name)):
        return None
    kind, _, message = str(error or "").partition(": ")
    generation = _generation(entry)
    is_single = entry.get("directory") == ""  # it has the experiment's own directory
    return TrialResult(
        number=place if number is None else number,
        name=name,
        params=entry["parameters"],
        state=State(entry["state"]),
        metric=_number(entry, "metric"),
        outputs=outputs if isinstance(outputs, dict) else {},
        directory="" if number is None or is_single else _directory(name, generation),
        attempt=_whole(entry, "attempt") or 1,
        started=_number(entry, "started") or 0.0,
        ended=_number(entry, "ended") or 0.0,
        worker=_text(entry, "worker"),
        failure=Failure(kind, message, place=str(entry.get("error_place", ""))) if error else None,
        generation=generation,
        warnings=_texts(entry["warnings"]) if "warnings" in entry else (),
        budget=_number(entry, "budget"),
        why_stopped=_read(Why.from_json, entry["why_stopped"]) if "why_stopped" in entry else None,
        promotions=_promotions(entry["why_promoted"]) if "why_promoted" in entry else (),
        continues=_whole(entry, "continues"),
        seed=_whole(entry, "seed"),
        lineage=Lineage.from_json(entry.get("lineage")),
        repeat=_whole(entry, "repeat"),
    )


@dataclass(frozen=True, slots=True)
class ExactValues:
    """The values of a trial, as far as a summary tells more of them than their images.

    Args:
        params: Its hyperparameters, with numbers that are not finite.
        outputs: Its outputs, with numbers that are not finite.
        types: Names of the hyperparameters that were no JSON values, each with the type's name;
            what is in ``params`` is their image.
    """

    params: dict[str, Any]
    outputs: dict[str, Any]
    types: dict[str, str] = field(default_factory=dict)


def exact_values(entry: Mapping[str, Any]) -> ExactValues:
    """Return the values of the trial that an entry tells of.

    Args:
        entry: An entry of which :func:`told_result` has made a result.

    Example:
        >>> entry = {"parameters": {"x": "Infinity", "size": [2, 3]}, "outputs": {}}
        >>> told = {"not_finite": [["parameters", "x"]], "other_types": {"size": "tuple"}}
        >>> exact_values({**entry, **told})
        ExactValues(params={'x': inf, 'size': [2, 3]}, outputs={}, types={'size': 'tuple'})
    """
    outputs = entry.get("outputs")
    images = {
        "parameters": entry["parameters"],
        "outputs": outputs if isinstance(outputs, dict) else {},
    }
    values = copy.deepcopy(images)
    try:
        values = with_floats(values, entry.get(NOT_FINITE) or ())
    except (ValueError, TypeError, IndexError):  # edited by hand
        values = images
    types = entry.get(OTHER_TYPES)
    return ExactValues(
        values["parameters"],
        values["outputs"],
        {
            name: kind
            for name, kind in (types.items() if isinstance(types, dict) else ())
            if name in values["parameters"] and isinstance(kind, str)
        },
    )


def _is_state(value: Any) -> bool:
    return isinstance(value, str) and value in _STATES


def _generation(entry: Mapping[str, Any]) -> int | None:
    """The generation; older summaries have it only in the path of a success's log."""
    if (told := _whole(entry, "generation")) is not None:
        return told
    outputs = entry.get("outputs")
    log = outputs.get(LOG) if isinstance(outputs, dict) else None
    if not isinstance(log, str) or "/generation." not in log:
        return None
    parts = log.rsplit("/", 3)
    generation = generation_of(parts[1]) if len(parts) == 4 else None
    return None if generation is None or generation >= _LARGEST else generation


def _promotions(value: Any) -> tuple[Promoted, ...]:
    read = (_read(Promoted.from_json, each) for each in (value if isinstance(value, list) else ()))
    return tuple(promoted for promoted in read if promoted is not None)


def _directory(name: str, generation: int | None) -> str:
    return name if generation is None else f"{generation_name(generation)}/{name}"


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _number(entry: Mapping[str, Any], name: str) -> float | None:
    value = entry.get(name)
    if not is_number(value) or not is_finite(value):
        return None
    return value if abs(value) < _LARGEST else float(value)  # a database keeps no larger integers


def _whole(entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    return value if is_whole(value) and abs(value) < _LARGEST else None


def _read(read: Callable[[Mapping[str, Any]], _T], value: Any) -> _T | None:
    """What an object says; None where it cannot be read."""
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        return read(value) if value else None
    return None
