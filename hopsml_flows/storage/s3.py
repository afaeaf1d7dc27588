"""``s3://``: settings of s3fs, and the requests to S3 that s3fs does not make.

Credentials, region and endpoint come from the options, else from the variables that AWS' own
tools read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any
from urllib.parse import urlsplit

from hopsml_flows.storage.hopsfs import check_port
from hopsml_flows.storage.interface import FileInfo
from hopsml_flows.storage.remote import ObjectFiles

__all__ = ["S3Files", "s3_options"]

_CREDENTIALS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}

_SMALLEST_PART = 5 << 20
"""Bytes that S3 requires of each part of an object but the last."""

_MOST_A_REQUEST = 1000
"""Objects that one request may remove at most."""


class S3Files(ObjectFiles):
    """Files of an S3 bucket, or below a prefix of it.

    A policy may allow only one prefix, such as ``home/alice/*``. AWS then refuses requests for the
    bucket, for ``home/alice`` without a slash, and for all paths above it. For an object that does
    not exist it answers "forbidden" rather than "not found", because a user who may not list the
    whole bucket must not learn what exists. Listings below the prefix do tell.
    """

    def check_writable(self) -> None:
        """List the root: s3fs cannot tell a missing answer from an empty bucket.

        Raises:
            OSError: The bucket does not exist or may not be used, or the server does not answer.
        """
        endpoint = (self._fs.client_kwargs or {}).get("endpoint_url") or self._fs.endpoint_url
        if endpoint:  # s3fs tries many times if no server listens
            parts = urlsplit(endpoint)
            check_port(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self._lists("")

    def info(self, path: str) -> FileInfo:
        """Describe a file or directory."""
        if not path:  # ask for neither an object nor the bucket: both may be forbidden
            if not self._lists("") and "/" in self._root:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", self._root)
            return FileInfo("", 0, is_directory=True, modified=None)
        try:
            return super().info(path)
        except PermissionError:
            if self._is_directory_behind_refusal(path):
                return FileInfo(path, 0, is_directory=True, modified=None)
            raise

    def exists(self, path: str) -> bool:
        """Whether a file or directory exists."""
        try:
            self.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def read(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's content, or a part of it."""
        with self._missing_is_not_forbidden(path):
            return super().read(path, start, stop)

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file; text is UTF-8."""
        with self._missing_is_not_forbidden(path):
            return super().open(path, mode)

    def walk_files(self, path: str) -> Iterator[FileInfo]:
        """Yield all files below a directory, from one listing."""
        # All of them first: if the listing is empty, s3fs asks for the directory as an object.
        try:
            with self._missing_is_not_forbidden(path):
                files = list(super().walk_files(path))
        except FileNotFoundError:
            return
        yield from files

    @contextmanager
    def _missing_is_not_forbidden(self, path: str) -> Iterator[None]:
        """Raise FileNotFoundError for a file that does not exist, where S3 says "forbidden"."""
        try:
            yield
        except PermissionError:
            self.info(path)
            raise

    def _is_directory_behind_refusal(self, path: str) -> bool:
        """Whether a path that S3 refuses to describe is a directory; False for an object.

        Raises:
            FileNotFoundError: It is neither.
            PermissionError: S3 refuses to list it as well.
        """
        if self._lists(path):
            return True
        bucket, _, key = self._at(path).partition("/")
        with suppress(PermissionError):  # at the policy's prefix, only paths below it may be listed
            found = self._fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)
            if any(each["Key"] == key for each in found.get("Contents", [])):
                return False
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

    def _lists(self, path: str) -> bool:
        """Whether a directory, or the bucket, contains anything."""
        bucket, _, key = self._at(path).partition("/")
        prefix = f"{key}/" if key else ""
        found = self._fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(found.get("Contents"))

    def append(self, path: str, content: bytes) -> None:
        """Write the whole file again; for a large file, the server copies the old content."""
        with suppress(FileNotFoundError):
            if self.info(path).size >= _SMALLEST_PART:
                with self._fs.open(self._at(path), "ab") as file:
                    file.write(content)
                return
        super().append(path, content)

    def _remove_all(self, names: list[str], directory: str | None = None) -> None:
        if directory is not None:
            # Some servers store directories, and show them when they are empty. Other servers
            # ignore these names.
            inside = {name[: end + 1] for name in names for end in _slashes(name)}
            inside = {name for name in inside if name.startswith(f"{directory}/")}
            names = [*names, *sorted(inside, key=len, reverse=True)]
        for start in range(0, len(names), _MOST_A_REQUEST):
            parts = [name.partition("/") for name in names[start : start + _MOST_A_REQUEST]]
            keys = [{"Key": key} for _, _, key in parts]
            answer = self._fs.call_s3(
                "delete_objects", Bucket=parts[0][0], Delete={"Objects": keys, "Quiet": True}
            )
            for error in answer.get("Errors", []):
                raise OSError(errno.EIO, f"{error.get('Code')}: {error.get('Message')}")


def _slashes(name: str) -> list[int]:
    return [position for position, letter in enumerate(name) if letter == "/"]


def s3_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for s3fs: the caller's, and those of the environment.

    botocore reads most of these variables itself when it connects. But fsspec caches instances by
    their arguments: after a change of the environment it would return the old connection.

    Args:
        options: The caller's arguments; they win.
    """
    client = dict(options.get("client_kwargs") or {})
    if "region_name" not in client and (region := _variable("AWS_REGION", "AWS_DEFAULT_REGION")):
        client["region_name"] = region
    config = {"connect_timeout": 10, "read_timeout": 60, **(options.get("config_kwargs") or {})}
    found: dict[str, Any] = {}
    if not options.keys() & {"key", "secret", "token", "anon", "profile", "session"}:
        found = {name: _variable(variable) for name, variable in _CREDENTIALS.items()}
    if "endpoint_url" not in client:
        found["endpoint_url"] = _variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    found = {name: value for name, value in found.items() if value}
    return {**found, **options, "client_kwargs": client, "config_kwargs": config}


def _variable(*names: str) -> str | None:
    return next(filter(None, map(os.environ.get, names)), None)
