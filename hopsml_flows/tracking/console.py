"""Printing where nothing may be read any more: a closed terminal, the left side of ``head``.

An experiment goes on without its display.
"""

from __future__ import annotations

from contextlib import suppress
from typing import IO

from rich.console import Console

__all__ = ["open_console", "printing"]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on; Rich would end the process."""


def open_console(file: IO[str] | None = None) -> Console:
    """A console whose reader may go away.

    Args:
        file: What it writes to; standard output if None.
    """
    return _Console(file=file)


def printing() -> suppress:
    """For a block that prints: it ends early and quietly where nothing can be written any more."""
    return suppress(OSError, ValueError)  # writing to a closed file is a ValueError
