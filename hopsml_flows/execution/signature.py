"""Check hyperparameters against a function's signature, and call it with them. No I/O."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from hopsml_flows.errors import SignatureMismatchError

__all__ = [
    "BUDGET",
    "BUDGETS_ELSEWHERE",
    "REPORTER",
    "argument_defaults",
    "argument_order",
    "call",
    "check_names",
    "takes_any_name",
]

REPORTER = "reporter"
"""Argument of a training function that receives the trial's reporter; not a hyperparameter."""

BUDGET = "budget"
"""Argument of a training function that receives the trial's budget, where the search gives one."""

BUDGETS_ELSEWHERE: Mapping[str, str] = MappingProxyType({BUDGET: 'optimizer="asha" gives'})
"""What a user may mean whose function has the argument, but whose search has no budgets."""

_BY_NAME = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


def check_names(
    function: Callable[..., Any],
    names: Collection[str],
    *,
    argument: str,
    given: Collection[str] = (),
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Check that the hyperparameters match the function's arguments.

    Args:
        function: The training function; one without a readable signature passes.
        names: The hyperparameters' names.
        argument: The argument that the error names.
        given: Further names of arguments that the trial may give the function.
        elsewhere: Names that it would give under other circumstances, and which.

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
    open_ended = _is_open_ended(parameters)
    missing = [
        p.name
        for p in parameters.values()
        if p.kind in _BY_NAME
        and p.default is inspect.Parameter.empty
        and p.name not in names
        and p.name not in (REPORTER, *given)
    ]
    extra = [] if open_ended else sorted(set(names) - known)
    if missing or extra:
        problems = []
        if missing:
            problems.append(f"missing: {', '.join(_told(missing, elsewhere))}")
        if extra:
            problems.append(f"not an argument of the function: {', '.join(extra)}")
        raise SignatureMismatchError(
            argument,
            sorted(names),
            f"must match the training function's arguments {inspect.signature(function)} "
            f"({'; '.join(problems)})",
        )


def _told(names: Collection[str], elsewhere: Mapping[str, str]) -> list[str]:
    return [f"{name}, which {elsewhere[name]}" if name in elsewhere else name for name in names]


def takes_any_name(function: Callable[..., Any]) -> bool:
    """Whether the function takes arguments of any name: ``**hyperparameters``."""
    return _is_open_ended(_parameters(function) or {})


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


def call(
    function: Callable[..., Any],
    params: Mapping[str, Any],
    reporter: object = None,
    budget: float | None = None,
) -> Any:
    """Call the function with its hyperparameters by name; if it is async, run it to its end.

    Args:
        function: The training function.
        params: Hyperparameter name to value.
        reporter: Also passed, if the function has an argument of that name.
        budget: Also passed, unless it is None, if the function has an argument of that name or
            takes any.

    Returns:
        What the function returned.
    """
    rest = dict(params)
    parameters = _parameters(function) or {}
    if REPORTER in parameters and parameters[REPORTER].kind in _BY_NAME:
        rest[REPORTER] = reporter
    if budget is not None and _takes(parameters, BUDGET):
        rest.setdefault(BUDGET, budget)
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


def _is_open_ended(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _takes(parameters: Mapping[str, inspect.Parameter], name: str) -> bool:
    if name in parameters and parameters[name].kind in _BY_NAME:
        return True
    return _is_open_ended(parameters)


async def _await(value: Any) -> Any:
    return await value


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return None
