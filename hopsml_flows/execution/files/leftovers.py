"""Keep or list the files that a trial wrote into its working directory and did not return.

They are removed after the trial. Kept files are copied into the trial's own directory, also if
the trial failed. Nothing here makes a trial fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from hopsml_flows.execution.files.attachments import Terms
from hopsml_flows.execution.files.copies import copy_whole, free_name, storable
from hopsml_flows.execution.files.sizes import files_text, name_text, size_text
from hopsml_flows.execution.files.working_directory import WorkingDirectory

__all__ = ["leave"]

MOST_LISTED = 20
"""Most files that are listed in a trial's log."""

_File = tuple[str, Path, int]


def leave(
    working: WorkingDirectory,
    terms: Terms,
    note: Callable[[str], None],
    *,
    into: Path,
    locally: bool,
) -> None:
    """Copy the files that the rules keep out of a working directory, and list the rest.

    Args:
        working: The working directory.
        terms: The trial's rules, and which files it returned.
        note: Receives texts for the log, also of several lines.
        into: The directory for kept files; created if needed.
        locally: Whether the project is on a disk of this machine.
    """
    left = [file for file in working.written() if not _is_in(file[1], terms.taken)]
    wanted = sorted(file for file in left if terms.rules.keeps(file[0]))
    if os.path.lexists(into) and not into.is_dir():  # the trial wrote a file of that name
        into = free_name(into)
    kept: list[_File] = []
    failed: list[OSError] = []
    size = 0
    for file in wanted:
        if not terms.rules.allow(size + file[2], len(kept) + 1):
            continue
        try:
            size += _copy(file, into, locally=locally)
        except OSError as error:
            failed.append(error)
            continue
        kept.append(file)
    names = {name for name, _, _ in kept}
    rest = [file for file in left if file[0] not in names]
    beyond = [file for file in wanted if file[0] not in names]
    if kept:
        note(f"kept of the working directory, in {into.name}/: {_sum(kept)}")
    if beyond:
        why = f"{type(failed[0]).__name__}: {failed[0]}" if failed else str(terms.rules)
        terms.warn(
            f"not kept of the working directory: {_sum(beyond)}, such as {_first(beyond)} ({why})"
        )
    if rest:
        hint = "" if terms.rules.keep else " (keep_files=True keeps such files)"
        head = f"written into the working directory and not returned: {_sum(rest)}, removed now"
        note("\n".join([head + hint, *_list(rest)]))


def _copy(file: _File, into: Path, *, locally: bool) -> int:
    name, source, _ = file
    *above, last = (storable(part, locally=locally) for part in name.split("/"))
    directory = into.joinpath(*above)
    directory.mkdir(parents=True, exist_ok=True)
    return copy_whole(source, free_name(directory / last))


def _is_in(file: Path, taken: set[Path]) -> bool:
    if not taken:
        return False
    resolved = file.parent.resolve() / file.name
    return resolved in taken or any(parent in taken for parent in resolved.parents)


def _list(files: Iterable[_File]) -> list[str]:
    largest = sorted(files, key=lambda file: (-file[2], file[0]))
    width = max(len(size_text(size)) for _, _, size in largest[:MOST_LISTED])
    lines = [
        f"  {size_text(size):>{width}}  {name_text(n)}" for n, _, size in largest[:MOST_LISTED]
    ]
    if (more := len(largest) - MOST_LISTED) > 0:
        lines.append(f"  and {files_text(more)} more, {size_text(_size(largest[MOST_LISTED:]))}")
    return lines


def _first(files: list[_File]) -> str:
    name, _, size = max(files, key=lambda file: file[2])
    return f"{name_text(name)} ({size_text(size)})"


def _sum(files: list[_File]) -> str:
    return f"{files_text(len(files))} ({size_text(_size(files))})"


def _size(files: Iterable[_File]) -> int:
    return sum(size for _, _, size in files)
