"""From the paths that users write to places in a project."""

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
"""How a path may be given."""

# Different clients of one storage; programs written for HopsML say hdfs:// for hopsfs://.
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
        """The place as a URL, or an absolute path where the project is local."""
        return self.project.full(self.path)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.full.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> str:
        """Path of the directory it is in."""
        return self.path.rpartition("/")[0]

    def below(self, path: str) -> Place:
        """A place under this one."""
        return Place(self.project, "/".join(part for part in (self.path, path) if part))


def current_project() -> Project:
    """The running trial's project, or the default one where no trial runs.

    Raises:
        InvalidProjectError: The default project is none.
        PrefectServerError: The default project is a saved block, and no Prefect server answers.
    """
    try:
        return current_trial().project
    except NotInTrialError:
        name = default_project()
        return Project() if block_name(name) is None else _of_block(name)


@lru_cache
def _of_block(name: str) -> Project:
    """The project of a saved block; a Prefect server is asked for it once."""
    # Only a default project that is a block needs Prefect here.
    from hopsml_flows.server.project_block import saved_project

    return saved_project(name)


def named_project(name: str | None) -> Project:
    """Another project of the same storage, by its name.

    Args:
        name: The name; None for the current project.

    Raises:
        InvalidArgumentError: It is not a name.
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
    """Find what a path means.

    A path is relative to the project, also with a slash before it, as in HopsML. URLs,
    ``/Projects/…`` on HopsFS, and absolute paths in a local project or beside it are what they say.

    Args:
        path: The path.
        project: Name of the project it is relative to; None for the current one.
        argument: What the caller calls the path, for errors.

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
    """The same two places in one project, where one storage can hold both.

    Args:
        one: A place.
        other: Another, perhaps in another project.

    Returns:
        The places, or None where nothing is above both.
    """
    if one.project.url == other.project.url:
        return one, other
    first, second = (place.full.split("/") for place in (one, other))
    same = 0
    while same < min(len(first), len(second)) - 1 and first[same] == second[same]:
        same += 1
    root = "/".join(first[:same])
    # protocol://authority takes three parts, and a project is below that.
    if same < (4 if "://" in one.full else 2):
        return None
    project = Project(root, one.project.storage_options or None)
    return (
        Place(project, "/".join(first[same:])),
        Place(project, "/".join(second[same:])),
    )


def _inside(text: str, root: Project) -> str | None:
    """What a path is relative to a project; None where it is not in it."""
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
    """A path as it would be written if it were below the root, or relative to it.

    With a protocol it is a URL, with a slash before it an absolute path.
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
        # Other projects lie beside it: with "/" as its parent, every path would be one of those.
        beside = str(root.local_root.parent).rstrip("/") or root.url
        if f"{text}/".startswith(f"{beside.rstrip('/')}/"):
            return text
    return text.lstrip("/")


def _elsewhere(full: str, root: Project) -> Place:
    """A place that is not in the project."""
    full = full.rstrip("/")
    same = full.partition("://")[0] == root.url.partition("://")[0]
    options = (dict(root.storage_options) if same else None) or None
    parent, _, name = full.rpartition("/")
    # The root of a host, of a bucket or of this machine is as far up as a project can be.
    if parent.endswith(":/") or not parent or _is_host(parent):
        return Place(Project(full or "/", options), "")
    return Place(Project(parent, options), name)


def _same_cluster(authority: str, ours: str, *, ports: bool) -> bool:
    """Whether a URL's host is the project's; none is the default one, which the project's is."""
    host, our_host = (each.rpartition("@")[2] for each in (authority, ours))
    if not ports:  # WebHDFS has one of its own
        host, our_host = (each.partition(":")[0] for each in (host, our_host))
    return host in ("", our_host)


def _is_host(url: str) -> bool:
    protocol, _, rest = url.partition("://")
    return protocol in _HDFS and "/" not in rest
