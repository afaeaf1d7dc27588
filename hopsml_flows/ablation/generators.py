"""Calls the user's generators of datasets and models with the arguments that they name. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hopsml_flows.errors import SignatureMismatchError

__all__ = ["ABLATED", "called", "check_generator", "takes"]

ABLATED = "ablated_feature"
"""Argument of a generator that gets the feature that is left out, a list of two, or None."""


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has an argument, or takes any.

    Args:
        function: The function.
        name: The argument.
    """
    parameters = _parameters(function)
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def called(
    function: Callable[..., Any], known: Mapping[str, Any], positional: tuple[Any, ...] = ()
) -> Any:
    """Call a generator.

    Args:
        function: The generator.
        known: What it may get by name.
        positional: What it gets in order if it names nothing that is known.
    """
    names, open_ended = _named(function)
    if not open_ended and names.isdisjoint(known) and positional:
        return function(*positional[: len(_needed(function))])
    return function(**{name: value for name, value in known.items() if open_ended or name in names})


def check_generator(
    argument: str, function: Callable[..., Any], known: Collection[str], positional: int = 0
) -> None:
    """Check that a generator can be called.

    Args:
        argument: What the error calls it.
        function: The generator.
        known: Names of what it may get.
        positional: How many values it may get in order instead.

    Raises:
        SignatureMismatchError: It needs something else.
    """
    names, _ = _named(function)
    needed = _needed(function)
    if names.isdisjoint(known) and len(needed) <= positional:
        return
    missing = [name for name in needed if name not in known]
    if missing:
        raise SignatureMismatchError(
            argument,
            missing,
            f"must have only arguments among {', '.join(known)}, or with a default",
        )


def _named(function: Callable[..., Any]) -> tuple[set[str], bool]:
    parameters = _parameters(function)
    open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name for name, one in parameters.items() if one.kind in named}, open_ended


def _needed(function: Callable[..., Any]) -> list[str]:
    many = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [
        name
        for name, one in _parameters(function).items()
        if one.default is inspect.Parameter.empty and one.kind not in many
    ]


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return {}
