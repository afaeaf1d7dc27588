"""``hops.hdfs``'s verbs for the content of files."""

from __future__ import annotations

from typing import IO, Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.hdfs.places import AnyPath, place_of
from hopsml_flows.storage.retries import persistently

__all__ = ["dump", "load", "open_file"]

# As in HopsML, bytes unless "t" asks for text; its default, "rw", reads.
_MODES = {
    "rw": "rb",
    **{f"{letter}{kind}": f"{letter}{kind or 'b'}" for letter in "rwa" for kind in ("", "b", "t")},
}


def open_file(
    hdfs_path: AnyPath, project: str | None = None, flags: str = "rw", buff_size: int = 0
) -> IO[Any]:
    """Open a file, which the caller closes.

    Args:
        hdfs_path: The file.
        project: Name of another project.
        flags: ``r``, ``w`` or ``a``, for bytes; with ``t`` after it for text. HopsML's default,
            ``rw``, reads.
        buff_size: Accepted for programs written for HopsML; has no effect.

    Raises:
        FileNotFoundError: There is none to read.
    """
    del buff_size
    mode = _MODES.get(flags) if isinstance(flags, str) else None
    if mode is None:
        raise InvalidArgumentError("flags", flags, "must be r, w or a, with t for text")
    place = place_of(hdfs_path, project)
    if mode[0] != "r":
        place.project.make_directory(place.parent)
    return place.project.open(place.path, mode)


def dump(data: str | bytes, hdfs_path: AnyPath) -> None:
    """Write a file whole; its directory is made, and what it had in it before is gone.

    Args:
        data: Its content; text is written as UTF-8.
        hdfs_path: The file.
    """
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise InvalidArgumentError("data", data, "must be text or bytes")
    content = data if isinstance(data, str) else bytes(data)
    place = place_of(hdfs_path)
    if not place.path:
        raise InvalidArgumentError("hdfs_path", hdfs_path, "must be a file")
    place.project.make_directory(place.parent)
    persistently(lambda: place.project.replace(place.path, content))


def load(hdfs_path: AnyPath) -> bytes:
    """Content of a file. It is read, and nothing in it is run or unpickled.

    Args:
        hdfs_path: The file.

    Raises:
        FileNotFoundError: There is none.
    """
    place = place_of(hdfs_path)
    return persistently(lambda: place.project.read(place.path))
