"""The directory of this machine where copies of the project's files and the index are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_directory"]

CACHE_VARIABLE = "HOPSML_CACHE"
"""Environment variable that names the directory for cached copies, for notes on them, and for the
index of experiments."""


def cache_directory() -> Path:
    """Return the cache directory: ``HOPSML_CACHE``, the user's cache, or a temporary directory."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).absolute()
    try:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hopsml"
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            return directory
    except (OSError, RuntimeError):  # no home directory, or one that cannot be written
        pass
    return Path(tempfile.gettempdir()) / f"hopsml-cache-{os.getuid()}"
