"""Judging numbers: which values are some, and those that callers pass. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.values.plain import is_finite, plain, single_number

__all__ = [
    "LARGEST",
    "MOST_SECONDS",
    "is_number",
    "is_whole",
    "number_inside",
    "python_number",
    "seconds",
    "whole_number",
]

LARGEST = 2**63 - 1
"""The largest whole number that the Prefect server and readers of JSON accept."""

MOST_SECONDS = 315_360_000.0
"""Ten years; timers of Python and of the system overflow not far beyond."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is an int or a float; a bool is neither.

    Args:
        value: Anything; a scalar of NumPy's or a tensor after :func:`plain`.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an int; a bool is none.

    Args:
        value: Anything; a scalar of NumPy's or a tensor after :func:`plain`.
    """
    return isinstance(value, int) and not isinstance(value, bool)


def whole_number(argument: str, value: Any, *, least: int, most: int | None = None) -> int:
    """Return an argument as a whole number; NumPy's and tensors of one element count as such.

    Args:
        argument: Its name.
        value: What was passed.
        least: The smallest that is allowed.
        most: The largest that is allowed, or None for :data:`LARGEST`.

    Raises:
        InvalidArgumentError: It is no whole number, smaller or larger.
    """
    number = plain(value)
    if not is_whole(number) or number < least:
        raise InvalidArgumentError(argument, value, f"must be an integer of at least {least}")
    limit = LARGEST if most is None else most
    if number > limit:
        raise InvalidArgumentError(argument, value, f"must be an integer of at most {limit}")
    return number


def python_number(argument: str, value: Any, *, finite: bool = True) -> int | float:
    """Return an argument as a number of Python's own; JSON has no other ones.

    Args:
        argument: Its name.
        value: What was passed: a number, a scalar of NumPy's, or a tensor of one element.
        finite: Whether it must be finite.

    Raises:
        InvalidArgumentError: It is no number, or must be finite and is not.

    Example:
        >>> import numpy as np
        >>> python_number("budget", np.float32(0.5)), python_number("budget", np.int64(3))
        (0.5, 3)
    """
    number = value if type(value) in (int, float) else single_number(value)
    if number is None or (finite and not is_finite(number)):
        raise InvalidArgumentError(argument, value, f"must be a {'finite ' * finite}number")
    return number


def number_inside(
    argument: str, value: Any, allowed: str, inside: Callable[[float], bool]
) -> float:
    """Return an argument as a finite number of a range.

    Args:
        argument: Its name.
        value: What was passed.
        allowed: The range, for the error, such as "in [0, 1]".
        inside: Whether a number lies in the range.

    Raises:
        InvalidArgumentError: It is no number, not finite, or outside.
    """
    number = plain(value)
    if not is_number(number):
        raise InvalidArgumentError(argument, value, f"must be a number {allowed}")
    if not is_finite(number) or not inside(number):
        raise InvalidArgumentError(argument, value, f"must be {allowed}")
    return float(number)


def seconds(argument: str, value: Any, *, zero: bool = False, otherwise: str = "") -> float:
    """Return an argument as a time in seconds.

    Args:
        argument: Its name.
        value: What was passed.
        zero: Whether 0 is allowed.
        otherwise: What else is allowed, for the error, such as ", or None".

    Raises:
        InvalidArgumentError: It is no number, not finite, too small, or longer than ten years.
    """
    number = plain(value)
    if not is_number(number) or not is_finite(number) or number < 0 or (number == 0 and not zero):
        wanted = "a number of seconds from 0" if zero else "a positive number of seconds"
        raise InvalidArgumentError(argument, value, f"must be {wanted}{otherwise}")
    if number > MOST_SECONDS:
        wanted = f"at most {MOST_SECONDS:,.0f} seconds, which are ten years"
        raise InvalidArgumentError(argument, value, f"must be {wanted}{otherwise}")
    return float(number)
