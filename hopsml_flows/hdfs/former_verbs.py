"""Further verbs that HopsML's programs call: older names, the log, modules, and addresses."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from hopsml_flows.errors import InvalidArgumentError, UnsupportedOperationError
from hopsml_flows.hdfs.local_paths import local_path
from hopsml_flows.hdfs.places import AnyPath, current_project, place_of
from hopsml_flows.hdfs.transfer import copy_to_hdfs, copy_to_local

__all__ = [
    "add_module",
    "copy_from_project",
    "copy_to_project",
    "get_plain_path",
    "get_webhdfs_host",
    "get_webhdfs_port",
    "is_tls_enabled",
    "log",
]

_HDFS = ("hopsfs", "hdfs", "webhdfs")


def log(string: object) -> None:
    """Write a line to the running trial's log; outside of a trial, to the standard output.

    Args:
        string: The line.

    Example:
        >>> log("epoch 3")
        epoch 3
    """
    print(string, flush=True)


copy_to_project = copy_to_hdfs
"""HopsML's older name for :func:`copy_to_hdfs`."""


def copy_from_project(
    relative_hdfs_path: AnyPath,
    local_path: AnyPath = "",
    overwrite: bool = False,
    project: str | None = None,
) -> str:
    """HopsML's older name for :func:`copy_to_local`.

    Args:
        relative_hdfs_path: The file or directory.
        local_path: Local directory to copy it into; "" for the working directory.
        overwrite: Copy even what is unchanged.
        project: Name of another project.

    Returns:
        Absolute path of the copy.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Resources/notes.txt")
        >>> Path(hdfs.copy_from_project("Resources/notes.txt")).read_text()
        'hello'
    """
    return copy_to_local(relative_hdfs_path, local_path, overwrite=overwrite, project=project)


def get_plain_path(abs_path: AnyPath) -> str:
    """Return a full path without its protocol and host.

    Args:
        abs_path: The path or URL. The bucket of an object store stays, as the first part.

    Example:
        >>> get_plain_path("hopsfs://namenode:8020/Projects/demo/data.csv")
        '/Projects/demo/data.csv'
        >>> get_plain_path("s3://bucket/data.csv")
        '/bucket/data.csv'
    """
    text = os.fsdecode(abs_path)
    protocol, found, rest = text.partition("://")
    if not found:
        return text
    if protocol in _HDFS:
        rest = rest.partition("/")[2]
    return f"/{rest.lstrip('/')}"


def add_module(hdfs_path: AnyPath, project: str | None = None) -> str:
    """Make a module of the project importable in this process.

    Args:
        hdfs_path: A ``.py`` file, or a ``.zip``, ``.egg`` or ``.whl`` with modules.
        project: Name of another project.

    Returns:
        Absolute path of the local file; a copy if the project is remote.

    Raises:
        UnsupportedOperationError: The file is a notebook.
        FileNotFoundError: The file does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("ANSWER = 42", "Resources/answers_of_example.py")
        >>> path = hdfs.add_module("Resources/answers_of_example.py")
        >>> import answers_of_example
        >>> answers_of_example.ANSWER
        42
    """
    name = place_of(hdfs_path, project).name
    if name.endswith(".ipynb"):
        raise UnsupportedOperationError(
            "hdfs.add_module: a notebook is not a module; "
            "convert it by jupyter nbconvert --to script"
        )
    if not name.endswith((".py", ".zip", ".egg", ".whl")):
        raise InvalidArgumentError("hdfs_path", hdfs_path, "must be a .py file or an archive")
    path = local_path(hdfs_path, project)
    entry = str(Path(path).parent) if name.endswith(".py") else path
    if entry not in sys.path:
        sys.path.append(entry)
    return path


def is_tls_enabled() -> bool:
    """Whether HopsFS is reached with TLS certificates (``LIBHDFS_ROOT_CA_BUNDLE`` is set)."""
    return bool(os.environ.get("LIBHDFS_ROOT_CA_BUNDLE"))


def get_webhdfs_host() -> str:
    """Return the host of WebHDFS.

    Raises:
        UnsupportedOperationError: The project's URL is not one of WebHDFS.
    """
    return _webhdfs("get_webhdfs_host")[0]


def get_webhdfs_port() -> int:
    """Return the port of WebHDFS; 9870 if the URL has none.

    Raises:
        UnsupportedOperationError: The project's URL is not one of WebHDFS.
    """
    return _webhdfs("get_webhdfs_port")[1]


def _webhdfs(verb: str) -> tuple[str, int]:
    parts = urlsplit(current_project().url)
    if parts.scheme != "webhdfs" or parts.hostname is None:
        raise UnsupportedOperationError(
            f"hdfs.{verb}: only a project with a webhdfs:// URL says where WebHDFS is; "
            "hdfs.open_file and hdfs.get() work on every project"
        )
    return parts.hostname, parts.port or 9870
