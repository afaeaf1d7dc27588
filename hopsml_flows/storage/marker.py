"""Marker files, which show whether two processes see the same directory as the project.

One local path, or one URL, may lead to different places from two machines. Only a file that one
process writes and the other reads can tell.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from hopsml_flows.storage.interface import temporary_beside
from hopsml_flows.storage.project import Project

__all__ = ["remove_marker", "sees_marker", "write_marker"]


def write_marker(project: Project) -> tuple[str, str]:
    """Write a marker: a file with random content.

    Args:
        project: The project.

    Returns:
        The marker's path, and its content.
    """
    path, content = temporary_beside("marker"), uuid4().hex
    project.make_directory("")
    project.replace(path, content)
    return path, content


def sees_marker(project: Project, path: str, content: str) -> str | None:
    """Look for a marker.

    Args:
        project: The project as this process sees it.
        path: Path of the marker.
        content: The content that it must have.

    Returns:
        None if the marker is there, else the reason why it is not.
    """
    try:
        found = project.read(path)
    except FileNotFoundError:
        return "it has no such directory, or another one of that name"
    except Exception as error:  # each file system has its own errors
        return f"{type(error).__name__}: {error}"
    return None if found == content.encode() else "it has another directory of that name"


def remove_marker(project: Project, path: str) -> None:
    """Remove a marker. An error is ignored: a marker that stays does no harm.

    Args:
        project: The project.
        path: Path of the marker.
    """
    with suppress(Exception):
        project.remove(path)
