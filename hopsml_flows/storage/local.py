"""A project in a directory of this machine, through system calls, without fsspec.

What is no regular file is never opened: a pipe has no end until another process writes, and
``/dev/zero`` has none at all.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.storage.interface import FileInfo, Progress, is_temporary, temporary_beside

__all__ = ["LocalFiles", "copy_with_progress", "write_beside"]

_CHUNK = 4 << 20

# Errors of file systems without hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})


class LocalFiles:
    """Files below a local directory.

    Args:
        root: The directory; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def check_writable(self) -> None:
        """Check the nearest existing directory at or above the root."""
        existing = self._root
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a directory")
        if not (os.access(existing, os.W_OK | os.X_OK) and _mount_is_writable(existing)):
            raise PermissionError(errno.EACCES, f"{existing} is not writable")

    def make_directory(self, path: str) -> None:
        """Create a directory and its parents; it may exist already."""
        (self._root / path).mkdir(parents=True, exist_ok=True)

    def replace(self, path: str, content: bytes) -> None:
        """Write a temporary file beside it, and rename that."""
        with write_beside(f"{self._root}/{path}") as beside, open(beside, "wb") as file:
            file.write(content)

    def append(self, path: str, content: bytes) -> None:
        """Append to a file, and create it if it does not exist."""
        with _opened(self._root / path, "ab") as file:
            file.write(content)

    def create(self, path: str, content: bytes) -> None:
        """Write a temporary file and link it: the name appears with the whole content or never."""
        target = f"{self._root}/{path}"
        beside = temporary_beside(target)
        try:
            with open(beside, "wb") as file:
                file.write(content)
            try:
                os.link(beside, target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                with open(target, "xb") as file:
                    file.write(content)
        finally:
            with suppress(OSError):
                os.unlink(beside)

    def read(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's content, or a part of it."""
        with _opened(self._root / path, "rb") as file:
            file.seek(start)
            content: bytes = file.read(-1 if stop is None else max(0, stop - start))
        return content

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file; text is UTF-8."""
        return _opened(self._root / path, mode)

    def info(self, path: str) -> FileInfo:
        """Describe a file or directory."""
        return _described(path, os.stat(self._root / path))

    def exists(self, path: str) -> bool:
        """Whether a file or directory exists."""
        return (self._root / path).exists()

    def entries(self, path: str) -> list[FileInfo]:
        """List a directory, without broken links."""
        found = []
        with os.scandir(self._root / path) as entries:
            for entry in entries:
                if not is_temporary(entry.name):
                    with suppress(FileNotFoundError):
                        name = f"{path}/{entry.name}" if path else entry.name
                        found.append(_described(name, entry.stat()))
        return found

    def walk_files(self, path: str) -> Iterator[FileInfo]:
        """Yield all regular files below a directory, without following links to directories."""
        top = self._root / path
        for directory, directories, names in os.walk(top):
            directories[:] = [name for name in directories if not is_temporary(name)]
            below = os.path.relpath(directory, self._root)
            for name in names:
                if not is_temporary(name):
                    with suppress(FileNotFoundError):
                        status = os.stat(f"{directory}/{name}")
                        # Directories are here, too: a link to one is among the names.
                        if _KINDS.get(stat.S_IFMT(status.st_mode)) is None:
                            yield _described(os.path.normpath(f"{below}/{name}"), status)

    def remove(self, path: str, *, recursive: bool) -> None:
        """Remove a file, link or directory; without ``recursive`` the directory must be empty."""
        target = self._root / path
        if target.is_dir() and not target.is_symlink():
            if recursive:
                shutil.rmtree(target)
            else:
                target.rmdir()
        else:
            target.unlink()

    def rename(self, source: str, target: str) -> None:
        """Rename a file or directory, and replace a file that has the new name."""
        (self._root / source).rename(self._root / target)

    def copy_file(self, source: str, target: str) -> None:
        """Copy a file."""
        with write_beside(f"{self._root}/{target}") as beside:
            copy_with_progress(self._root / source, Path(beside), None)

    def upload(self, source: Path, path: str, progress: Progress | None) -> None:
        """Copy a local file to the project, unless it is the target itself."""
        target = self._root / path
        if target.exists() and target.samefile(source):
            return
        with write_beside(str(target)) as beside:
            copy_with_progress(source, Path(beside), progress)

    def download(self, path: str, target: Path, progress: Progress | None) -> None:
        """Copy a file to a local path."""
        copy_with_progress(self._root / path, target, progress)

    def free_bytes(self) -> int | None:
        """Return the free bytes of the disk that holds the root, or will hold it."""
        existing = self._root
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        return shutil.disk_usage(existing).free


@contextmanager
def write_beside(target: str) -> Iterator[str]:
    """Yield a temporary path, which replaces the target at the end, or is removed on an error.

    Args:
        target: The local file to replace.
    """
    beside = temporary_beside(target)
    try:
        yield beside
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def copy_with_progress(source: Path, target: Path, progress: Progress | None) -> None:
    """Copy a local file.

    Args:
        source: The file.
        target: Path of the copy.
        progress: Called with the progress. If None, the kernel may copy in one go.

    Raises:
        DamagedFileError: The source is no regular file.
    """
    _check_kind(source, os.stat(source))
    if progress is None:
        shutil.copyfile(source, target)
        return
    total = source.stat().st_size
    done = 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            done += len(chunk)
            progress(done, max(done, total))
    if not done:
        progress(0, 0)


def _opened(path: Path, mode: str) -> IO[Any]:
    """Open a regular file; text is UTF-8.

    Raises:
        DamagedFileError: It is a pipe, a socket or a device.
    """
    with suppress(FileNotFoundError):
        _check_kind(path, os.stat(path))  # first: to open some devices has effects

    def opener(name: str, flags: int) -> int:
        # Without a wait, should it have become a pipe meanwhile; regular files ignore the flag.
        descriptor = os.open(name, flags | os.O_NONBLOCK, 0o666)
        try:
            _check_kind(path, os.fstat(descriptor))
        except DamagedFileError:
            os.close(descriptor)
            raise
        return descriptor

    return open(path, mode, encoding=None if "b" in mode else "utf-8", opener=opener)


_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _check_kind(path: Path, status: os.stat_result) -> None:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is not None:
        raise DamagedFileError(str(path), f"is {kind}, not a regular file")


def _described(name: str, status: os.stat_result) -> FileInfo:
    directory = stat.S_ISDIR(status.st_mode)
    return FileInfo(name, 0 if directory else status.st_size, directory, status.st_mtime)


def _mount_is_writable(path: Path) -> bool:
    # For root, os.access says yes even on a read-only mount.
    mount = os.statvfs(path)
    # Mounts without blocks, such as /proc, hold no user's files.
    return mount.f_blocks > 0 and not mount.f_flag & os.ST_RDONLY
