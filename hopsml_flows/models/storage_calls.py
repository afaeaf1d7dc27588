"""Requests to storage on behalf of models: patient, and with one kind of error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hopsml_flows.errors import HopsmlError, NoSpaceError, StorageUnavailableError
from hopsml_flows.storage import Project, has_no_room, is_of_storage
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.text import one_line

__all__ = ["stored"]

T = TypeVar("T")

_OF_THE_REQUEST = (FileExistsError, FileNotFoundError)


def stored(project: Project, path: str, action: Callable[[], T], *, size: int = 0) -> T:
    """Make a request, and repeat it while storage is away for a moment.

    Args:
        project: The project.
        path: What the request is about, relative to the project's root.
        action: Makes the request; it must be harmless to repeat.
        size: Bytes that it transfers.

    Returns:
        What the request returned.

    Raises:
        FileExistsError: The request raised it.
        FileNotFoundError: The request raised it.
        NoSpaceError: Storage is full.
        StorageUnavailableError: Storage refuses, or did not answer in time.
    """
    try:
        return persistently(action, limit=answer_limit(project, size))
    except (HopsmlError, *_OF_THE_REQUEST):
        raise
    except Exception as error:
        if not is_of_storage(error):
            raise
        words = one_line(project.without_secrets(str(error)))[:200]
        kind = NoSpaceError if has_no_room(error) else StorageUnavailableError
        raise kind(f"{project.full(path)}: {type(error).__name__}: {words}") from None
