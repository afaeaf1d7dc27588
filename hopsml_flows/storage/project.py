"""The project's root on storage: the only place that talks to fsspec.

Paths given to a :class:`Project` are relative to its root, with ``/`` between parts. Nothing is
ever unpickled from storage. A reader never sees half a file: :meth:`Project.replace` writes
beside it and renames, or uses a single request where the store makes that atomic.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from hopsml_flows.errors import InvalidProjectError

__all__ = ["DEFAULT_PROJECT", "PROJECT_VARIABLE", "Project", "default_project"]

PROJECT_VARIABLE = "HOPSML_PROJECT"
"""Environment variable that names the default project."""

DEFAULT_PROJECT = "hopsml_project"
"""Directory, under the working directory, that is the project where nothing else is said."""

# A PUT of these stores is one atomic request; a rename there is a copy and a deletion.
_ATOMIC_PUT = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "memory"})


# A protocol with one slash would pass as a local path and quietly keep everything here.
_ONE_SLASH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")


def default_project() -> str:
    """The project's URL where the caller names none: ``HOPSML_PROJECT``, Hopsworks', or local."""
    if url := os.environ.get(PROJECT_VARIABLE):
        return url
    authority = os.environ.get("LIBHDFS_DEFAULT_FS")
    name = os.environ.get("HOPSWORKS_PROJECT_NAME")
    if authority and name:
        return f"hopsfs://{authority}/Projects/{name}"
    return DEFAULT_PROJECT


# Protocols that fsspec only reads from.
_READ_ONLY = frozenset({"data", "git", "github", "http", "https", "jlab", "jupyter", "reference"})


class Project:
    """A project's root directory on any storage that fsspec knows.

    Instances are cheap, and pickle as their URL.

    Args:
        url: fsspec URL, or a local path (relative to the working directory).

    Raises:
        InvalidProjectError: Malformed URL, or a protocol that fsspec does not know, whose
            package is not installed, or whose storage cannot be reached.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        given = url
        if url is None:
            url = default_project()
        if not isinstance(url, (str, os.PathLike)) or not os.fspath(url).strip():
            raise InvalidProjectError("project", given, "must be a URL or a local path")
        text = os.fspath(url)
        if "\0" in text:
            raise InvalidProjectError("project", given, "must not contain NUL")
        protocol, found, rest = text.partition("://")
        if (found and not protocol) or _ONE_SLASH.match(text):
            raise InvalidProjectError("project", given, "must be like protocol://path")
        if not found or protocol in ("file", "local"):
            path = rest if found else text
            if not path:
                raise InvalidProjectError("project", given, "lacks a path")
            try:
                self._local: Path | None = Path(path).expanduser().absolute()
            except RuntimeError as error:  # ~somebody, and there is no such user
                raise InvalidProjectError("project", given, str(error)) from error
            self._url = str(self._local)
            self._root = str(self._local)
            self._fs: Any = None
            self._atomic_put = False
            return
        if not rest.strip("/") and protocol != "memory":
            raise InvalidProjectError("project", given, "lacks a path after the protocol")
        self._local = None
        self._url = text.rstrip("/") if rest.strip("/") else f"{protocol}://"
        self._fs, self._root = _file_system(given, self._url)
        self._atomic_put = protocol in _ATOMIC_PUT

    def __reduce__(self) -> tuple[type[Project], tuple[str]]:
        return Project, (self._url,)

    def __repr__(self) -> str:
        return f"Project({self._url!r})"

    @property
    def url(self) -> str:
        """The root as a URL, or as an absolute path where it is local."""
        return self._url

    @property
    def in_memory(self) -> bool:
        """Whether it lives in one process's memory, where no other process finds it."""
        return self._url.startswith("memory://")

    @property
    def name(self) -> str:
        """Last part of the root."""
        return self._url.rstrip("/").rsplit("/", 1)[-1]

    @property
    def local_root(self) -> Path | None:
        """The root as a local path, or None where it is remote."""
        return self._local

    def full(self, path: str = "") -> str:
        """A path of the project as a URL, or as an absolute path where it is local."""
        if not path:
            return self._url
        return f"{self._url}{path}" if self._url.endswith("/") else f"{self._url}/{path}"

    def check_writable(self) -> None:
        """Find out, without writing, whether the project can be written.

        Raises:
            InvalidProjectError: It cannot, or the storage does not answer.
        """
        if self._local is None:
            protocol = self._url.partition("://")[0]
            if protocol in _READ_ONLY:
                raise InvalidProjectError("project", self._url, f"{protocol} cannot be written")
            try:
                self._fs.exists(self._root)
            except Exception as error:  # each file system has errors of its own
                raise InvalidProjectError("project", self._url, _unreachable(error)) from error
            return
        existing = self._local
        try:
            while not existing.exists() and existing != existing.parent:
                existing = existing.parent
            directory = existing.is_dir()
            writable = os.access(existing, os.W_OK | os.X_OK) and _mount_is_writable(existing)
        except OSError as error:  # a directory above is closed to us, or the name is too long
            raise InvalidProjectError("project", self._url, _unreachable(error)) from error
        if not directory:
            raise InvalidProjectError("project", self._url, f"{existing} is not a directory")
        if not writable:
            raise InvalidProjectError("project", self._url, f"{existing} is not writable")

    def make_directory(self, path: str) -> None:
        """Create a directory and its parents; one that exists is fine."""
        if self._local is not None:
            (self._local / path).mkdir(parents=True, exist_ok=True)
        elif not self._atomic_put:  # object stores have no directories
            self._fs.makedirs(self._at(path), exist_ok=True)

    def replace(self, path: str, data: bytes | str) -> None:
        """Write a file whole: a reader sees the old content or the new, nothing between.

        Args:
            path: The file; its directory must exist.
            data: The content; text is written as UTF-8.
        """
        content = data.encode() if isinstance(data, str) else data
        if self._local is not None:
            target = self._local / path
            beside = target.with_name(f"{target.name}.{_unique()}.tmp")
            try:
                beside.write_bytes(content)
                beside.replace(target)
            except BaseException:
                with suppress(OSError):
                    beside.unlink()
                raise
            return
        target_path = self._at(path)
        if self._atomic_put:
            self._fs.pipe_file(target_path, content)
            return
        temporary = f"{target_path}.{_unique()}.tmp"
        self._fs.pipe_file(temporary, content)
        self._fs.mv(temporary, target_path)

    def read(self, path: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: There is none.
        """
        if self._local is not None:
            return (self._local / path).read_bytes()
        content: bytes = self._fs.cat_file(self._at(path))
        return content

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""
        if self._local is not None:
            return (self._local / path).exists()
        return bool(self._fs.exists(self._at(path)))

    def listdir(self, path: str) -> list[str]:
        """Names of the files and directories in a directory, sorted; empty if there is none."""
        if self._local is not None:
            try:
                return sorted(os.listdir(self._local / path))
            except FileNotFoundError:
                return []
        try:
            entries = self._fs.ls(self._at(path), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in entries)

    def upload(self, source: Path, path: str) -> None:
        """Copy a local file into the project; its directory is made."""
        parent = path.rpartition("/")[0]
        self.make_directory(parent)
        if self._local is not None:
            target = self._local / path
            if target.exists() and target.samefile(source):
                return
            shutil.copyfile(source, target)
            return
        self._fs.put_file(str(source), self._at(path))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


def _file_system(given: object, url: str) -> tuple[Any, str]:
    import fsspec  # here, so that importing this package stays light

    try:
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ValueError as error:
        raise InvalidProjectError("project", given, str(error)) from error
    except ImportError as error:
        raise InvalidProjectError(
            "project", given, f"needs a package that is not installed ({error})"
        ) from error
    except Exception as error:  # some file systems connect when they are made
        raise InvalidProjectError("project", given, _unreachable(error)) from error
    return fs, str(root).rstrip("/")


def _unreachable(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"cannot be reached ({type(error).__name__}: {lines[0]})"


_counter = itertools.count()
_process = uuid.uuid4().hex


def _unique() -> str:
    """A suffix that nobody else uses, also after a fork, without asking the system for entropy."""
    return f"{_process}-{os.getpid()}-{next(_counter)}"


def _mount_is_writable(path: Path) -> bool:
    # os.access answers yes to root even on a read-only mount.
    mount = os.statvfs(path)
    # Mounts without blocks, such as /proc, hold no files of anybody's.
    return mount.f_blocks > 0 and not mount.f_flag & os.ST_RDONLY
