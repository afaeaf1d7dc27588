"""Connects a URL to its file system: chooses the class by protocol, and its settings.

Importing this module connects to nothing. The package's own classes are named here, not looked up
by protocol: another installed package may have registered a class of its own for the protocol.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from hopsml_flows.storage.interface import Files
from hopsml_flows.storage.proxies import reach_loopback_directly

__all__ = ["check_protocol", "connect", "credentials_stamp", "environment_of"]

# On these stores a PUT is one atomic request, and a rename is a copy and a deletion.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "memory"})
_S3 = frozenset({"s3", "s3a"})
_S3_CREDENTIALS = frozenset({"key", "secret", "token", "anon", "profile", "session"})

# Protocols that this package has file systems for.
_HDFS = frozenset({"hopsfs", "hdfs"})
_OWN = _HDFS | {"webhdfs"}

# Prefixes of the environment variables that say how to reach a storage, by protocol.
_HADOOP = ("LIBHDFS_", "HADOOP_", "ARROW_LIBHDFS_DIR", "HOPSWORKS_PROJECT_NAME", "HDFS_USER")
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "hopsfs": _HADOOP,
    "hdfs": _HADOOP,
    "webhdfs": ("HADOOP_USER_NAME", "REQUESTS_CA_BUNDLE"),
    "s3": ("AWS_",),
    "s3a": ("AWS_",),
}


def check_protocol(protocol: str) -> None:
    """Check that a protocol has a file system, without connecting.

    Args:
        protocol: Such as ``s3``.

    Raises:
        ValueError: The protocol is unknown.
        ImportError: The package with its file system is not installed.
    """
    import fsspec  # here, so that importing this package stays light

    if protocol not in _OWN:
        fsspec.get_filesystem_class(protocol)
    # The file systems of HDFS import it when they connect.
    if protocol in _HDFS and find_spec("pyarrow") is None:
        raise ImportError("pyarrow; the extra hdfs has it: hopsml-flows[hdfs]")


def connect(protocol: str, url: str, options: Mapping[str, Any]) -> Files:
    """Connect to a storage.

    Args:
        protocol: The URL's protocol.
        url: The project's root.
        options: Arguments of the file system; they win over the URL and the environment.
    """
    from hopsml_flows.storage.remote import ObjectFiles, RemoteFiles

    reach_loopback_directly()

    if protocol in _OWN:
        fs, root = _own(protocol, url, options)
        return RemoteFiles(fs, root)
    from fsspec.core import url_to_fs

    if protocol in _S3:
        from hopsml_flows.storage.s3 import S3Files, s3_options

        fs, root = url_to_fs(url, **{"use_listings_cache": False, **s3_options(options)})
        return S3Files(fs, str(root))
    fs, root = url_to_fs(url, **{"use_listings_cache": False, **options})
    kind = ObjectFiles if protocol in _OBJECT_STORES else RemoteFiles
    return kind(fs, str(root))


def _own(protocol: str, url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the file system of one of this package's protocols, and the root's path on it."""
    from hopsml_flows.storage.hopsfs import (
        HdfsFileSystem,
        HopsFileSystem,
        path_of,
        settings,
        url_arguments,
    )

    arguments = {**url_arguments(url), **options}
    if protocol == "webhdfs":
        from hopsml_flows.storage.webhdfs import WebHdfsFileSystem

        return WebHdfsFileSystem(**arguments), path_of(url)
    kind = HopsFileSystem if protocol == "hopsfs" else HdfsFileSystem
    # In full: fsspec caches instances by their arguments, and ignores the environment.
    return kind(**settings(arguments)), path_of(url)


def credentials_stamp(protocol: str, options: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return a value that changes when the environment has other credentials for a storage.

    Args:
        protocol: The storage's protocol.
        options: Arguments of the file system.
    """
    if protocol not in _S3 or not options.keys().isdisjoint(_S3_CREDENTIALS):
        return ()
    return tuple(map(os.environ.get, ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN")))


def environment_of(protocol: str) -> dict[str, str]:
    """Return the environment variables that another process needs to reach the same storage.

    Args:
        protocol: The storage's protocol.
    """
    beginnings = _VARIABLES.get(protocol, ())
    return {name: value for name, value in os.environ.items() if name.startswith(beginnings)}
