"""``webhdfs://``: HDFS over HTTP, with the faults of fsspec's own client corrected.

fsspec's class cannot append, ignores a rename that did nothing, waits without limit, answers "does
not exist" when no server answers, and reads a large file in pieces that may come from two versions.
Authentication and the addresses of DataNodes are inherited.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.webhdfs import WebHDFS
from fsspec.spec import AbstractBufferedFile

from hopsml_flows.storage.hopsfs import path_of
from hopsml_flows.storage.interface import temporary_beside

__all__ = ["WebHdfsFileSystem"]

TIMEOUTS = (10, 60)
"""Longest waits, in seconds: to connect, and between two packets of an answer."""

_CHUNK = 1 << 20
_BLOCK = 32 << 20
_READ_TRIES = 4

T = TypeVar("T")

_HEADERS = {"content-type": "application/octet-stream"}

_ERRORS: dict[str, tuple[type[OSError], int]] = {
    "FileNotFoundException": (FileNotFoundError, errno.ENOENT),
    "AccessControlException": (PermissionError, errno.EACCES),
    "SecurityException": (PermissionError, errno.EACCES),
    "AuthenticationException": (PermissionError, errno.EACCES),
    "AuthorizationException": (PermissionError, errno.EACCES),
    "InvalidToken": (PermissionError, errno.EACCES),
    "FileAlreadyExistsException": (FileExistsError, errno.EEXIST),
    "ParentNotDirectoryException": (NotADirectoryError, errno.ENOTDIR),
    "PathIsNotEmptyDirectoryException": (OSError, errno.ENOTEMPTY),
    "DSQuotaExceededException": (OSError, errno.EDQUOT),
    "NSQuotaExceededException": (OSError, errno.EDQUOT),
    "InvalidPathException": (OSError, errno.EINVAL),
    "IllegalArgumentException": (OSError, errno.EINVAL),
    "HadoopIllegalArgumentException": (OSError, errno.EINVAL),
    "UnsupportedOperationException": (OSError, errno.ENOTSUP),
}


class WebHdfsFileSystem(WebHDFS):  # type: ignore[misc]  # fsspec has no types
    """HDFS over HTTP.

    Args:
        host: NameNode, or an HttpFS gateway.
        port: Its HTTP port.
        user: The user name; None for ``HADOOP_USER_NAME``, unless a token or Kerberos identifies
            the user.
        **options: As of ``fsspec.implementations.webhdfs.WebHDFS``.
    """

    protocol = "webhdfs"

    def __init__(
        self, host: str, port: int = 9870, user: str | None = None, **options: Any
    ) -> None:
        if self._cached:
            return
        if user is None and not (options.get("token") or options.get("kerberos")):
            user = os.environ.get("HADOOP_USER_NAME")
        super().__init__(host, port=port, user=user, **options)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [path_of(each) for each in path]
        return path_of(path)

    def _call(
        self,
        op: str,
        method: str = "get",
        path: str | None = None,
        data: Any = None,
        redirect: bool = True,
        **kwargs: Any,
    ) -> requests.Response:
        # Private, but all of fsspec's methods use it: with this override they all raise the right
        # errors. tests/integration/test_hdfs_clients.py fails when it changes.
        where = self._apply_proxy(self.url + quote(path_of(path or "/")))
        parameters = {**kwargs, **self.pars, "op": op.upper()}
        return self._send(method, where, params=parameters, data=data, allow_redirects=redirect)

    def _send(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Send a request, and raise the error that its answer reports.

        The errors of requests quote the URL, which may contain a token, so they are not chained.
        """
        arguments.setdefault("timeout", TIMEOUTS)
        try:
            answer: requests.Response = self.session.request(method.upper(), url, **arguments)
        except requests.RequestException as error:
            raised = _plain(error, url)
        else:
            if answer.status_code < 400:
                return answer
            raised = _refusal(answer)
        raise raised

    def _data_node(self, op: str, method: str, path: str, **parameters: Any) -> str:
        """Return the URL at a DataNode to which the NameNode redirects a request for data."""
        answer = self._call(op, method, path, redirect=False, **parameters)
        return str(self._apply_proxy(answer.headers["Location"]))

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether a path exists; raise an error if the server does not say."""
        try:
            self.info(path, **kwargs)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe a file or directory."""
        described: dict[str, Any] = super().info(path_of(path))
        return described

    def ls(self, path: str, detail: bool = False, **_: Any) -> list[Any]:
        """List a directory; for a file, list the file."""
        entries = super().ls(path_of(path), detail=True)
        for entry in entries:
            entry["name"] = entry["name"].rstrip("/")
        return entries if detail else [entry["name"] for entry in entries]

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Create a directory and its parents."""
        if not exist_ok and self.exists(path):
            raise FileExistsError(errno.EEXIST, "exists already", path)
        self._call_for_effect("MKDIRS", "put", path)

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        """Rename, and replace a file that has the new name, atomically."""
        # With options, a failure is an error. Without, it is a "false" that fsspec does not read.
        target = path_of(path2)
        self._call("RENAME", "put", path1, destination=target, renameoptions="OVERWRITE")

    def rm(self, path: str, recursive: bool = False, **_: Any) -> None:
        """Remove a file or directory."""
        self._call_for_effect("DELETE", "delete", path, recursive="true" if recursive else "false")

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write a file; with mode "create" raise FileExistsError if it exists."""
        if mode != "create":
            self.put_data(path, value)
            return
        beside = temporary_beside(path_of(path))
        self.put_data(beside, value)
        try:
            # "NONE" refuses to overwrite; the NameNode decides atomically for all clients.
            self._call("RENAME", "put", beside, destination=path_of(path), renameoptions="NONE")
        except BaseException:
            self.rm(beside)
            raise

    def put_data(self, path: str, data: Any) -> None:
        """Write a file.

        Args:
            path: The file.
            data: Bytes, or an iterator of them, which is sent piece by piece.
        """
        where = self._data_node("CREATE", "put", path, overwrite="true")
        self._send("put", where, data=data, headers=_HEADERS)

    def append_data(self, path: str, data: bytes) -> None:
        """Append to a file, and create it if it does not exist.

        Args:
            path: The file.
            data: What to append.
        """
        try:
            where = self._data_node("APPEND", "post", path)
        except FileNotFoundError:
            self.put_data(path, data)
            return
        self._send("post", where, data=data, headers=_HEADERS)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """Read a file, or a part of it, in one request, and so from a single version."""
        if (start or 0) < 0 or (end is not None and end < 0):
            size = self.info(path)["size"]
            start = start if start is None or start >= 0 else max(0, size + start)
            end = end if end is None or end >= 0 else size + end
        part: dict[str, Any] = {"offset": start} if start else {}
        if end is not None:
            if end <= (start or 0):
                return b""
            part["length"] = end - (start or 0)

        # The blocks of a version that was just replaced may disappear while they are read.
        def read() -> bytes:
            return self._send("get", self._data_node("OPEN", "get", path, **part)).content

        return _retry(read)

    def get_file(self, rpath: str, lpath: str, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        """Copy a file to a local path, in one request."""

        def copy() -> None:
            answer = self._send("get", self._data_node("OPEN", "get", rpath), stream=True)
            done = 0
            with answer, open(lpath, "wb") as file:
                try:
                    for chunk in answer.iter_content(_CHUNK):
                        file.write(chunk)
                        done += len(chunk)
                        callback.absolute_update(done)
                except requests.RequestException as error:
                    raised: OSError = _plain(error, answer.url)
                else:
                    return
            raise raised

        _retry(copy)

    def put_file(self, lpath: str, rpath: str, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        """Copy a local file to the storage, in one request."""
        size = os.path.getsize(lpath)
        callback.set_size(size)
        self.put_data(rpath, _chunks(lpath, callback) if size else b"")

    def free_bytes(self, path: str) -> int | None:
        """Return the free bytes; None if the NameNode is older than Hadoop 3.4, and cannot say."""
        try:
            answer = self._call("GETSTATUS", path=path)
        except OSError:
            return None
        return int(answer.json()["FsStatus"]["remaining"])

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, **kwargs: Any
    ) -> Any:
        path = path_of(path)
        if mode == "rb":
            return super()._open(path, mode, block_size=block_size, **kwargs)
        if mode == "xb":
            if self.exists(path):
                raise FileExistsError(errno.EEXIST, "exists already", path)
            mode = "wb"
        if mode == "wb":
            self.put_data(path, b"")
        return _WrittenFile(self, path, mode=mode, block_size=block_size or _BLOCK)

    def _call_for_effect(self, op: str, method: str, path: str, **parameters: Any) -> None:
        """Call an operation; raise FileNotFoundError if it answers that it did nothing."""
        if not self._call(op, method, path, **parameters).json()["boolean"]:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)


class _WrittenFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file that is written by appending blocks."""

    def _initiate_upload(self) -> None:
        """Do nothing: :meth:`WebHdfsFileSystem._open` has created the file."""

    def _upload_chunk(self, final: bool = False) -> bool:  # noqa: ARG002 - fsspec's signature
        if data := self.buffer.getvalue():
            self.fs.append_data(self.path, data)
        return True


def _chunks(path: str, callback: Any) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
            callback.relative_update(len(chunk))


def _retry(read: Callable[[], T]) -> T:
    for _ in range(_READ_TRIES - 1):
        try:
            return read()
        except ConnectionError:
            continue
    return read()


def _plain(error: requests.RequestException, url: str) -> OSError:
    """Return the reason why a request got no answer, without its URL."""
    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port}"
    if isinstance(error, requests.Timeout):
        return TimeoutError(f"{where}: no answer")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return ConnectionRefusedError(f"{where}: {cause.strerror}")
        if isinstance(cause, socket.gaierror):
            return ConnectionError(f"{where}: {cause.strerror}")
        cause = cause.__cause__ or cause.__context__
    return ConnectionError(f"{where}: {type(error).__name__}")


def _refusal(answer: requests.Response) -> OSError:
    """Return the error that an answer of a NameNode or DataNode reports."""
    try:
        remote = answer.json()["RemoteException"]
        name, message = str(remote["exception"]), str(remote["message"]).splitlines()[0]
    except (ValueError, KeyError, TypeError, IndexError):
        name, message = f"HTTP {answer.status_code}", str(answer.reason)
    default = (PermissionError, errno.EACCES) if answer.status_code == 401 else (OSError, errno.EIO)
    kind, number = _ERRORS.get(name, default)
    return kind(number, f"{name}: {message}" if kind is OSError else message)
