"""Which storage errors may be gone when the same is tried again."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping

__all__ = ["has_no_room", "is_of_storage", "is_transient"]

# What a second try meets again.
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

# Exceptions of HDFS, by name in the message, that say so themselves.
_PERMANENT_NAMES = (
    "QuotaExceededException",
    "AccessControlException",
    "InvalidPathException",
    "HadoopIllegalArgumentException",
)

# Requests that a server answered so were sent to one that was busy or on its way up.
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

_NETWORK_PACKAGES = ("requests", "urllib3", "aiohttp", "botocore", "aiobotocore")
_STORAGE_PACKAGES = (*_NETWORK_PACKAGES, "pyarrow", "gcsfs", "adlfs", "azure", "google")

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_transient(error: BaseException) -> bool:
    """Whether what failed on a storage may succeed when it is tried again.

    What is missing, forbidden or full stays so; what is interrupted, busy or unknown may not.

    Args:
        error: What an operation of a project raised.
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
    """Whether an error came from a storage, for now or for good, rather than from a mistake.

    Args:
        error: What an operation of a project raised.
    """
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or package in _STORAGE_PACKAGES


def has_no_room(error: BaseException) -> bool:
    """Whether a disk is full, or a quota used up.

    Args:
        error: What a local write raised.
    """
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error carries, in botocore's way, requests' or aiohttp's."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    elif response is not None:
        status = getattr(response, "status_code", None)
    else:
        status = getattr(error, "status", None)
    return status if isinstance(status, int) else None
