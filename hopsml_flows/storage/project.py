"""The project's root on storage: a local directory, or any URL that fsspec can open.

Paths given to a :class:`Project` are relative to its root, with ``/`` between parts. Nothing is
ever unpickled from storage. A reader never sees half a file of :meth:`Project.replace`: that method
writes beside the file and renames, or sends a single request where the store makes that atomic.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.redaction import has_secret, redacted, redacted_url
from hopsml_flows.storage.connection import credentials_stamp
from hopsml_flows.storage.globs import matching
from hopsml_flows.storage.interface import FileInfo, Files, Progress
from hopsml_flows.storage.local import LocalFiles, write_beside
from hopsml_flows.storage.time_limit import within
from hopsml_flows.text import is_unicode

__all__ = [
    "DEFAULT_PROJECT",
    "PROJECT_VARIABLE",
    "Project",
    "block_name",
    "default_project",
]

PROJECT_VARIABLE = "HOPSML_PROJECT"
"""Environment variable that names the default project."""

DEFAULT_PROJECT = "hopsml_project"
"""Directory, in the working directory, that is the project if the user names no other."""

# The second is Prefect's own spelling.
_BLOCK_PREFIXES = ("block:", "hopsfs-project/")

ANSWER_SECONDS = 12
"""Seconds that a check waits at most for a storage to answer."""

# A protocol with one slash, or a storage's protocol with none, would pass as a local path, and all
# files would quietly stay on this machine.
_NO_PROTOCOL = re.compile(
    r"://|[A-Za-z][A-Za-z0-9+.-]+:/(?!/)"
    r"|(?:abfss?|adl|azure?|file|ftp|gcs|gs|hdfs|hopsfs|https?|memory|oci|oss|s3[an]?|sftp|ssh|webhdfs)"
    r"(?::(?!//)|//)"
)

# Protocols that fsspec can only read.
_READ_ONLY = frozenset({"data", "git", "github", "http", "https", "jlab", "jupyter", "reference"})

_USER_AND_PASSWORD = re.compile(r"(?<=://)([^/@:?#]*):([^/?#]*)@")

# A password with a slash that should have been escaped; AWS' secrets often have one. Digits and a
# slash after the colon are a port, except on S3; an ARN is no user.
_UNESCAPED = re.compile(
    r"(?:(?<=^s3://)|(?<=^s3a://)|(?<=://)(?![^/@:?#]*:\d{1,5}[/?#]))(?!arn:)([^/@:?#]*):(.*)@",
    re.DOTALL,
)

# Parameters of a URL's query and the file system's argument that each sets, by protocol.
_OF_QUERY: Mapping[str, Mapping[str, str]] = {
    "hopsfs": {"replication": "replication"},
    "hdfs": {"replication": "replication"},
    "webhdfs": {
        "delegation": "token",
        "token": "token",
        "password": "password",
        "user.name": "user",
    },
}


def default_project() -> str:
    """Return the default project's URL: ``HOPSML_PROJECT``, Hopsworks' project, or a local path."""
    return _default()[1]


def _default() -> tuple[str, str]:
    """Return what names the default project, for errors, and its URL."""
    if url := os.environ.get(PROJECT_VARIABLE):
        return PROJECT_VARIABLE, url
    authority = os.environ.get("LIBHDFS_DEFAULT_FS")
    name = os.environ.get("HOPSWORKS_PROJECT_NAME")
    if authority and name:
        url = f"hopsfs://{authority}/Projects/{name}"
        return "LIBHDFS_DEFAULT_FS and HOPSWORKS_PROJECT_NAME", url
    return "project", DEFAULT_PROJECT


def block_name(project: object) -> str | None:
    """Return the name of the saved block that a ``project`` argument means; None if it means none.

    Args:
        project: The argument; None stands for the default project.

    Example:
        >>> block_name("block:shared"), block_name("s3://bucket/demo")
        ('shared', None)
    """
    text = default_project() if project is None else project
    if not isinstance(text, str):
        return None
    return next((text[len(p) :] for p in _BLOCK_PREFIXES if text.startswith(p)), None)


class Project:
    """A project's root directory on any storage that fsspec knows.

    An instance is cheap, and connects on its first use. It pickles with all that another machine
    needs to reach the storage: URL, options, and variables of the environment. ``repr`` and errors
    never show the options or the URL's password.

    Args:
        url: fsspec URL, or a local path (relative to the working directory). None for the default
            project.
        storage_options: Dict of arguments of the fsspec file system, such as ``{"key": …}``.

    Raises:
        InvalidProjectError: The URL is malformed, fsspec does not know its protocol, or the
            protocol's package is not installed.

    Example:
        >>> project = Project("memory://demo")
        >>> project.replace("notes.txt", "hello")
        >>> project.read("notes.txt"), project.exists("other.txt")
        (b'hello', False)
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        storage_options: Any = None,
    ) -> None:
        argument = "project"
        if url is None:
            argument, url = _default()
        given = redacted_url(url) if isinstance(url, str) else url
        if not isinstance(url, (str, os.PathLike)) or not os.fspath(url).strip():
            raise InvalidProjectError(argument, given, "must be a URL or a local path")
        if storage_options is not None and not isinstance(storage_options, Mapping):
            # Not the value: it may hold a secret.
            kind = type(storage_options).__name__
            raise InvalidProjectError("storage_options", kind, "must be a dict")
        text = os.fspath(url)
        # A local path with what looks like a secret is a URL whose protocol was forgotten.
        if _NO_PROTOCOL.match(text) or ("://" not in text and has_secret(text)):
            raise InvalidProjectError(argument, given, "must be like protocol://path")
        if block_name(text) is not None:
            raise InvalidProjectError(argument, given, "must be a URL or a path, not a saved block")
        text, options = _without_password(argument, text, dict(storage_options or {}))
        if isinstance(url, str):
            given = redacted_url(text)
        protocol, found, rest = text.partition("://")
        is_local = not found or protocol in ("file", "local")
        _check_form(argument, given, text, is_local=is_local)
        self._options = options
        self._lock = threading.Lock()
        self._files: Files | None = None
        self._stamp: tuple[str | None, ...] = ()
        self._local: Path | None = None
        if is_local:
            self._protocol = "file"
            self._local = _local_path(argument, given, rest if found else text)
            self._url = str(self._local)
            self._files = LocalFiles(self._local)
            return
        if not rest.strip("/") and protocol != "memory":
            raise InvalidProjectError(argument, given, "must have a path after the protocol")
        self._protocol = protocol
        text, self._options = _without_query(argument, given, protocol, text, options)
        self._url = text.rstrip("/") if rest.strip("/") else f"{protocol}://"
        _check_protocol(argument, given, protocol)

    def __reduce__(self) -> tuple[Any, ...]:
        from hopsml_flows.storage.connection import environment_of

        return _rebuild, (self._url, self._options, environment_of(self._protocol))

    def __repr__(self) -> str:
        return f"Project({self._url!r})"

    @property
    def url(self) -> str:
        """The root as a URL without password, or as an absolute path if it is local."""
        return self._url

    @property
    def storage_options(self) -> Mapping[str, Any]:
        """The file system's arguments; they may hold secrets."""
        return self._options

    @property
    def in_memory(self) -> bool:
        """Whether it lives in one process's memory, which no other process can read."""
        return self._protocol == "memory"

    @property
    def name(self) -> str:
        """The last part of the root's path."""
        return self._url.rstrip("/").rsplit("/", 1)[-1]

    @property
    def local_root(self) -> Path | None:
        """The root as a local path; None if it is remote."""
        return self._local

    def full(self, path: str = "") -> str:
        """Return a path of the project as a URL, or as an absolute path if the project is local."""
        if not path:
            return self._url
        return f"{self._url}{path}" if self._url.endswith("/") else f"{self._url}/{path}"

    def check_writable(self) -> None:
        """Check that the project can be written, without writing.

        Raises:
            InvalidProjectError: It cannot be written, or the storage does not answer within 12 s.
        """
        if self._protocol in _READ_ONLY:
            raise InvalidProjectError(
                "project",
                self._url,
                because=f"storage of the protocol {self._protocol} is read-only",
            )
        self._ask()

    def check_reachable(self) -> None:
        """Check that the project can be read; it need not be writable.

        Raises:
            InvalidProjectError: The local directory does not exist, or the storage does not answer
                within 12 s.
        """
        if self._local is None:
            self._ask()
        elif not self._local.is_dir():
            raise InvalidProjectError("project", self._url, "must be a directory that exists")

    def make_directory(self, path: str) -> None:
        """Create a directory and its parents; it may exist already."""
        self._store.make_directory(path)

    def replace(self, path: str, data: bytes | str) -> None:
        """Write a whole file: readers see either the old content or the new.

        Args:
            path: The file; its directory must exist.
            data: The content; text is written as UTF-8.
        """
        self._store.replace(path, data.encode() if isinstance(data, str) else data)

    def append(self, path: str, data: bytes | str) -> None:
        """Append to a file, and create it if it does not exist.

        On object stores the whole file is written again. A file must have one writer: of two at
        the same time, one may fail or lose what the other wrote.

        Args:
            path: The file; its directory must exist.
            data: What to append; text is written as UTF-8. If it is empty, nothing happens.
        """
        if data:
            self._store.append(path, data.encode() if isinstance(data, str) else data)

    def create(self, path: str, data: bytes | str) -> None:
        """Write a new file. Of several processes that try at the same time, one succeeds.

        Args:
            path: The file; its directory must exist.
            data: The content; text is written as UTF-8.

        Raises:
            FileExistsError: The file exists.
        """
        self._store.create(path, data.encode() if isinstance(data, str) else data)

    def read(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's content, or a part of it.

        Args:
            path: The file.
            start: First byte, from 0.
            stop: Byte to stop before; None for the file's end. Bytes beyond the end are left out.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        return self._store.read(path, start, stop)

    def open(self, path: str, mode: str = "rb") -> IO[Any]:
        """Open a file; text is UTF-8.

        Readers may see a file half-written that is opened this way. Use :meth:`replace` or
        :meth:`upload` to prevent that.

        Args:
            path: The file.
            mode: As of Python's ``open``. Remote files can be read, written or appended, but not
                changed in place.
        """
        return self._store.open(path, mode)

    def info(self, path: str) -> FileInfo:
        """Describe a file or directory.

        Raises:
            FileNotFoundError: It does not exist.
        """
        return self._store.info(path)

    def exists(self, path: str) -> bool:
        """Whether a file or directory exists."""
        return self._store.exists(path)

    def listdir(self, path: str = "") -> list[str]:
        """Return the sorted names of a directory's entries; empty if it does not exist."""
        return [entry.name.rpartition("/")[2] for entry in self.entries(path)]

    def entries(self, path: str = "") -> list[FileInfo]:
        """Return a directory's entries, sorted by name; empty if the directory does not exist.

        Raises:
            NotADirectoryError: The path is a file.
        """
        try:
            return sorted(self._store.entries(path), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []

    def walk_files(self, path: str = "") -> Iterator[FileInfo]:
        """Yield all files below a directory, in any order; none if the directory does not exist."""
        return self._store.walk_files(path)

    def glob(self, pattern: str) -> list[str]:
        """Return the sorted paths of the files and directories that match a pattern.

        Args:
            pattern: Path relative to the root. ``*``, ``?`` and ``[…]`` match within a part; the
                part ``**`` matches any number of directories.
        """
        return matching(pattern, self.entries, self.exists)

    def remove(self, path: str, recursive: bool = False) -> None:
        """Remove a file or a directory.

        Args:
            path: The file or directory; not the root.
            recursive: Remove a directory with all that is in it; otherwise it must be empty.

        Raises:
            FileNotFoundError: It does not exist.
            OSError: The directory is not empty, and ``recursive`` is false.
            ValueError: The path is the root.
        """
        if not path.strip("/"):
            raise ValueError("a project's root cannot be removed")
        self._store.remove(path, recursive=recursive)

    def rename(self, source: str, target: str, overwrite: bool = False) -> None:
        """Rename a file or directory; atomic on all but object stores.

        Args:
            source: The file or directory.
            target: Its new path; the parent directory must exist.
            overwrite: Replace a file that has that path.

        Raises:
            FileNotFoundError: The source does not exist.
            FileExistsError: The target is a directory, or it exists and ``overwrite`` is false.
        """
        self._store.info(source)  # raises the same error on every storage if there is no source
        self._check_free(target, overwrite)
        self._store.rename(source, target)

    def copy(self, source: str, target: str) -> None:
        """Copy a file, replacing the target, or a directory with all that is in it.

        Args:
            source: The file or directory.
            target: The copy's path.

        Raises:
            FileNotFoundError: The source does not exist.
            FileExistsError: The target is a directory, or the source is one and the target exists.
        """
        kind = self._store.info(source)
        self._check_free(target, overwrite=not kind.is_directory)
        if not kind.is_directory:
            self._store.make_directory(target.rpartition("/")[0])
            self._store.copy_file(source, target)
            return
        for file in list(self._store.walk_files(source)):
            path = f"{target}{file.name[len(source) :]}"
            self._store.make_directory(path.rpartition("/")[0])
            self._store.copy_file(file.name, path)

    def upload(
        self, source: str | os.PathLike[str], path: str, progress: Progress | None = None
    ) -> None:
        """Copy a local file into the project, where it appears when it is whole.

        Args:
            source: The local file.
            path: The copy's path; its directory is created.
            progress: Called with the bytes copied so far and the bytes in total.
        """
        self._store.make_directory(path.rpartition("/")[0])
        self._store.upload(Path(source), path, progress)

    def download(
        self, path: str, target: str | os.PathLike[str], progress: Progress | None = None
    ) -> None:
        """Copy a file of the project to a local path, where it appears when it is whole.

        Args:
            path: The file.
            target: The local path; its directory must exist.
            progress: Called with the bytes copied so far and the bytes in total.

        Raises:
            FileNotFoundError: The file does not exist.
            IsADirectoryError: The path is a directory.
        """
        if self._store.info(path).is_directory:
            raise IsADirectoryError(f"{self.full(path)} is a directory")
        with write_beside(os.fspath(target)) as beside:
            self._store.download(path, Path(beside), progress)

    def free_bytes(self) -> int | None:
        """Return the storage's free bytes; None if it does not say."""
        return self._store.free_bytes()

    def _ask(self) -> None:
        """Ask the storage for the root. This changes nothing."""
        try:
            if self._local is not None:
                self._store.check_writable()
            else:
                within(ANSWER_SECONDS, lambda: self._store.check_writable())
        except InvalidProjectError:
            raise
        except Exception as error:  # each file system has its own errors
            raise self._unusable(error) from self._cause(error)

    @property
    def _store(self) -> Files:
        # Temporary credentials are renewed in the environment; connections keep the old ones.
        stamp = credentials_stamp(self._protocol, self._options)
        files = self._files
        if files is None or stamp != self._stamp:
            with self._lock:
                if self._files is None or stamp != self._stamp:
                    self._files, self._stamp = self._connect(), stamp
                files = self._files
        return files

    def _connect(self) -> Files:
        from hopsml_flows.storage.connection import connect

        try:
            return connect(self._protocol, self._url, self._options)
        except InvalidProjectError:
            raise
        except Exception as error:
            raise self._unusable(error) from self._cause(error)

    def _check_free(self, target: str, overwrite: bool) -> None:
        try:
            there = self._store.info(target)
        except FileNotFoundError:
            return
        if there.is_directory or not overwrite:
            raise FileExistsError(f"{self.full(target)} exists already")

    def _unusable(self, error: Exception) -> InvalidProjectError:
        if isinstance(error, ImportError):
            return InvalidProjectError(
                "project", self._url, because=f"a package is not installed ({error})"
            )
        if self._local is not None and isinstance(error, (NotADirectoryError, PermissionError)):
            text = error.strerror or str(error)
            if text.endswith(("is not a directory", "is not writable")):
                return InvalidProjectError("project", self._url, because=text)
        lines = [line for line in str(error).splitlines() if line.strip()] or ["no message"]
        text = f"{type(error).__name__}: {self.without_secrets(lines[0])}"
        return InvalidProjectError("project", self._url, because=f"it cannot be reached ({text})")

    def without_secrets(self, text: str) -> str:
        """Strike out the secrets of URLs and the values of the options in a file system's message.

        Args:
            text: The message.
        """
        for value in _texts(self._options):
            if len(value) > 3:
                text = text.replace(value, "***")
        return redacted(text)

    def _cause(self, error: BaseException) -> BaseException | None:
        """Return an error to chain; None if its traceback would show secrets."""
        seen: set[int] = set()
        each: BaseException | None = error
        while each is not None and id(each) not in seen:
            seen.add(id(each))
            text = str(each)
            if self.without_secrets(text) != text:
                return None
            each = each.__cause__ or each.__context__
        return error


def _rebuild(url: str, options: dict[str, Any], environment: Mapping[str, str]) -> Project:
    """Rebuild an unpickled project. Variables already set on this machine win.

    Those may say, for example, where this machine has its libraries.
    """
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    return Project(url, options or None)


def _check_form(argument: str, given: object, text: str, *, is_local: bool) -> None:
    if "\0" in text:
        raise InvalidProjectError(argument, given, "must not contain NUL")
    if not is_local and not is_unicode(text):
        raise InvalidProjectError(argument, given, "must be UTF-8, as all names there are")


def _local_path(argument: str, given: object, path: str) -> Path:
    if not path:
        raise InvalidProjectError(argument, given, "must have a path")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:  # ~name, and there is no such user
        raise InvalidProjectError(argument, given, because=str(error)) from error


def _check_protocol(argument: str, given: object, protocol: str) -> None:
    from hopsml_flows.storage.connection import check_protocol

    try:
        check_protocol(protocol)
    except ValueError as error:
        raise InvalidProjectError(argument, given, because=str(error)) from error
    except ImportError as error:
        raise InvalidProjectError(
            argument, given, because=f"a package is not installed ({error})"
        ) from error


def _without_password(
    argument: str, url: str, options: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Move a URL's password to the options, where it is not printed."""
    found = _UNESCAPED.search(url)
    if not found:
        return url, options
    strict = _USER_AND_PASSWORD.search(url)
    parameters = strict is None and has_secret(f"s3://host/{found[2]}")
    if (strict and strict.end() != found.end()) or parameters or re.search("[?#]", found[2]):
        # It is ambiguous where the password ends.
        raise InvalidProjectError(
            argument, url, "must have its password percent-encoded, or in storage_options"
        )
    user, password = unquote(found[1]), unquote(found[2])
    before, after = url[: found.start()], url[found.end() :]
    if url.startswith(("s3:", "s3a:")):  # fsspec would look for a bucket of that name
        return before + after, {"key": user, "secret": password, **options}
    return f"{before}{found[1]}@{after}", {"password": password, **options}


def _without_query(
    argument: str, given: object, protocol: str, url: str, options: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Move a URL's query to the options: paths are appended to the URL, and URLs are shown."""
    known = _OF_QUERY.get(protocol, {})
    address, found, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")] if found else []
    if protocol in ("hopsfs", "hdfs"):
        if any(name != "replication" or not value.isdecimal() for name, _, value in pairs):
            raise InvalidProjectError(argument, given, "must have no query but replication=N")
        url, options = address, {**{name: int(value) for name, _, value in pairs}, **options}
    elif pairs and all(name in known and value for name, _, value in pairs):
        moved = {known[name]: unquote(value) for name, _, value in pairs}
        url, options = address, {**moved, **options}
    if has_secret(url):
        raise InvalidProjectError(
            argument, given, "must have no such query; storage_options take passwords and tokens"
        )
    return url, options


def _texts(options: Any) -> Iterator[str]:
    """Yield all strings in nested options."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping):
        for value in options.values():
            yield from _texts(value)
