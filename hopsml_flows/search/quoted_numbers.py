"""Finds numbers that came as text: quoted, or read by YAML, which takes ``1e-3`` for text. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from hopsml_flows.user_warnings import warn

__all__ = ["YAML", "number_in", "text_choice_complaint", "warn_of_unread"]

YAML = "(YAML takes 1e-3 for text, and 1.0e-3 for a number)"
"""A hint for users who write YAML; it follows the number as it should be written."""

_UNREAD = re.compile(r"[-+]?(\d+[eE][-+]?\d+|(\d+\.\d*|\.\d+)[eE]\d+)")
"""Numbers that YAML 1.1 takes for text: no point, or no sign in the exponent."""


def number_in(value: object) -> int | float | None:
    """Return the finite number that a text says, or None.

    Args:
        value: Anything; None is returned for all but texts.
    """
    if not isinstance(value, str):
        return None
    for kind in (int, float):
        try:
            number: int | float = kind(value)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def text_choice_complaint(values: Sequence[object]) -> str | None:
    """Return a warning about a choice of texts that may be meant as numbers, or None.

    Args:
        values: The choices.
    """
    numbers = [number for value in values if (number := number_in(value)) is not None]
    if not values or len(numbers) < len(values):
        return None
    if len(values) == 1:
        # "32" may be a name; "1e-3" is hardly one.
        if not _is_unread(values[0]):
            return None
        instead = f"for a fixed number write {numbers!r} {YAML}"
    elif len(values) == 2:
        instead = f"for the interval between two numbers write {numbers!r} {YAML}"
    else:
        instead = f"for numbers write Categorical({numbers!r}) {YAML}"
    return (
        f"{values!r} is a choice of texts, and the training function gets texts: {instead}; "
        f"for this choice write Categorical({values!r})"
    )


def warn_of_unread(argument: str, lists: Mapping[str, Sequence[object]]) -> None:
    """Warn of lists of texts that are numbers which YAML took for text.

    A text such as ``"1e-3"`` is hardly meant as text; ``"32"`` may be a name.

    Args:
        argument: The name of the lists in the warning.
        lists: Hyperparameter name to its values.
    """
    for name, values in lists.items():
        if values and all(map(_is_unread, values)):
            numbers = [number_in(value) for value in values]
            warn(
                f"{argument}[{name!r}]: {values!r} are texts, and the training function gets "
                f"texts: for numbers write {numbers!r} {YAML}"
            )


def _is_unread(value: object) -> bool:
    return isinstance(value, str) and _UNREAD.fullmatch(value.strip()) is not None
