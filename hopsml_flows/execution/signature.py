"""Check hyperparameters against a function's signature, and call it with them. No I/O."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hopsml_flows.errors import SignatureMismatchError

__all__ = ["REPORTER", "argument_defaults", "argument_order", "call", "check_names"]

REPORTER = "reporter"
"""Argument of a training function that receives the trial's reporter; not a hyperparameter."""

_BY_NAME = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


def check_names(function: Callable[..., Any], names: Collection[str], *, argument: str) -> None:
    """Check that the hyperparameters match the function's arguments.

    Args:
        function: The training function; one without a readable signature passes.
        names: The hyperparameters' names.
        argument: The argument that the error names.

    Raises:
        SignatureMismatchError: Some are missing or unknown; the message names them.
    """
    if REPORTER in names:
        raise SignatureMismatchError(
            argument,
            sorted(names),
            f"must not name {REPORTER!r}: an argument of that name is given the trial's reporter",
        )
    parameters = _parameters(function)
    if parameters is None:
        return
    known = {p.name for p in parameters.values() if p.kind in _BY_NAME}
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    missing = [
        p.name
        for p in parameters.values()
        if p.kind in _BY_NAME
        and p.default is inspect.Parameter.empty
        and p.name not in names
        and p.name != REPORTER
    ]
    extra = [] if open_ended else sorted(set(names) - known)
    if missing or extra:
        problems = []
        if missing:
            problems.append(f"missing: {', '.join(missing)}")
        if extra:
            problems.append(f"not an argument of the function: {', '.join(extra)}")
        raise SignatureMismatchError(
            argument,
            sorted(names),
            f"must match the training function's arguments {inspect.signature(function)} "
            f"({'; '.join(problems)})",
        )


def argument_order(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the function's arguments, in the order of its signature."""
    parameters = _parameters(function) or {}
    return tuple(name for name, p in parameters.items() if p.kind in _BY_NAME)


def argument_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Argument name to default, for the arguments that have one."""
    parameters = _parameters(function) or {}
    return {
        name: p.default
        for name, p in parameters.items()
        if p.kind in _BY_NAME and p.default is not inspect.Parameter.empty
    }


def call(function: Callable[..., Any], params: Mapping[str, Any], reporter: object = None) -> Any:
    """Call the function with its hyperparameters by name; if it is async, run it to its end.

    Args:
        function: The training function.
        params: Hyperparameter name to value.
        reporter: Also passed, if the function has an argument of that name.

    Returns:
        What the function returned.
    """
    rest = dict(params)
    parameters = _parameters(function) or {}
    if REPORTER in parameters and parameters[REPORTER].kind in _BY_NAME:
        rest[REPORTER] = reporter
    positional = []
    for parameter in parameters.values():
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            break
        value = rest.pop(parameter.name, parameter.default)
        if value is inspect.Parameter.empty:
            break
        positional.append(value)
    returned = function(*positional, **rest)
    if inspect.isawaitable(returned):
        import asyncio  # most training functions are not asynchronous

        return asyncio.run(_await(returned))
    return returned


async def _await(value: Any) -> Any:
    return await value


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return None
