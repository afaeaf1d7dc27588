"""How commands that compare two things show what differs: as lines, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hopsml_flows.service import ComparisonRow
from hopsml_flows.text import readable, say, value_text

__all__ = ["json_row", "say_differences", "say_lines"]


def say_differences(heads: Sequence[str], rows: Iterable[ComparisonRow]) -> None:
    """Print rows that differ like a difference of files; nothing if there are none.

    Args:
        heads: What the two things are called.
        rows: The rows.
    """
    told = list(rows)
    if told:
        say(f"--- {heads[0]}")
        say(f"+++ {heads[1]}")
    for row in told:
        for sign, value in zip("-+", row.values, strict=True):
            if value is not None:
                say(readable(f"{sign}{row.name}={value_text(value)}"))


def say_lines(lines: Iterable[str]) -> None:
    """Print the lines of a difference of programs.

    Args:
        lines: The lines.
    """
    for line in lines:
        say(readable(line))


def json_row(row: ComparisonRow) -> dict[str, Any]:
    """Return a row for JSON.

    Args:
        row: The row.
    """
    return {"name": row.name, "values": row.values}
