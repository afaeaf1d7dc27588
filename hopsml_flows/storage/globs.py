"""Glob patterns that mean the same on every storage.

fsspec's globbing also expands wildcards in the name of the root, and its back ends differ on
``**`` and hidden files. Pure: the caller lists directories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate

from hopsml_flows.storage.interface import FileInfo

__all__ = ["matching"]

_MAGIC = re.compile(r"[*?\[]")


def matching(
    pattern: str,
    entries: Callable[[str], list[FileInfo]],
    exists: Callable[[str], bool],
) -> list[str]:
    """Return the paths that match a pattern, sorted.

    Args:
        pattern: ``*``, ``?`` and ``[…]`` match within a part, hidden names too. The part ``**``
            matches any number of directories, also none.
        entries: Lists the directory at a path; empty if there is none.
        exists: Whether a path exists.
    """
    parts = [part for part in pattern.split("/") if part]
    fixed = next((n for n, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    base = "/".join(parts[:fixed])
    if fixed == len(parts):
        return [base] if base and exists(base) else []
    return sorted(set(_below(base, parts[fixed:], entries)))


def _below(base: str, parts: list[str], entries: Callable[[str], list[FileInfo]]) -> Iterator[str]:
    first, rest = parts[0], parts[1:]
    listed = _entries(base, entries)
    if first == "**":
        if rest:
            yield from _below(base, rest, entries)
        for entry in listed:
            if not rest:
                yield entry.name
            if entry.is_directory:
                yield from _below(entry.name, parts, entries)
        return
    wanted = re.compile(translate(first))
    for entry in listed:
        if not wanted.match(entry.name.rpartition("/")[2]):
            continue
        if not rest:
            yield entry.name
        elif entry.is_directory:
            yield from _below(entry.name, rest, entries)


def _entries(base: str, entries: Callable[[str], list[FileInfo]]) -> list[FileInfo]:
    try:
        return entries(base)
    except NotADirectoryError:
        return []
