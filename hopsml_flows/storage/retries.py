"""Repeats requests while storage is away for a moment: a restart, a failover, a lost node.

Only errors that may pass by themselves are waited out; a refusal is raised at once. A request that
hangs counts as failed: Hops' libhdfs hangs when a DataNode dies during a write.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from hopsml_flows.storage.project import Project
from hopsml_flows.storage.time_limit import within
from hopsml_flows.storage.transient import is_transient

__all__ = ["PATIENCE_SECONDS", "answer_limit", "persistently", "replace_file"]

PATIENCE_SECONDS = 90.0
"""How long storage may stay away before a request fails."""

ANSWER_SECONDS = 30.0
"""How long one request may take, in addition to the time for its bytes."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_SLOWEST = 500_000.0
"""Bytes per second from which a transfer counts as slow rather than as a hang."""

T = TypeVar("T")


def persistently(
    action: Callable[[], T], *, patience: float | None = None, limit: float | None = None
) -> T:
    """Make a request to storage, and repeat it while it fails for a reason that may pass.

    Args:
        action: Makes the request; it must be harmless to repeat.
        patience: Seconds after which the last error is raised; None for ``PATIENCE_SECONDS``.
        limit: Seconds that one try may take; None for no limit.

    Returns:
        The action's result.

    Raises:
        Exception: The action's last error.
    """
    until = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    pause = _FIRST_PAUSE
    while True:
        try:
            return within(limit, action)
        except Exception as error:
            if not is_transient(error) or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def answer_limit(project: Project, size: int = 0) -> float | None:
    """Return how long a request to a project's storage may take.

    Args:
        project: The project.
        size: Bytes that the request transfers.

    Returns:
        Seconds; None for a local project, which has no limit.
    """
    return None if project.local_root is not None else ANSWER_SECONDS + size / _SLOWEST


def replace_file(
    project: Project, path: str, data: bytes | str, *, patience: float | None = None
) -> None:
    """Write a whole file with :meth:`Project.replace`, and try again while storage is away.

    Args:
        project: The project.
        path: The file, relative to the project's root.
        data: The content.
        patience: As of :func:`persistently`; 0 for one try.

    Raises:
        Exception: The last error of storage.
    """
    limit = answer_limit(project, len(data))
    persistently(lambda: project.replace(path, data), patience=patience, limit=limit)
