"""The verbs of ``hops.hdfs`` for the content of files."""

from __future__ import annotations

from typing import IO, Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.hdfs.inputs import note_read
from hopsml_flows.hdfs.places import AnyPath, place_of
from hopsml_flows.storage.retries import persistently

__all__ = ["dump", "load", "open_file"]

# As in HopsML: bytes unless "t" asks for text, and the default, "rw", reads.
_MODES = {
    "rw": "rb",
    **{f"{letter}{kind}": f"{letter}{kind or 'b'}" for letter in "rwa" for kind in ("", "b", "t")},
}


def open_file(
    hdfs_path: AnyPath, project: str | None = None, flags: str = "rw", buff_size: int = 0
) -> IO[Any]:
    r"""Open a file. The caller closes it.

    Args:
        hdfs_path: The file. Its directory is created for writing.
        project: Name of another project.
        flags: ``r``, ``w`` or ``a`` for bytes, followed by ``t`` for text. HopsML's default,
            ``rw``, reads.
        buff_size: Accepted for programs written for HopsML; has no effect.

    Raises:
        FileNotFoundError: The file to read does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> with hdfs.open_file("Resources/notes.txt", flags="wt") as file:
        ...     print("hello", file=file)
        >>> with hdfs.open_file("Resources/notes.txt", flags="rt") as file:
        ...     file.read()
        'hello\n'
    """
    del buff_size
    mode = _MODES.get(flags) if isinstance(flags, str) else None
    if mode is None:
        raise InvalidArgumentError(
            "flags", flags, "must be 'r', 'w' or 'a', with 't' after it for text"
        )
    place = place_of(hdfs_path, project)
    if mode[0] != "r":
        place.project.make_directory(place.parent)
        return place.project.open(place.path, mode)
    file = place.project.open(place.path, mode)
    note_read(place)
    return file


def dump(data: str | bytes, hdfs_path: AnyPath) -> None:
    """Write a whole file; readers see either the old content or the new.

    Args:
        data: The content; text is written as UTF-8.
        hdfs_path: The file; its directory is created.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Resources/notes.txt")
        >>> hdfs.load("Resources/notes.txt")
        b'hello'
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
    """Return the content of a file, as bytes. Nothing in it is executed or unpickled.

    Args:
        hdfs_path: The file.

    Raises:
        FileNotFoundError: The file does not exist.

    Example:
        >>> from hopsml_flows import hdfs
        >>> hdfs.dump("hello", "Resources/notes.txt")
        >>> hdfs.load("Resources/notes.txt")
        b'hello'
    """
    place = place_of(hdfs_path)
    content = persistently(lambda: place.project.read(place.path))
    note_read(place, len(content))
    return content
