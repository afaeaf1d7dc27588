"""``s3://``: settings of s3fs, and what a project asks of S3 that s3fs does not.

Credentials, region and endpoint come from the options, else from the variables that AWS' own
tools read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from hopsml_flows.storage.hopsfs import check_port
from hopsml_flows.storage.remote import ObjectFiles

__all__ = ["S3Files", "s3_options"]

_CREDENTIALS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}

_SMALLEST_PART = 5 << 20
"""Bytes from which on S3 takes an object for a part of another."""

_MOST_A_REQUEST = 1000
"""Objects that one request may remove."""


class S3Files(ObjectFiles):
    """Files of an S3 bucket."""

    def check_writable(self) -> None:
        """Ask for the bucket with the credentials there are; s3fs takes no answer for an empty one.

        Raises:
            OSError: There is no such bucket, it is not to be used, or nobody answers.
        """
        endpoint = (self._fs.client_kwargs or {}).get("endpoint_url") or self._fs.endpoint_url
        if endpoint:  # s3fs tries again and again where nobody listens
            parts = urlsplit(endpoint)
            check_port(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        bucket, _, prefix = self._root.partition("/")
        self._fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)

    def append(self, path: str, content: bytes) -> None:
        """Write the whole file anew; the server copies what is large itself."""
        with suppress(FileNotFoundError):
            if self.info(path).size >= _SMALLEST_PART:
                with self._fs.open(self._at(path), "ab") as file:
                    file.write(content)
                return
        super().append(path, content)

    def _remove_all(self, names: list[str], directory: str | None = None) -> None:
        if directory is not None:
            # Some servers keep directories, and show them when they are empty; to others these
            # names mean nothing.
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
    """Arguments for s3fs: the caller's, and what the environment says.

    botocore reads most of these variables itself, when it connects. But fsspec keeps instances by
    their arguments: another environment would get the connection of the one before.

    Args:
        options: The caller's.
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
