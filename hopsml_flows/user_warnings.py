"""Warnings that point at the user's code, wherever in this package their reason is found.

Python shows a warning once per place, with the line of that place. A line of this package would not
help the user, and would hide the same warning about the user's next call.
"""

from __future__ import annotations

import inspect
import warnings

from hopsml_flows.errors import HopsmlWarning

__all__ = ["warn"]

_INSIDE = frozenset(
    {
        "hopsml_flows", "hopsml_tasks", "prefect", "pydantic",
        "asyncio", "concurrent", "contextlib", "functools", "threading",
    }
)  # fmt: skip
"""Packages whose code may lie between the user's call and the reason."""


def warn(text: str) -> None:
    """Issue a :class:`~hopsml_flows.errors.HopsmlWarning` at the user's line.

    Args:
        text: The message.
    """
    frame = inspect.currentframe()
    level = 0
    while frame is not None and _is_inside(str(frame.f_globals.get("__name__"))):
        frame = frame.f_back
        level += 1
    # Without any user's code on the stack, as in a thread of this package, point at the caller.
    warnings.warn(HopsmlWarning(text), stacklevel=2 if frame is None else level + 1)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in _INSIDE
