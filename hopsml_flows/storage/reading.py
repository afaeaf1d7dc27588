"""Reads what earlier runs left, and tells "does not exist" from "cannot be read".

That a file does not exist decides what happens next: a new experiment begins, or a trial runs
again. So it is returned only if storage itself says so. A passing error is waited out; a refusal
is raised.
"""

from __future__ import annotations

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.storage.project import Project
from hopsml_flows.storage.retries import answer_limit, persistently

__all__ = ["content_of", "names_in"]


def content_of(project: Project, path: str) -> bytes | None:
    """Return a file's content; None if the file does not exist.

    Args:
        project: The project.
        path: The file, relative to the project's root.

    Raises:
        StorageUnavailableError: Storage refuses the request, or did not answer within the patience
            of :func:`~hopsml_flows.storage.retries.persistently`.
    """
    try:
        return persistently(lambda: project.read(path), limit=answer_limit(project))
    except (FileNotFoundError, NotADirectoryError):  # the latter: its directory's path is a file
        return None
    except Exception as error:  # each file system has its own errors
        raise _unreadable(project, path, error) from error


def names_in(project: Project, directory: str) -> list[str]:
    """Return the sorted names of a directory's entries; empty if the directory does not exist.

    Args:
        project: The project.
        directory: The directory, relative to the project's root.

    Raises:
        NotADirectoryError: The path is a file.
        StorageUnavailableError: As of :func:`content_of`.
    """
    try:
        return persistently(lambda: project.listdir(directory), limit=answer_limit(project))
    except NotADirectoryError:
        raise
    except Exception as error:
        raise _unreadable(project, directory, error) from error


def _unreadable(project: Project, path: str, error: Exception) -> StorageUnavailableError:
    lines = str(error).splitlines() or [""]
    return StorageUnavailableError(
        f"{project.full(path)} cannot be read ({type(error).__name__}: {lines[0]})"
    )
