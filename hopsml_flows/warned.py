"""Warnings that point at the user's code, however deep inside this package their reason is found.

Python shows a warning once per place, and with the line of that place. A line of this package would
say nothing, and would hide the same warning about the user's next call.
"""

from __future__ import annotations

import inspect
import warnings

from hopsml_flows.errors import HopsmlWarning

__all__ = ["warn"]

_INSIDE = frozenset({"hopsml_flows", "hopsml_tasks", "prefect", "contextlib", "functools"})
"""Packages whose code stands between the user's call and the reason."""


def warn(text: str) -> None:
    """Warn with a :class:`~hopsml_flows.errors.HopsmlWarning`.

    Args:
        text: What to say.
    """
    frame = inspect.currentframe()
    level = 0
    while frame is not None and _is_inside(str(frame.f_globals.get("__name__"))):
        frame = frame.f_back
        level += 1
    # Without any other code below, as in a thread of this package's, its caller has to do.
    warnings.warn(HopsmlWarning(text), stacklevel=2 if frame is None else level + 1)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in _INSIDE
