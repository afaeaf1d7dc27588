"""Turns the paths that users write into places in a project."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from functools import lru_cache

from hopsml_flows.errors import InvalidArgumentError, NotInTrialError
from hopsml_flows.execution import current_trial
from hopsml_flows.storage import Project, block_name, default_project
from hopsml_flows.text import is_unicode

__all__ = ["AnyPath", "Place", "current_project", "named_project", "place_of", "shared_root"]

AnyPath = str | bytes | os.PathLike[str]
"""The types of a path argument."""

# Clients of the same storage; programs written for HopsML write hdfs:// for hopsfs://.
_HDFS = ("hopsfs", "hdfs", "webhdfs")


@dataclass(frozen=True, slots=True)
class Place:
    """A path in a project.

    Args:
        project: The project.
        path: Relative to its root; "" is the root.
    """

    project: Project
    path: str

    @property
    def full(self) -> str:
        """The place as a URL, or as an absolute path if the project is local."""
        return self.project.full(self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.full.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of its directory."""
        return self.path.rpartition("/")[0]

    def below(self, path: str) -> Place:
        """Return the place at a path below this one."""
        return Place(self.project, "/".join(part for part in (self.path, path) if part))


def current_project() -> Project:
    """Return the running trial's project, or the default project if no trial runs.

    Raises:
        InvalidProjectError: The default project's URL is not valid.
        PrefectServerError: The default project is a saved block, and no Prefect server answers.
    """
    try:
        return current_trial().project
    except NotInTrialError:
        name = default_project()
        return Project() if block_name(name) is None else _of_block(name)


@lru_cache
def _of_block(name: str) -> Project:
    """Return the project of a saved block, for which the Prefect server is asked only once."""
    # Only here, where the default project is a block, is Prefect needed.
    from hopsml_flows.server.project_block import saved_project

    return saved_project(name)


def named_project(name: str | None) -> Project:
    """Return a project of the same storage, by its name.

    Args:
        name: The name; None for the current project.

    Raises:
        InvalidArgumentError: The name is not valid, or the storage has no other projects.
    """
    project = current_project()
    if name is None or name == project.name:
        return project
    if not isinstance(name, str) or not name or "/" in name or name in (".", ".."):
        raise InvalidArgumentError("project", name, "must be the name of a project")
    parent = project.url.rpartition("/")[0]
    if parent.endswith(":/"):
        raise InvalidArgumentError(
            "project", name, because=f"{project.url} has no projects beside it"
        )
    return Project(f"{parent}/{name}", project.storage_options or None)


def place_of(path: AnyPath, project: str | None = None, *, argument: str = "hdfs_path") -> Place:
    """Return the place that a path means.

    A path is relative to the project, even if it begins with a slash, as in HopsML. URLs,
    ``/Projects/…`` on HopsFS, and absolute paths in or beside a local project are used as they are.

    Args:
        path: The path.
        project: Name of the project that it is relative to; None for the current one.
        argument: The caller's name of the argument, for errors.

    Raises:
        InvalidArgumentError: It is no path, or leads out of the project.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise InvalidArgumentError(argument, path, "must be a path")
    text = os.fsdecode(path)
    if "\0" in text:
        raise InvalidArgumentError(argument, path, "must not contain NUL")
    place = _place(text, path, project, argument)
    if place.project.local_root is None and not is_unicode(place.path):
        raise InvalidArgumentError(argument, path, "must be UTF-8, as all names there are")
    return place


def _place(text: str, path: AnyPath, project: str | None, argument: str) -> Place:
    root = named_project(project)
    inside = _inside(text, root)
    if inside is None:
        return _elsewhere(_whole(text, root), root)
    relative = posixpath.normpath(inside.strip("/")) if inside.strip("/") else "."
    if relative == ".." or relative.startswith("../"):
        raise InvalidArgumentError(argument, path, "must not lead out of the project")
    return Place(root, "" if relative == "." else relative)


def shared_root(one: Place, other: Place) -> tuple[Place, Place] | None:
    """Express two places in one project, so that one storage can copy or rename between them.

    Args:
        one: A place.
        other: A second place, perhaps in another project.

    Returns:
        The two places; None if no project can contain both.
    """
    if one.project.url == other.project.url:
        return one, other
    first, second = (place.full.split("/") for place in (one, other))
    same = 0
    while same < min(len(first), len(second)) - 1 and first[same] == second[same]:
        same += 1
    root = "/".join(first[:same])
    # protocol://authority are three parts, and a project is below them.
    if same < (4 if "://" in one.full else 2):
        return None
    project = Project(root, one.project.storage_options or None)
    return (
        Place(project, "/".join(first[same:])),
        Place(project, "/".join(second[same:])),
    )


def _inside(text: str, root: Project) -> str | None:
    """Return a path relative to a project; None if it is outside."""
    whole = _whole(text, root)
    if "://" not in whole and not whole.startswith("/"):
        return whole
    if whole.rstrip("/") == root.url.rstrip("/"):
        return ""
    prefix = root.url if root.url.endswith("/") else f"{root.url}/"
    if whole.startswith(prefix):
        return whole[len(prefix) :]
    return None


def _whole(text: str, root: Project) -> str:
    """Return a path in the notation of the root: a URL, an absolute path, or a relative path.

    A path with a protocol is a URL; one that begins with a slash is absolute.
    """
    protocol, found, rest = text.partition("://")
    own, _, own_rest = root.url.partition("://")
    if found and protocol in ("file", "local"):
        path = f"/{rest.lstrip('/')}"
        return path if root.local_root is not None else f"file://{path}"
    if found and protocol in _HDFS and own in _HDFS:
        authority, slash, path = rest.partition("/")
        ours = own_rest.partition("/")[0]
        if _same_cluster(authority, ours, ports=(protocol == "webhdfs") == (own == "webhdfs")):
            return f"{own}://{ours}{slash}{path}"
        return text
    if found:
        return text
    if own in _HDFS and (text == "/Projects" or text.startswith("/Projects/")):
        return f"{own}://{own_rest.partition('/')[0]}{text}"
    if root.local_root is not None:
        # Other projects lie beside it. With "/" as the parent, every path would be in one.
        beside = str(root.local_root.parent).rstrip("/") or root.url
        if f"{text}/".startswith(f"{beside.rstrip('/')}/"):
            return text
    return text.lstrip("/")


def _elsewhere(full: str, root: Project) -> Place:
    """Return a place outside of the project."""
    full = full.rstrip("/")
    same = full.partition("://")[0] == root.url.partition("://")[0]
    options = (dict(root.storage_options) if same else None) or None
    parent, _, name = full.rpartition("/")
    # No project is above the root of a host, of a bucket or of this machine.
    if parent.endswith(":/") or not parent or _is_host(parent):
        return Place(Project(full or "/", options), "")
    return Place(Project(parent, options), name)


def _same_cluster(authority: str, ours: str, *, ports: bool) -> bool:
    """Whether a URL's host is the project's. A URL without host means the project's."""
    host, our_host = (each.rpartition("@")[2] for each in (authority, ours))
    if not ports:  # WebHDFS has another port
        host, our_host = (each.partition(":")[0] for each in (host, our_host))
    return host in ("", our_host)


def _is_host(url: str) -> bool:
    protocol, _, rest = url.partition("://")
    return protocol in _HDFS and "/" not in rest
