"""Finding out whether two processes mean the same place by a project.

A local path, or storage that is reached in other ways from elsewhere, may be there on two machines
and be two places: only a file that one writes and the other reads tells.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from hopsml_flows.storage.interface import temporary_beside
from hopsml_flows.storage.project import Project

__all__ = ["remove_marker", "sees_marker", "write_marker"]


def write_marker(project: Project) -> tuple[str, str]:
    """Write a file with a content that nobody knows.

    Args:
        project: The project.

    Returns:
        The file's path, and its content.
    """
    path, content = temporary_beside("marker"), uuid4().hex
    project.make_directory("")
    project.replace(path, content)
    return path, content


def sees_marker(project: Project, path: str, content: str) -> str | None:
    """Look for a marker.

    Args:
        project: The project, as this process has it.
        path: Path of the marker.
        content: What must be in it.

    Returns:
        None if it is there, else why not.
    """
    try:
        found = project.read(path)
    except FileNotFoundError:
        return "it has no such directory, or another one of that name"
    except Exception as error:  # each storage has errors of its own
        return f"{type(error).__name__}: {error}"
    return None if found == content.encode() else "it has another directory of that name"


def remove_marker(project: Project, path: str) -> None:
    """Remove a marker; what cannot be removed does no harm.

    Args:
        project: The project.
        path: Path of the marker.
    """
    with suppress(Exception):
        project.remove(path)
