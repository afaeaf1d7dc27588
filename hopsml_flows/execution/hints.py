"""Advice on errors of libraries that cannot read a project's storage."""

from __future__ import annotations

import re

from hopsml_flows.storage import Project

__all__ = ["hint_for"]

# TensorFlow's message; tests/integration/test_reading_data.py fails if it changes.
_NO_SCHEME = re.compile(r"File system scheme '([^']+)' not implemented(?: \(file: '([^']*)'\))?")


def hint_for(error: BaseException, project: Project) -> str | None:
    """Advice on an error and its causes, where this module knows some.

    Args:
        error: The error that a training function raised.
        project: Its project.

    Returns:
        A sentence without its full stop, or None.
    """
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found = _NO_SCHEME.search(_text(cause))
        if found is not None:
            return _use_local_paths(found[1], found[2] or "", project)
        cause = cause.__cause__ or cause.__context__
    return None


def _use_local_paths(scheme: str, file: str, project: Project) -> str:
    inside = file.removeprefix(f"{project.url.rstrip('/')}/") if file else "…"
    return (
        f"TensorFlow has no file system for {scheme}://: read through "
        f"hopsml_flows.hdfs.local_path({inside!r}), or local_paths() for several files, and write "
        "into hopsml_flows.tensorboard.logdir()"
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the error's own __str__ is the user's code too
        return ""
