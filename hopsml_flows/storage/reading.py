"""Reads what earlier runs left, and tells "does not exist" from "cannot be read".

That a file does not exist decides what happens next: a new experiment begins, or a trial runs
again. So it is returned only if storage itself says so. A passing error is waited out; a refusal
is raised. What is no regular file, or larger than any file of its kind is, is never read.
"""

from __future__ import annotations

from hopsml_flows.errors import DamagedFileError, StorageUnavailableError
from hopsml_flows.storage.project import Project
from hopsml_flows.storage.retries import answer_limit, persistently

__all__ = ["LARGEST_JOURNAL", "LARGEST_RECORD", "LARGEST_SUMMARY", "content_of", "names_in"]

LARGEST_RECORD = 1 << 26
"""Most bytes of a file that says something of an experiment as a whole: record, program,
environment."""

LARGEST_SUMMARY = 1 << 30
"""Most bytes of a file with an entry per trial, the summary. A million trials have room."""

LARGEST_JOURNAL = 1 << 34
"""Most bytes of a journal, which has a line for every few reports."""


def content_of(
    project: Project, path: str, most: int | None = None, *, size: int | None = None
) -> bytes | None:
    """Return a file's content; None if the file does not exist.

    Args:
        project: The project.
        path: The file, relative to the project's root.
        most: Most bytes that the file may have; None for any number.
        size: Its size, if the caller knows it, which saves a request to remote storage.

    Raises:
        DamagedFileError: It is no regular file, or has more bytes.
        StorageUnavailableError: Storage refuses the request, or did not answer within the patience
            of :func:`~hopsml_flows.storage.retries.persistently`.
    """
    try:
        if most is not None:
            if size is None:
                size = persistently(lambda: project.info(path), limit=answer_limit(project)).size
            if size > most:
                raise DamagedFileError(
                    project.full(path), f"has {size:,} bytes, which are more than {most:,}"
                )
        return persistently(lambda: project.read(path), limit=answer_limit(project))
    except DamagedFileError:
        raise
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
