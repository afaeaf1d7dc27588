"""Judging the whole numbers that callers pass. Pure."""

from __future__ import annotations

from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.values import plain

__all__ = ["whole_number"]


def whole_number(argument: str, value: Any, *, least: int) -> int:
    """An argument as a whole number; NumPy's and tensors of one element count as such.

    Args:
        argument: Its name.
        value: What was passed.
        least: The smallest that is allowed.

    Raises:
        InvalidArgumentError: It is something else, or smaller.
    """
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InvalidArgumentError(argument, value, f"must be an integer of at least {least}")
    return number
