"""Trying again while storage is away for a moment: a restart, a failover, a node that is gone.

Only errors that may pass by themselves are waited out; a refusal is raised at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from hopsml_flows.storage import is_transient

__all__ = ["PATIENCE_SECONDS", "persistently"]

PATIENCE_SECONDS = 90.0
"""How long storage may stay away before what needs it fails."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0

T = TypeVar("T")


def persistently(action: Callable[[], T], *, patience: float | None = None) -> T:
    """Do something with storage, and again while it fails for a reason that may pass.

    Args:
        action: What to do; must be harmless to repeat.
        patience: Seconds after which the last error is raised; None for the usual.

    Returns:
        What the action returned.

    Raises:
        Exception: What the action raised last.
    """
    until = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    pause = _FIRST_PAUSE
    while True:
        try:
            return action()
        except Exception as error:
            if not is_transient(error) or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
