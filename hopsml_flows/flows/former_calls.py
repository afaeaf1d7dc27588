"""Calls as older programs make them: former names of arguments, and former verbs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from hopsml_flows.errors import (
    InvalidArgumentError,
    InvalidFunctionError,
    UnsupportedOperationError,
)
from hopsml_flows.maggy.calls import is_search
from hopsml_flows.user_warnings import warn

__all__ = ["evolutionary_search", "other_verb", "renamed"]

# Names of all of HopsML's releases, in the order of how new they are.
_TRAIN = ("train_fn", "map_fun", "objective_function")
_GRID = {"grid_search": ("args_dict", "grid_dict")}
_RENAMED = {"popsize": "population"}
_IGNORED = {
    "versioned_resources": "the program and its environment are versioned anyway; files that "
    "training functions read stay in the project",
    "cleanup_generations": "generations are kept, since they are the experiment's record",
}


def other_verb(
    verb: str, args: Sequence[Any], given: Mapping[str, Any]
) -> Callable[..., Any] | None:
    """Return the verb that a call means by the name of this one; None if it means this one.

    Args:
        verb: Name of the verb that is called.
        args: Its arguments by position.
        given: Its arguments by name.
    """
    if verb != "launch" or not is_search(args, given):
        return None
    # By its name: it is made of verbs, which import this module.
    found: Callable[..., Any] = importlib.import_module("hopsml_flows.flows.lagom").launched
    return found


def renamed(
    verb: str, args: Sequence[Any], given: Mapping[str, Any], known: Sequence[str]
) -> dict[str, Any]:
    """Rename a verb's arguments to their present names.

    Args:
        verb: Name of the verb.
        args: Its arguments by position.
        given: Its arguments by name.
        known: Names that it has now.

    Raises:
        InvalidArgumentError: An argument is given under two names, or as a first release had it.
    """
    if len(args) > 1 and _is_spark(args[0]) and callable(args[1]):
        raise InvalidFunctionError(
            "train",
            args[0],
            f"must be the first argument, without a Spark session: {verb}(train, …)",
        )
    now: dict[str, Any] = {}
    taken = set(known[: len(args)])
    for name, value in given.items():
        if name in _IGNORED and name not in known:
            _warn_ignored(verb, name, value)
            continue
        own = name if name in known else _own(verb, name, known)
        if own in now or (own in taken and own != name):
            raise InvalidArgumentError(
                name, value, because=f"it is another name of {own}, which is given too"
            )
        now[own] = value
    return now


def evolutionary_search(*_: object, **__: object) -> NoReturn:
    """HopsML's differential evolution of the first releases, which had other arguments.

    Raises:
        UnsupportedOperationError: Always; says what to write.
    """
    raise UnsupportedOperationError(
        "experiment.evolutionary_search is now experiment.differential_evolution(train, "
        "boundary_dict, direction=…, generations=…, population=…): write population for popsize, "
        "and leave the Spark session out"
    )


def _own(verb: str, name: str, known: Sequence[str]) -> str:
    if name in _TRAIN:
        return "train"
    former, own = _GRID.get(verb, ("", ""))
    if name == former:
        return own
    renamed_to = _RENAMED.get(name)
    return renamed_to if renamed_to in known and renamed_to is not None else name


def _is_spark(value: object) -> bool:
    return not callable(value) and not isinstance(value, str)


def _warn_ignored(verb: str, name: str, value: object) -> None:
    if value:
        said = f"{name} of experiment.{verb} has no effect: {_IGNORED[name]}"
        warn(said)
