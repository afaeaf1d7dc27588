"""Checks whether a Dask class takes a cluster's options, before an instance is made."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from hopsml_flows.errors import InvalidClusterError

__all__ = ["cause_of", "check_options"]


def check_options(options: Mapping[str, Any], *kinds: type) -> None:
    """Refuse options that no constructor takes, and names that are not strings.

    Dask's cluster classes accept any keyword and pass it on. If no constructor takes it, half a
    cluster is left behind.

    Args:
        options: The options.
        *kinds: The classes that take them; the first one is named in the error.

    Raises:
        InvalidClusterError: An option is unknown.
    """
    known = {
        parameter.name
        for kind in kinds
        for parent in kind.__mro__
        if "__init__" in vars(parent) and parent is not object
        for parameter in inspect.signature(vars(parent)["__init__"]).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    unknown = sorted(map(str, set(options) - known))
    if unknown:
        raise InvalidClusterError(
            "cluster.options",
            unknown,
            f"must be arguments of {kinds[0].__name__}, which are {sorted(known - {'self'})}",
        )


def cause_of(error: BaseException) -> str:
    """The text of the error that made Dask fail.

    Dask wraps it in errors that say only which part did not start.

    Args:
        error: What Dask raised.
    """
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        error = cause
    return f"{type(error).__name__}: {error}"
