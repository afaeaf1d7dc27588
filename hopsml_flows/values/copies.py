"""Copies of objects that callers give to experiments. Pure."""

from __future__ import annotations

import copy
from typing import TypeVar

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["copied"]

T = TypeVar("T")


def copied(argument: str, value: T) -> T:
    """Return a deep copy: what an experiment changes in it, no other experiment sees.

    Args:
        argument: The name of the argument.
        value: What was passed.

    Raises:
        InvalidArgumentError: It cannot be copied.

    Example:
        >>> given = {"rates": [0.1]}
        >>> copied("optimizer", given)["rates"].append(0.2)
        >>> given
        {'rates': [0.1]}
    """
    try:
        return copy.deepcopy(value)
    except Exception as error:  # from the code of the object, or of what it holds
        raise InvalidArgumentError(
            argument, value, because=f"copying it raised {type(error).__name__}: {error}"
        ) from error
