"""Reading what earlier runs left: what is there, what is not, and what cannot be known.

"There is no such file" decides what happens next: a new experiment begins, a trial runs again. So
it is only said where storage says so. What may pass is waited out; a refusal is an error.
"""

from __future__ import annotations

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.storage.project import Project
from hopsml_flows.storage.retries import answer_limit, persistently

__all__ = ["content_of", "names_in"]


def content_of(project: Project, path: str) -> bytes | None:
    """A file's content, or None where there is no such file.

    Args:
        project: The project.
        path: The file, relative to its root.

    Raises:
        StorageUnavailableError: Storage refuses it, or did not answer for as long as is waited.
    """
    try:
        return persistently(lambda: project.read(path), limit=answer_limit(project))
    except (FileNotFoundError, NotADirectoryError):  # or what should be its directory is a file
        return None
    except Exception as error:  # each file system has errors of its own
        raise _unreadable(project, path, error) from error


def names_in(project: Project, directory: str) -> list[str]:
    """Names of the files and directories in a directory, sorted; empty where there is none.

    Args:
        project: The project.
        directory: The directory, relative to its root.

    Raises:
        NotADirectoryError: It is a file.
        StorageUnavailableError: Storage refuses it, or did not answer for as long as is waited.
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
