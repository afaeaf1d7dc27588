"""Which configurations of an earlier search a new one begins with. Pure.

The earlier metrics only choose: each seed is evaluated again, since data and code may have changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hopsml_flows.search import Direction, SearchSpace
from hopsml_flows.values.plain import configuration_key, is_jsonable, json_value

__all__ = ["Past", "Seeds", "chosen"]


@dataclass(frozen=True, slots=True)
class Past:
    """A trial of the earlier search that finished.

    Args:
        name: The trial's name.
        params: Its hyperparameters, as JSON values.
        metric: Its metric.
    """

    name: str
    params: Mapping[str, Any]
    metric: float


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a search begins with.

    Args:
        configurations: Configurations of the present space, the best first.
        trials: Names of their trials.
        unfit: Trials better than the last chosen one that do not fit the space, with the reason.
        left_out: Their hyperparameters that are no longer searched.
    """

    configurations: tuple[dict[str, Any], ...] = ()
    trials: tuple[str, ...] = ()
    unfit: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


def chosen(
    past: Iterable[Past],
    space: SearchSpace,
    *,
    direction: Direction,
    most: int,
    defaults: Mapping[str, Any] | None = None,
    taken: Iterable[Mapping[str, Any]] = (),
) -> Seeds:
    """Choose the best configurations that fit a space.

    A hyperparameter that the space has gained has the function's default in earlier trials, where
    that lies in the space: it was what they ran with. One that it has lost is left out.

    Args:
        past: The earlier trials, in any order.
        space: The present space.
        direction: Which way is better now.
        most: Most configurations to choose.
        defaults: Defaults of the training function's arguments.
        taken: Configurations that the search begins with anyway.
    """
    # A default that JSON cannot hold is in no space.
    defaults_as_json = {
        name: json_value(name, value)
        for name, value in (defaults or {}).items()
        if is_jsonable(value)
    }
    begun = [space.restored(json_value("initial", params)) for params in taken]
    known = {configuration_key(params or {}) for params in begun}
    found: list[tuple[dict[str, Any], str]] = []
    unfit: list[tuple[str, str]] = []
    left_out: set[str] = set()
    for trial in sorted(past, key=lambda trial: _rank(trial, direction)):
        if len(found) >= most:
            break
        ran_with = {**defaults_as_json, **trial.params}
        params = {name: ran_with[name] for name in space if name in ran_with}
        configuration = space.restored(params)
        if configuration is None:
            unfit.append((trial.name, _misfit(params, space)))
            continue
        left_out |= set(trial.params) - set(space)
        key = configuration_key(configuration)
        if key not in known:
            known.add(key)
            found.append((configuration, trial.name))
    return Seeds(
        configurations=tuple(configuration for configuration, _ in found),
        trials=tuple(name for _, name in found),
        unfit=tuple(unfit),
        left_out=tuple(sorted(left_out)),
    )


def _rank(trial: Past, direction: Direction) -> tuple[float, str]:
    if not math.isfinite(trial.metric):
        return math.inf, trial.name
    return direction.loss(trial.metric), trial.name


def _misfit(params: Mapping[str, Any], space: SearchSpace) -> str:
    """Why a configuration is not in the space."""
    if missing := [name for name in space if name not in params]:
        return f"it has no {', '.join(missing)}"
    outside = [
        f"{name}={value!r}"
        for name, value in params.items()
        if SearchSpace({name: space[name]}).restored({name: value}) is None
    ]
    return f"{', '.join(outside)} is outside"
