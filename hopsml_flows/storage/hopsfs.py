"""``hopsfs://`` and ``hdfs://``: HopsFS and HDFS through libhdfs, on pyarrow.

This package's entry point registers ``hopsfs`` with fsspec. So every program that opens fsspec
URLs, such as TensorBoard, can read HopsFS where this package is installed.

libhdfs comes from Hops, where Hopsworks provides it, or from a Hadoop distribution, whose libhdfs
runs Java. pyarrow loads Java's library in both cases.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import re
import shutil
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.arrow import HadoopFileSystem
from fsspec.spec import AbstractFileSystem

from hopsml_flows.storage.interface import temporary_beside

__all__ = ["HdfsFileSystem", "HopsFileSystem", "check_port", "path_of", "settings", "url_arguments"]

CONNECT_SECONDS = 5
"""Longest wait for a NameNode to accept a connection."""

_CLAIM_SECONDS = 30
"""Age from which a claim to a file's name counts as left behind by a dead process."""

_READ_TRIES = 25
_CHUNK = 1 << 20

_NOT_LITERAL = re.compile(r"[%#?]")

T = TypeVar("T")

_USER_VARIABLES = ("LIBHDFS_DEFAULT_USER", "HADOOP_USER_NAME", "HDFS_USER")

# Where Hops' libhdfs looks for TLS certificates; Java's reads core-site.xml.
_CERTIFICATES = {
    "root_ca_bundle": "LIBHDFS_ROOT_CA_BUNDLE",
    "client_certificate": "LIBHDFS_CLIENT_CERTIFICATE",
    "client_key": "LIBHDFS_CLIENT_KEY",
}


class HdfsFileSystem(HadoopFileSystem):  # type: ignore[misc]  # fsspec has no types
    """HDFS through fsspec's wrapper of pyarrow's client, with the wrapper's faults corrected.

    What the URL and the arguments leave out comes from the environment (``LIBHDFS_DEFAULT_FS``,
    ``LIBHDFS_DEFAULT_USER``, ``HADOOP_USER_NAME``, ``HDFS_USER``), then from ``core-site.xml`` in
    ``HADOOP_CONF_DIR`` or ``HADOOP_HOME``.

    Args:
        host: NameNode or name service.
        port: Its port.
        user: The user name, on a cluster that trusts it.
        replication: Copies of each written file; the URL's query may set it too.
        root_ca_bundle: File with the authority's certificates, for TLS with Hops' libhdfs.
        client_certificate: File with the client's certificate.
        client_key: File with the client's key.
        **options: See ``fsspec.implementations.arrow.HadoopFileSystem``.

    Raises:
        ImportError: libhdfs or Java cannot be loaded.
        OSError: The NameNode does not answer.
    """

    protocol = "hdfs"

    def __init__(
        self,
        host: str = "default",
        port: int = 0,
        user: str | None = None,
        replication: int = 3,
        root_ca_bundle: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
        **options: Any,
    ) -> None:
        given = (root_ca_bundle, client_certificate, client_key)
        for variable, path in zip(_CERTIFICATES.values(), given, strict=True):
            if path is not None:
                os.environ[variable] = str(path)
        found = settings({"host": host, "port": port, "user": user})
        host, port, user = found["host"], found["port"], found["user"]
        if port:
            check_port(host, port)
        _find_java()
        _claim_libhdfs()
        try:
            super().__init__(host=host, port=port, user=user, replication=replication, **options)
        except OSError as error:
            if "Unable to load" not in str(error):
                raise
            raise ImportError(_not_loaded(str(error)), name="libhdfs") from error

    @property
    def fs(self) -> Any:
        """The client of pyarrow. OSError in a forked child, where a call would wait forever."""
        _claim_libhdfs()
        return self._client

    @fs.setter
    def fs(self, client: Any) -> None:
        # fsspec drops its instances in a forked child. There Hops' libhdfs would close their
        # connections, and so take the parent's sockets out of the parent's poll: the parent would
        # wait forever. A client that is never freed is never closed; there are few.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
        self._client = client

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        # fsspec's own method reads "#" and "?" in a name as parts of a URL.
        if isinstance(path, list):
            return [_checked(each) for each in path]
        return _checked(path)

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> list[Any]:
        """List a directory; for a file, list the file."""
        info = self.info(path)
        if info["type"] != "directory":
            return [info] if detail else [info["name"]]
        listed: list[Any] = super().ls(path, detail=detail, **kwargs)
        return listed

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        """Read a file, or a part of it. A whole file is read from a single version."""
        if start is not None or end is not None:
            # Not the method of fsspec's class for Arrow: older versions read the whole file, and
            # from 0 on it seeks in a file that it opened as not seekable.
            part: bytes = AbstractFileSystem.cat_file(
                self, path, start, end, seekable=True, **kwargs
            )
            return part

        def read() -> tuple[bytes, int]:
            with self.open(path, "rb", seekable=False) as file:
                content: bytes = file.read()
            return content, len(content)

        return self._whole(path, read)

    def get_file(self, rpath: str, lpath: str, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        """Copy a file, from a single version, to a local path."""

        def copy() -> tuple[None, int]:
            done = 0
            with self.open(rpath, "rb", seekable=False) as file, open(lpath, "wb") as target:
                while chunk := file.read(_CHUNK):
                    target.write(chunk)
                    done += len(chunk)
                    callback.absolute_update(done)
            return None, done

        self._whole(rpath, copy)

    def _whole(self, path: str, read: Callable[[], tuple[T, int]]) -> T:
        """Read again until the bytes read match the file's size.

        The blocks of a replaced version disappear while they are read. Hops' libhdfs then fails,
        or reports the file's end too early.
        """
        failed: OSError | None = None
        for _ in range(_READ_TRIES):
            before = self.info(path)["size"]
            try:
                content, size = read()
            except (FileNotFoundError, PermissionError):
                raise
            except OSError as error:
                if self.isdir(path):
                    raise IsADirectoryError(errno.EISDIR, "is a directory", path) from error
                failed = error
                continue
            if size in (before, self.info(path)["size"]):
                return content
        raise failed or OSError(errno.EIO, "changes faster than it can be read", path)

    def mv(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Rename, and replace a file that has the new name.

        With Hops' libhdfs this is atomic. Java's refuses to replace, and has no call for it: then
        the file is missing for a moment, but is never half there.
        """
        try:
            super().mv(path1, path2, **kwargs)
        except OSError:
            if not (self.exists(path1) and self.isfile(path2)):
                raise
            old = temporary_beside(path_of(path2))
            super().mv(path2, old)
            super().mv(path1, path2)
            self.rm_file(old)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write a file; with mode "create" raise FileExistsError if it exists."""
        path = _checked(path)
        if mode != "create":
            super().pipe_file(path, value, **kwargs)
            return
        with self._claim(path):
            if self.exists(path):
                raise FileExistsError(errno.EEXIST, "exists already", path)
            beside = temporary_beside(path)
            super().pipe_file(beside, value, **kwargs)
            super().mv(beside, path)

    def _open(self, path: str, mode: str = "rb", *args: Any, **kwargs: Any) -> Any:
        path = _checked(path)
        if mode == "ab":
            return _Appended(self, path)
        if mode == "xb":
            if self.exists(path):
                raise FileExistsError(errno.EEXIST, "exists already", path)
            mode = "wb"
        return super()._open(path, mode, *args, **kwargs)

    @contextmanager
    def _claim(self, path: str) -> Iterator[None]:
        """Hold the only claim to create a file, among all processes that use this method.

        pyarrow has no exclusive create, and its rename overwrites files. But it does not overwrite
        a directory with something in it, so such a directory is the claim.
        """
        directory, _, name = path.rpartition("/")
        claim = f"{directory}/.hopsml-{name}.claim.tmp"
        mine = temporary_beside(path)
        token = mine.rpartition("/")[2]
        try:
            began, then = self._touch(mine, token)
            while not self._rename_to_claim(mine, claim, token):
                waited = time.monotonic() - began
                # By the cluster's clock alone: this machine's may differ.
                self._drop_abandoned(claim, then + waited)
                if waited > _CLAIM_SECONDS / 3:  # after a long wait the new claim must not look old
                    began, then = self._touch(mine, uuid4().hex)
                time.sleep(0.05)
        except BaseException:
            with suppress(OSError):
                self.fs.delete_dir(mine)
            raise
        try:
            yield
        finally:
            self.fs.delete_dir(claim)

    def _touch(self, directory: str, name: str) -> tuple[float, float]:
        """Make a directory in another; return this machine's and the cluster's time of that."""
        self.fs.create_dir(f"{directory}/{name}", recursive=True)
        return time.monotonic(), self.info(directory)["mtime"].timestamp()

    def _rename_to_claim(self, mine: str, claim: str, token: str) -> bool:
        with suppress(OSError):
            self.fs.move(mine, claim)
        if self.exists(f"{claim}/{token}"):
            return True
        # Java's libhdfs moves it into the other process's claim.
        inside = f"{claim}/{token}"
        if self.exists(f"{inside}/{token}"):
            self.fs.move(inside, mine)
        return False

    def _drop_abandoned(self, claim: str, now: float) -> None:
        try:
            age = now - self.info(claim)["mtime"].timestamp()
        except FileNotFoundError:
            return
        if age > _CLAIM_SECONDS:
            aside = temporary_beside(claim)
            with suppress(OSError):  # another process dropped it
                self.fs.move(claim, aside)
                self.fs.delete_dir(aside)


class HopsFileSystem(HdfsFileSystem):
    """HopsFS, which speaks HDFS's protocols. Arguments as of :class:`HdfsFileSystem`."""

    protocol = "hopsfs"


class _Appended(io.RawIOBase):
    """A file opened to append, which is opened on the cluster only by the first write.

    Hops' libhdfs may hang when a file is opened to append and closed without a write.
    """

    def __init__(self, fs: HdfsFileSystem, path: str) -> None:
        super().__init__()
        self._fs = fs
        self._path = path
        self._stream: Any = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if memoryview(data).nbytes == 0:
            return 0
        if self._stream is None:
            try:
                self._stream = self._fs.fs.open_append_stream(self._path, compression=None)
            except FileNotFoundError:
                self._stream = self._fs.fs.open_output_stream(self._path, compression=None)
        self._stream.write(data)
        return memoryview(data).nbytes

    def close(self) -> None:
        if self.closed:
            return
        try:
            if self._stream is not None:
                self._stream.close()
            elif not self._fs.exists(self._path):
                self._fs.pipe_file(self._path, b"")
        finally:
            super().close()


def _checked(path: Any) -> str:
    """Return the path in a URL; raise OSError if libhdfs would read another path from it."""
    plain = path_of(path)
    if _NOT_LITERAL.search(plain):
        # Hops' libhdfs would use another file: "a" for "a#b", "a b" for "a%20b".
        raise OSError(errno.EINVAL, "libhdfs reads %, # and ? in names as parts of a URL", plain)
    return plain


def path_of(path: Any) -> str:
    """Return the path in a URL of HDFS, or the path itself, without a slash at the end.

    Args:
        path: URL or path.

    Example:
        >>> path_of("hdfs://namenode:8020/Projects/demo/")
        '/Projects/demo'
    """
    text: str = os.fspath(path)
    if "://" in text:
        text = text.partition("://")[2]
        # The host is before the first slash; a query belongs to the connection.
        text = re.sub(r"\?replication=\d+$", "", text[text.find("/") :] if "/" in text else "/")
    return "/" + text.strip("/")


def settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in host, port and user from the environment or ``core-site.xml``.

    Args:
        arguments: Arguments of :class:`HdfsFileSystem`.

    Returns:
        The arguments with these three.
    """
    host, port = arguments.get("host") or "default", arguments.get("port") or 0
    user = arguments.get("user")
    if host == "default":
        host, port, of_url = _configured()
        user = user or of_url
    user = user or next(filter(None, map(os.environ.get, _USER_VARIABLES)), None)
    return {**arguments, "host": host, "port": port, "user": user}


def url_arguments(url: str) -> dict[str, Any]:
    """Return the host, port, user and replication that a URL of HDFS has.

    Args:
        url: Such as ``hopsfs://user@host:port/path?replication=1``.

    Example:
        >>> url_arguments("hopsfs://alice@namenode:8020/Projects/demo")
        {'host': 'namenode', 'port': 8020, 'user': 'alice'}
    """
    parts = urlsplit(url)
    found: dict[str, Any] = {"host": parts.hostname, "port": parts.port, "user": parts.username}
    if replication := parse_qs(parts.query).get("replication"):
        found["replication"] = int(replication[0])
    return {name: value for name, value in found.items() if value}


def check_port(host: str, port: int) -> None:
    """Check that a port accepts connections. libhdfs may take minutes to say "connection failed".

    Args:
        host: Name or address.
        port: Its port.

    Raises:
        OSError: The host is unknown, refuses or does not answer.
    """
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        kind = type(error) if type(error) in _PLAIN else ConnectionError
        raise kind(f"{host}:{port}: {error.strerror or error}") from error


_PLAIN = (ConnectionRefusedError, ConnectionResetError, TimeoutError)


def _configured() -> tuple[str, int, str | None]:
    """Return host, port and user of the default file system; host "default" if none is known."""
    value = os.environ.get("LIBHDFS_DEFAULT_FS") or _default_of_core_site()
    if not value:
        return "default", 0, None
    parts = urlsplit(value if "://" in value else f"hdfs://{value}")
    return parts.hostname or "default", parts.port or 0, parts.username


def _default_of_core_site() -> str | None:
    directories = [os.environ.get("HADOOP_CONF_DIR")]
    if home := os.environ.get("HADOOP_HOME"):
        directories.append(f"{home}/etc/hadoop")
    for directory in filter(None, directories):
        file = Path(directory) / "core-site.xml"
        if file.is_file():
            for entry in ET.parse(file).getroot().iter("property"):
                if entry.findtext("name", "").strip() in ("fs.defaultFS", "fs.default.name"):
                    return entry.findtext("value", "").strip() or None
    return None


def _claim_libhdfs() -> None:
    """Note the process that uses libhdfs. A forked child does not have libhdfs' threads.

    Raises:
        OSError: This process is such a child.
    """
    global _process
    if _process is None:
        _process = os.getpid()
    elif _process != os.getpid():
        raise OSError(
            errno.ENOTSUP,
            "libhdfs does not work in a forked process: start it with multiprocessing's 'spawn', "
            "or use webhdfs://",
        )


_process: int | None = None


def _find_java() -> None:
    """Set ``JAVA_HOME`` and ``CLASSPATH`` for libhdfs where they are missing and can be found."""
    if not os.environ.get("JAVA_HOME") and (java := shutil.which("java")):
        home = Path(java).resolve().parent.parent
        if (home / "lib" / "server").is_dir():
            os.environ["JAVA_HOME"] = str(home)
    if os.environ.get("CLASSPATH"):
        return
    home_of_hadoop = os.environ.get("HADOOP_HOME")
    hadoop = shutil.which("hadoop", path=f"{home_of_hadoop}/bin" if home_of_hadoop else None)
    if hadoop:  # Java's libhdfs finds its classes only in CLASSPATH, and expands no wildcards
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                [hadoop, "classpath", "--glob"],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
            os.environ["CLASSPATH"] = done.stdout.strip()


def _not_loaded(message: str) -> str:
    if "libjvm" in message:
        return "libjvm cannot be loaded: install Java, or set JAVA_HOME to where it is"
    return (
        "libhdfs cannot be loaded: set ARROW_LIBHDFS_DIR to the directory of libhdfs.so, or "
        "HADOOP_HOME to a Hadoop distribution that has it"
    )
