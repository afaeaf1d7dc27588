"""Numbers that came as text: quoted by hand, or by YAML, which reads ``1e-3`` as text. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from hopsml_flows.warned import warn

__all__ = ["YAML", "number_in", "text_choice_complaint", "warn_of_unread"]

YAML = "(YAML takes 1e-3 for text, and 1.0e-3 for a number)"
"""What people who write YAML should know; goes after the number as it should be."""

_UNREAD = re.compile(r"[-+]?(\d+[eE][-+]?\d+|(\d+\.\d*|\.\d+)[eE]\d+)")
"""Numbers that YAML 1.1 takes for text: without a point, or without a sign in the exponent."""


def number_in(value: object) -> int | float | None:
    """The finite number that a text is, or None.

    Args:
        value: Anything; what is no text has none.
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
    """What is to be said of a choice of texts that may be meant as bounds; None where it is not.

    Args:
        values: The choices.
    """
    numbers = [number for value in values if (number := number_in(value)) is not None]
    if not values or len(numbers) < len(values):
        return None
    if len(values) == 1:
        # "32" may well be a name; "1e-3" is hardly meant as one.
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

    A text such as ``"1e-3"`` is hardly meant as one; ``"32"`` may well be a name.

    Args:
        argument: What to call the lists.
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
