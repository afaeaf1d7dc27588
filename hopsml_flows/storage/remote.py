"""A project on any file system that fsspec knows; evens out their differences.

The file systems of ``connection.py`` must overwrite on ``mv``, raise FileNotFoundError for a path
that does not exist, and refuse ``pipe_file(mode="create")`` for one that does. The package's own
do so where fsspec's do not.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from fsspec.callbacks import Callback

from hopsml_flows.storage.interface import FileInfo, Progress, is_temporary, temporary_beside

__all__ = ["ObjectFiles", "RemoteFiles"]


class RemoteFiles:
    """The files below a root on a file system with directories and a rename that overwrites.

    Args:
        fs: The fsspec file system.
        root: Path of the root on it.
    """

    def __init__(self, fs: Any, root: str) -> None:
        self._fs = fs
        self._root = root.rstrip("/")

    def check_writable(self) -> None:
        """Ask for the root, to see that the storage answers; the root need not exist."""
        self.exists("")

    def make_directory(self, path: str) -> None:
        """Create a directory and its parents; it may exist already."""
        self._fs.makedirs(self._at(path), exist_ok=True)

    def replace(self, path: str, content: bytes) -> None:
        """Write a temporary file beside it, and rename that."""
        with self._write_beside(path) as beside:
            self._fs.pipe_file(beside, content)

    def append(self, path: str, content: bytes) -> None:
        """Append to a file, and create it if it does not exist."""
        with self._fs.open(self._at(path), "ab") as file:
            file.write(content)

    def create(self, path: str, content: bytes) -> None:
        """Write a new file."""
        self._fs.pipe_file(self._at(path), content, mode="create")

    def read(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's content, or a part of it."""
        if stop is not None and stop <= start:
            return b""
        part = {"start": start, "end": stop} if start or stop is not None else {}
        try:
            content: bytes = self._fs.cat_file(self._at(path), **part)
        except OSError:
            # File systems disagree about a part beyond the file's end.
            if not part or self.info(path).size > start:
                raise
            return b""
        return content

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file; text is UTF-8."""
        text = {} if "b" in mode else {"encoding": "utf-8"}
        file: IO[Any] = self._fs.open(self._at(path), mode, **text)
        return file

    def info(self, path: str) -> FileInfo:
        """Describe a file or directory."""
        return _described(path, self._fs.info(self._at(path)))

    def exists(self, path: str) -> bool:
        """Whether a file or directory exists."""
        # fsspec's own method says no when the server does not answer.
        try:
            self._fs.info(self._at(path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def entries(self, path: str) -> list[FileInfo]:
        """List a directory."""
        directory = self._at(path)
        found = []
        for entry in self._fs.ls(directory, detail=True):
            whole = str(entry["name"]).rstrip("/")
            name = whole.rsplit("/", 1)[-1]
            if whole.strip("/") == directory.strip("/"):
                # Object stores may have an empty object that stands for the directory. On every
                # storage, a file lists itself.
                stands_for_it = str(entry["name"]).endswith("/") and not entry["size"]
                if entry["type"] == "directory" or stands_for_it:
                    continue
                raise NotADirectoryError(errno.ENOTDIR, "not a directory", path)
            if not is_temporary(name):
                found.append(_described(f"{path}/{name}" if path else name, entry))
        return found

    def walk_files(self, path: str) -> Iterator[FileInfo]:
        """Yield all files below a directory."""
        try:
            entries = self.entries(path)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_directory:
                yield from self.walk_files(entry.name)
            else:
                yield entry

    def remove(self, path: str, *, recursive: bool) -> None:
        """Remove a file or directory; without ``recursive`` the directory must be empty."""
        # Ask first: file systems disagree about a path that does not exist.
        if not self.info(path).is_directory:
            self._fs.rm_file(self._at(path))
            return
        if not recursive and self.entries(path):
            raise OSError(errno.ENOTEMPTY, "directory is not empty", path)
        self._fs.rm(self._at(path), recursive=True)

    def rename(self, source: str, target: str) -> None:
        """Rename a file or directory, and replace a file that has the new name."""
        self._fs.mv(self._at(source), self._at(target))

    def copy_file(self, source: str, target: str) -> None:
        """Copy a file."""
        self._fs.cp_file(self._at(source), self._at(target))

    def upload(self, source: Path, path: str, progress: Progress | None) -> None:
        """Copy a local file to the project."""
        with self._write_beside(path) as beside, _progress_callback(progress) as callback:
            self._fs.put_file(str(source), beside, callback=callback)

    def download(self, path: str, target: Path, progress: Progress | None) -> None:
        """Copy a file to a local path."""
        size = self.info(path).size
        with _progress_callback(progress) as callback:
            callback.set_size(size)
            self._fs.get_file(self._at(path), str(target), callback=callback)

    def free_bytes(self) -> int | None:
        """Return the free bytes; None if the file system cannot say."""
        ask = getattr(self._fs, "free_bytes", None)
        return ask(self._root or "/") if ask else None

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root or "/"

    @contextmanager
    def _write_beside(self, path: str) -> Iterator[str]:
        target = self._at(path)
        beside = temporary_beside(target)
        try:
            yield beside
            self._fs.mv(beside, target)
        except BaseException:
            with suppress(Exception):  # the storage may be away; the first error is what counts
                self._fs.rm_file(beside)
            raise


class ObjectFiles(RemoteFiles):
    """Files of an object store, or in memory: a PUT is atomic, and directories do not exist."""

    def make_directory(self, path: str) -> None:
        """Do nothing: directories are parts of names."""

    def replace(self, path: str, content: bytes) -> None:
        """Write the file in one request."""
        self._fs.pipe_file(self._at(path), content)

    def append(self, path: str, content: bytes) -> None:
        """Write the whole file again, with the added content."""
        try:
            before = self.read(path)
        except FileNotFoundError:
            before = b""
        self.replace(path, before + content)

    def create(self, path: str, content: bytes) -> None:
        """Write the file in one request that fails if it exists."""
        try:
            self._fs.pipe_file(self._at(path), content, mode="create")
        except FileExistsError:
            raise
        except OSError as error:
            if not _precondition_failed(error):
                raise
            raise FileExistsError(errno.EEXIST, "exists already", path) from error

    def walk_files(self, path: str) -> Iterator[FileInfo]:
        """Yield all files below a directory, from one listing."""
        top = self._at(path).lstrip("/")
        for name, entry in self._fs.find(self._at(path), detail=True).items():
            inside = str(name).lstrip("/")
            if inside.startswith(f"{top}/") and not inside.endswith("/"):
                below = inside[len(top) + 1 :]
                yield _described(f"{path}/{below}" if path else below, entry)

    def remove(self, path: str, *, recursive: bool) -> None:
        """Remove a file or directory; without ``recursive`` the directory must be empty."""
        if not self.info(path).is_directory:
            self._fs.rm_file(self._at(path))
            return
        if not recursive and self.entries(path):
            raise OSError(errno.ENOTEMPTY, "directory is not empty", path)
        # Not fsspec's recursive method: it reads wildcards in names as a pattern.
        self._remove_all(list(self._fs.find(self._at(path))), self._at(path))

    def rename(self, source: str, target: str) -> None:
        """Copy and remove: object stores have no atomic rename."""
        is_directory = self.info(source).is_directory
        names = [file.name for file in self.walk_files(source)] if is_directory else [source]
        for name in names:
            self._fs.cp_file(self._at(name), self._at(f"{target}{name[len(source) :]}"))
        self._remove_all([self._at(name) for name in names])

    def _remove_all(self, names: list[str], directory: str | None = None) -> None:  # noqa: ARG002 - for S3
        """Remove objects; a subclass also removes those that stand for directories."""
        for name in names:
            self._fs.rm_file(name)

    def upload(self, source: Path, path: str, progress: Progress | None) -> None:
        """Copy a local file to the project, where it appears when it is whole."""
        with _progress_callback(progress) as callback:
            self._fs.put_file(str(source), self._at(path), callback=callback)


def _precondition_failed(error: BaseException) -> bool:
    """Whether an S3 server refused a conditional write; servers report that in different ways."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, Mapping):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status in (409, 412):
                return True
        cause = cause.__cause__ or cause.__context__
    return "precondition" in str(error).lower()


class _ProgressCallback(Callback):  # type: ignore[misc]  # fsspec has no types
    """Passes fsspec's progress on to a :data:`~hopsml_flows.storage.interface.Progress`."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:  # noqa: ARG002
        """Pass the progress on; fsspec calls this after each change."""
        # fsspec may set the size after the first bytes, and files grow.
        self._progress(self.value, max(self.size or 0, self.value))


@contextmanager
def _progress_callback(progress: Progress | None) -> Iterator[Callback]:
    if progress is None:
        yield Callback()
        return
    callback = _ProgressCallback(progress)
    yield callback
    progress(callback.value, callback.value)


def _described(name: str, entry: Mapping[str, Any]) -> FileInfo:
    directory = entry["type"] == "directory"
    size = 0 if directory else int(entry.get("size") or 0)
    return FileInfo(name, size, directory, _modified(entry))


def _modified(entry: Mapping[str, Any]) -> float | None:
    """Return the time of the last write; each file system has its own key and unit."""
    if (milliseconds := entry.get("modificationTime")) is not None:  # WebHDFS
        return float(milliseconds) / 1000
    for key in ("mtime", "LastModified", "modified", "created"):
        value = entry.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return None
