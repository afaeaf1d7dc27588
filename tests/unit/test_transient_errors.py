from __future__ import annotations

import errno

import pytest
import requests

from hopsml_flows.storage import is_transient


def caused(error, cause):
    error.__cause__ = cause
    return error


class AnsweredError(Exception):
    """Carries an answer as botocore's errors do."""

    def __init__(self, status):
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        ConnectionResetError(),
        TimeoutError("no answer"),
        OSError(errno.EIO, "HDFS CloseFile failed"),
        OSError("HDFS connection failed"),
        requests.ConnectionError("x"),
        requests.ReadTimeout("x"),
        caused(OSError(errno.EINVAL, "busy"), AnsweredError(503)),
        caused(OSError(errno.EIO, "slow down"), AnsweredError(429)),
        OSError(errno.EIO, "SafeModeException: Name node is in safe mode"),
    ],
    ids=repr,
)
def test_what_may_pass_is_transient(error):
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("x"),
        FileExistsError("x"),
        PermissionError("x"),
        IsADirectoryError("x"),
        NotADirectoryError("x"),
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EDQUOT, "quota"),
        OSError(errno.EINVAL, "illegal name"),
        OSError(errno.EIO, "DSQuotaExceededException: the quota is exceeded"),
        caused(OSError(errno.EIO, "gone"), AnsweredError(404)),
        ValueError("x"),
        KeyError("x"),
    ],
    ids=repr,
)
def test_what_stays_is_not(error):
    assert not is_transient(error)
