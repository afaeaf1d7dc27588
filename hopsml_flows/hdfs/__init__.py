r"""File operations on the project, named as in ``hops.hdfs``; for trials, scripts and notebooks.

Inside a trial the project is the experiment's. Elsewhere it is the default one: ``HOPSML_PROJECT``,
Hopsworks' own, or ``./hopsml_project``. Paths are relative to the project; full paths and URLs are
used as they are.

A path or name that cannot be used raises ``InvalidArgumentError``. An operation that the storage
does not support raises ``UnsupportedOperationError``. All other errors are Python's own, such as
``FileNotFoundError``.

Example:
    >>> from hopsml_flows import hdfs
    >>> hdfs.dump("a,b\n1,2\n", "Resources/table.csv")
    >>> hdfs.exists("Resources/table.csv")
    True
    >>> hdfs.load("Resources/table.csv")
    b'a,b\n1,2\n'
"""

from hopsml_flows.hdfs.changes import chmod, chown, cp, delete, mkdir, move, rename, rmr
from hopsml_flows.hdfs.content import dump, load, open_file
from hopsml_flows.hdfs.former_verbs import (
    add_module,
    copy_from_project,
    copy_to_project,
    get_plain_path,
    get_webhdfs_host,
    get_webhdfs_port,
    is_tls_enabled,
    log,
)
from hopsml_flows.hdfs.local_paths import local_path, local_paths
from hopsml_flows.hdfs.lookup import access, exists, glob, isdir, isfile, ls, lsl, stat
from hopsml_flows.hdfs.project_info import (
    abs_path,
    capacity,
    close,
    get,
    get_fs,
    project_id,
    project_name,
    project_path,
    project_user,
)
from hopsml_flows.hdfs.status import StatResult
from hopsml_flows.hdfs.transfer import copy_to_hdfs, copy_to_local

__all__ = [
    "StatResult",
    "abs_path",
    "access",
    "add_module",
    "capacity",
    "chmod",
    "chown",
    "close",
    "copy_from_project",
    "copy_to_hdfs",
    "copy_to_local",
    "copy_to_project",
    "cp",
    "delete",
    "dump",
    "exists",
    "get",
    "get_fs",
    "get_plain_path",
    "get_webhdfs_host",
    "get_webhdfs_port",
    "glob",
    "is_tls_enabled",
    "isdir",
    "isfile",
    "load",
    "local_path",
    "local_paths",
    "log",
    "ls",
    "lsl",
    "mkdir",
    "move",
    "open_file",
    "project_id",
    "project_name",
    "project_path",
    "project_user",
    "rename",
    "rmr",
    "stat",
]
