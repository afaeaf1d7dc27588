"""The verbs of ``hops.hdfs`` about the project itself: its name, its root, its storage."""

from __future__ import annotations

import getpass
import os
import shutil
from typing import Any

from hopsml_flows.errors import UnsupportedOperationError
from hopsml_flows.hdfs.places import AnyPath, current_project, named_project, place_of
from hopsml_flows.storage.content_version import file_system

__all__ = [
    "abs_path",
    "capacity",
    "close",
    "get",
    "get_fs",
    "project_id",
    "project_name",
    "project_path",
    "project_user",
]


def project_id() -> str:
    """Return the number of the Hopsworks project.

    Raises:
        UnsupportedOperationError: This is not Hopsworks, so projects have no numbers.
    """
    try:
        return os.environ["HOPSWORKS_PROJECT_ID"]
    except KeyError:
        raise UnsupportedOperationError(
            "project_id: only Hopsworks gives numbers to projects, in HOPSWORKS_PROJECT_ID"
        ) from None


def project_user() -> str:
    """Return the project's user: ``<project>__<user>`` on Hopsworks, elsewhere the login name."""
    for name in ("HADOOP_USER_NAME", "HDFS_USER", "LIBHDFS_DEFAULT_USER"):
        if user := os.environ.get(name):
            return user
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"


def project_name() -> str:
    """Return the name of the project: the last part of its root.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.project_path().endswith(f"/{hdfs.project_name()}/")
        True
    """
    return current_project().name


def project_path(project: str | None = None, exclude_nn_addr: bool = False) -> str:
    """Return the root of the project, with ``/`` at its end.

    Args:
        project: Name of another project.
        exclude_nn_addr: Leave out the host of the URL.

    Returns:
        An absolute path if the project is local, else an fsspec URL.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.project_path().endswith(f"/{hdfs.project_name()}/")
        True
    """
    url = named_project(project).url
    if exclude_nn_addr and "://" in url:
        protocol, _, rest = url.partition("://")
        url = f"{protocol}:///{rest.partition('/')[2]}"
    return url if url.endswith("/") else f"{url}/"


def abs_path(hdfs_path: AnyPath) -> str:
    """Return the full path of a path: a URL, or an absolute path if the project is local.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.abs_path("Resources/a.txt") == f"{hdfs.project_path()}Resources/a.txt"
        True
    """
    return place_of(hdfs_path).full


def get() -> Any:
    """Return the fsspec file system that holds the project.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("1", "Resources/one.txt")
        >>> hdfs.get().cat_file(hdfs.abs_path("Resources/one.txt"))
        b'1'
    """
    return file_system(current_project())


def get_fs() -> Any:
    """Return the same as :func:`get`: fsspec has one kind of handle where HopsML had two."""
    return get()


def close() -> None:
    """Do nothing: all users of the project share its connections, which end with the process."""


def capacity() -> int:
    """Return the size of the whole storage in bytes.

    Raises:
        UnsupportedOperationError: The storage does not say.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.capacity() > 0
        True
    """
    project = current_project()
    if project.local_root is not None:
        existing = project.local_root
        while not existing.exists():
            existing = existing.parent
        return shutil.disk_usage(existing).total
    ask = getattr(file_system(project), "capacity", None)
    if ask is None:
        raise UnsupportedOperationError(f"the storage of {project.url} does not tell its capacity")
    return int(ask())
