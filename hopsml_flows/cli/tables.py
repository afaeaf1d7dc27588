"""Plain tables in as many columns as the terminal has room for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from hopsml_flows.text import fitting, one_line, say

__all__ = ["Column", "print_table", "terminal_width"]

_GAP = "  "
_NARROW = 10
"""Characters to which a column may be cut, if all columns have room then."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        head: Its head.
        cells: Its cells, one per row.
        rank: 0 if it is always shown; columns of a higher rank are shown if there is room.
        right: Whether its cells are aligned right.
        whole: Whether its cells are never cut, such as identifiers that are copied.
        most: Most characters of a cell that may be cut.
    """

    head: str
    cells: Sequence[str]
    rank: int = 1
    right: bool = False
    whole: bool = False
    most: int = 40

    @property
    def width(self) -> int:
        """Columns of the terminal that it needs if nothing is cut more than it has to be."""
        widest = max(map(cell_len, (self.head, *self.cells)))
        return widest if self.whole else min(widest, self.most)


def print_table(columns: Sequence[Column], *, width: int | None = None) -> None:
    """Print a table, and a line that names what had no room.

    Args:
        columns: The columns, in their order.
        width: Columns that there are; None for those of the terminal.
    """
    room = terminal_width() if width is None else width
    clean = [_clean(column) for column in columns]
    chosen: list[Column] = []
    # Each column keeps the room that was found for it; a later one takes what is left.
    widths: dict[str, int] = {}
    for column in sorted(clean, key=lambda column: column.rank):
        left = room - sum(widths.values()) - len(_GAP) * len(widths)
        needed = min(column.width, max(left, _NARROW)) if not column.whole else column.width
        if column.rank == 0 or needed <= left:
            widths[column.head] = needed
            chosen.append(column)
    shown = [column for column in clean if column in chosen]
    for row in range(-1, len(shown[0].cells) if shown else 0):
        say(_GAP.join(_cell(column, row, widths[column.head]) for column in shown).rstrip())
    left_out = [column.head for column in clean if column not in chosen]
    if left_out:
        say(fitting(f"No room for: {', '.join(left_out)} (see --json)"))


def terminal_width() -> int:
    """Return the columns of the terminal, or of ``COLUMNS``; 80 where there is no terminal."""
    return shutil.get_terminal_size().columns


def _clean(column: Column) -> Column:
    return Column(
        fitting(one_line(column.head)),
        [fitting(one_line(cell)) for cell in column.cells],
        column.rank,
        column.right,
        column.whole,
        column.most,
    )


def _cell(column: Column, row: int, width: int) -> str:
    text = column.head if row < 0 else column.cells[row]
    if cell_len(text) > width:
        dots = fitting("…")
        text = set_cell_size(text, max(0, width - len(dots))).rstrip() + dots
    pad = " " * max(0, width - cell_len(text))
    return pad + text if column.right else text + pad
