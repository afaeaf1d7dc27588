"""Tells storage errors that may pass from those that stay."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping

__all__ = ["has_no_room", "is_of_storage", "is_transient"]

# A second try raises these again.
_PERMANENT = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
)
_PERMANENT_NUMBERS = frozenset(
    {
        errno.EINVAL,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENAMETOOLONG,
        errno.EROFS,
        errno.ENOTEMPTY,
        errno.EXDEV,
    }
)

# Permanent errors of HDFS, by the exception's name in the message.
_PERMANENT_NAMES = (
    "QuotaExceededException",
    "AccessControlException",
    "InvalidPathException",
    "HadoopIllegalArgumentException",
)

# Answers of a server that is busy or just starting.
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

_NETWORK_PACKAGES = ("requests", "urllib3", "aiohttp", "botocore", "aiobotocore")
_STORAGE_PACKAGES = (*_NETWORK_PACKAGES, "pyarrow", "gcsfs", "adlfs", "azure", "google")

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_transient(error: BaseException) -> bool:
    """Whether a failed operation on storage may succeed when it is tried again.

    A missing file, a refusal or a full disk stays. An interruption, a busy server or an unknown
    error may pass.

    Args:
        error: The error that an operation of a project raised.

    Example:
        >>> is_transient(ConnectionResetError()), is_transient(FileNotFoundError())
        (True, False)
    """
    if isinstance(error, _PERMANENT) and not isinstance(error, (ConnectionError, TimeoutError)):
        return False
    for cause in _causes(error):
        status = _status(cause)
        if status is not None:
            return status in _TRANSIENT_STATUS
    if isinstance(error, OSError):
        if error.errno in _PERMANENT_NUMBERS:
            return False
        return not any(name in str(error) for name in _PERMANENT_NAMES)
    return type(error).__module__.partition(".")[0] in _NETWORK_PACKAGES


def is_of_storage(error: BaseException) -> bool:
    """Whether an error came from storage, passing or not, rather than from a mistake in code.

    Args:
        error: The error that an operation of a project raised.
    """
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or package in _STORAGE_PACKAGES


def has_no_room(error: BaseException) -> bool:
    """Whether an error says that a disk is full, or a quota is used up.

    Args:
        error: The error that a local write raised.
    """
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of botocore, requests or aiohttp; None if it has none."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    elif response is not None:
        status = getattr(response, "status_code", None)
    else:
        status = getattr(error, "status", None)
    return status if isinstance(status, int) else None
