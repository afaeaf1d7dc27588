"""Print to an output that may lose its reader, such as a closed terminal or a pipe to ``head``.

The experiment goes on without its display.
"""

from __future__ import annotations

from contextlib import suppress
from typing import IO

from rich.console import Console

__all__ = ["open_console", "printing"]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Do nothing; Rich would end the process."""


def open_console(file: IO[str] | None = None) -> Console:
    """Return a console that goes on when its reader has gone.

    Args:
        file: What it writes to; standard output if None.
    """
    return _Console(file=file)


def printing() -> suppress:
    """Return a context that silently ends a printing block when the output cannot be written."""
    return suppress(OSError, ValueError)  # writing to a closed file is a ValueError
