"""Shows the progress of a large copy: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.text import fitting, one_line, say

if TYPE_CHECKING:
    from hopsml_flows.storage import Progress

__all__ = ["LARGE_BYTES", "show_copy"]

LARGE_BYTES = 64 << 20
"""Size in bytes from which a copy is shown."""

_LINE_SECONDS = 10.0


class _Sum:
    """Adds up the progress of several files that are copied at the same time.

    Args:
        total: Bytes of all files.
        tell: Called with the sum of the bytes copied.
    """

    def __init__(self, total: int, tell: Progress) -> None:
        self._total = total
        self._tell = tell
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}

    def of(self, name: str) -> Progress:
        """Return the progress callback for the copy of one file."""

        def add(done: int, _: int) -> None:
            with self._lock:
                self._done[name] = done
                self._tell(min(sum(self._done.values()), self._total), self._total)

        return add


@contextmanager
def show_copy(what: str, total: int) -> Iterator[_Sum | None]:
    """Show the progress of a copy while the block runs.

    Args:
        what: Source and target, for people.
        total: Bytes to copy.

    Yields:
        The source of each file's progress callback; None if the copy is too small to show.
    """
    if total < LARGE_BYTES:
        yield None
        return
    if not sys.stdout.isatty():
        began = time.monotonic()
        say(f"Copying {what} ({size_text(total)})")
        yield _Sum(total, _lines())
        say(f"Copied {what} in {time.monotonic() - began:.1f} s")
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Bar(*columns, TransferSpeedColumn()) as bar:
        task = bar.add_task(fitting(one_line(what)), total=total)
        yield _Sum(total, lambda done, _: bar.update(task, completed=done))


def _lines() -> Progress:
    last = time.monotonic()

    def write(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_SECONDS:
            last = now
            say(f"{done / total:4.0%} of {size_text(total)}")

    return write
