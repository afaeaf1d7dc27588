"""The working directory of this process, which may have been removed."""

from __future__ import annotations

import os

__all__ = ["here", "standing_directory"]


def here() -> str | None:
    """The working directory, or None where it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def standing_directory() -> str:
    """Where a child process can start: the working directory, or the root where it was removed.

    Python, Prefect and TensorBoard end with an error in a directory that was removed.
    """
    return here() or os.sep
