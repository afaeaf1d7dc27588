"""The current directory of this process, which may have been removed."""

from __future__ import annotations

import os

__all__ = ["here", "standing_directory"]


def here() -> str | None:
    """The current directory, or None if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def standing_directory() -> str:
    """A directory for a child process to start in: the current one, or the root if it is gone.

    Python, Prefect and TensorBoard exit with an error in a directory that was removed.
    """
    return here() or os.sep
