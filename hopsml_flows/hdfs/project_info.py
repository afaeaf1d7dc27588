"""The project itself: its name, its root, the storage behind it."""

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
    """Number of the Hopsworks project.

    Raises:
        UnsupportedOperationError: This is not on Hopsworks, and projects have names only.
    """
    try:
        return os.environ["HOPSWORKS_PROJECT_ID"]
    except KeyError:
        raise UnsupportedOperationError(
            "project_id: only Hopsworks gives numbers to projects, in HOPSWORKS_PROJECT_ID"
        ) from None


def project_user() -> str:
    """The user of the project, ``<project>__<user>`` on Hopsworks; elsewhere the login name."""
    for name in ("HADOOP_USER_NAME", "HDFS_USER", "LIBHDFS_DEFAULT_USER"):
        if user := os.environ.get(name):
            return user
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"


def project_name() -> str:
    """Name of the project: the last part of its root."""
    return current_project().name


def project_path(project: str | None = None, exclude_nn_addr: bool = False) -> str:
    """Root of the project, ending with ``/``.

    Args:
        project: Name of another project.
        exclude_nn_addr: Leave out the host of the URL.

    Returns:
        An absolute path where the project is local, an fsspec URL elsewhere.
    """
    url = named_project(project).url
    if exclude_nn_addr and "://" in url:
        protocol, _, rest = url.partition("://")
        url = f"{protocol}:///{rest.partition('/')[2]}"
    return url if url.endswith("/") else f"{url}/"


def abs_path(hdfs_path: AnyPath) -> str:
    """The full path of something in the project: a URL, or an absolute path where it is local."""
    return place_of(hdfs_path).full


def get() -> Any:
    """The fsspec file system that holds the project."""
    return file_system(current_project())


def get_fs() -> Any:
    """The same as :func:`get`: fsspec has one kind of handle where HopsML had two."""
    return get()


def close() -> None:
    """Nothing: connections are shared by all that use the project, and end with the process."""


def capacity() -> int:
    """Bytes of the whole storage.

    Raises:
        UnsupportedOperationError: It does not say.
    """
    project = current_project()
    if project.local_root is not None:
        existing = project.local_root
        while not existing.exists():
            existing = existing.parent
        return shutil.disk_usage(existing).total
    ask = getattr(file_system(project), "capacity", None)
    if ask is None:
        raise UnsupportedOperationError(f"capacity: the storage of {project.url} does not say")
    return int(ask())
