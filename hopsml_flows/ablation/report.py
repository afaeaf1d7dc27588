"""What an ablation study found, as tables for a terminal, with the verdicts in words.

Everything here turns findings into text; what prints is elsewhere.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from hopsml_flows.ablation.cells import (
    LOOKS,
    count_cell,
    interval_cell,
    interval_head,
    number_cell,
    p_cell,
    time_cell,
)
from hopsml_flows.ablation.components import BASE
from hopsml_flows.ablation.findings import Costs, Findings
from hopsml_flows.ablation.pairs import Interaction
from hopsml_flows.ablation.verdicts import Judged
from hopsml_flows.text import one_line, unicode_text

__all__ = ["costs_table", "effects_table", "findings_table", "interactions_table"]

_GAP = "  "
_NARROW = 10
"""Columns that the names of arms have at least."""

_NEEDLESS = ("repeats", "p (Holm)")
"""Columns that a narrow table lacks: the words below it have the repeats and what p says."""


def effects_table(judged: Sequence[Judged], *, width: int = 80, alpha: float = 0.05) -> str:
    """Return the effects as a table, and below it the verdicts in words.

    Args:
        judged: The effects with their verdicts, in the order of the rows.
        width: Columns that there are; a table needs about 55.
        alpha: What the intervals leave out.

    Example:
        >>> from hopsml_flows.ablation import effects, judge
        >>> loss = {"base": [1, 2, 3], "age": [5, 6, 8], "name": [1, 3, 2]}
        >>> metrics = {arm: dict(enumerate(values)) for arm, values in loss.items()}
        >>> found = [judge(e) for e in effects(metrics, base="base", direction="min")]
        >>> print(effects_table(found))
        without  effect  95% interval   p (Holm)  repeats  verdict
        age        4.33    2.9 to 5.77     0.012        3  matters
        name          0  -2.48 to 2.48         1        3  within noise
        <BLANKLINE>
        age: matters at 3 repeats: without it the metric is 4.33 worse
        name: within noise at 3 repeats; it makes no difference at all
    """
    columns = [
        ("effect", [number_cell(one.effect.mean) for one in judged], True),
        (interval_head(alpha), _aligned([interval_cell(one.effect) for one in judged]), False),
        ("p (Holm)", [p_cell(one.effect.p_holm) for one in judged], True),
        ("repeats", [str(one.effect.repeats) for one in judged], True),
        ("verdict", [one.verdict.value for one in judged], False),
    ]
    names = [_name(one.effect.arm) for one in judged]
    left_out = []
    for head in _NEEDLESS:
        if width - _needed(columns) < min(_NARROW, _widest(names)):
            columns = [column for column in columns if column[0] != head]
            left_out.append(head)
    lines = _lines("without", names, columns, width)
    for one in judged:
        lines += _wrapped(f"{_name(one.effect.arm)}: {one.words}", width)
    table, words = lines[: len(judged) + 1], lines[len(judged) + 1 :]
    if left_out:
        table.append(f"No room for: {', '.join(left_out)}")
    return "\n".join([*table, "", *words])


def interactions_table(
    found: Sequence[Interaction], *, width: int = 80, alpha: float = 0.05
) -> str:
    """Return what pairs cost beyond the sum of both, as a table and in words.

    Args:
        found: The interactions, in the order of the rows.
        width: Columns that there are.
        alpha: What the intervals leave out, and the level of the words.
    """
    names = [_name(pair.arm) for pair in found]
    columns = [
        ("beyond the sum", [number_cell(pair.mean) for pair in found], True),
        (interval_head(alpha), _aligned([interval_cell(pair) for pair in found]), False),
        ("p (Holm)", [p_cell(pair.p_holm) for pair in found], True),
        ("repeats", [str(pair.repeats) for pair in found], True),
    ]
    lines = [*_lines("without both", names, columns, width), ""]
    for name, pair in zip(names, found, strict=True):
        lines += _wrapped(f"{name}: {pair.words(alpha)}", width)
    return "\n".join(lines)


def costs_table(judged: Sequence[Judged], base: Costs, *, width: int = 80) -> str:
    """Return what the arms cost as a table; "" if nothing of it is known.

    Args:
        judged: The effects with their verdicts, in the order of the rows.
        base: What trials of the base cost.
        width: Columns that there are.

    Example:
        >>> from hopsml_flows.ablation import Effect, Verdict
        >>> cheaper = Effect(arm="layer two", repeats=0, parameters=17, seconds=1.25)
        >>> print(costs_table([Judged(cheaper, Verdict.UNKNOWN, "")], Costs(1041, 1.5)))
        without    parameters   time
        base            1,041  1.5 s
        layer two          17  1.2 s
    """
    arms = [base, *(Costs(one.effect.parameters, one.effect.seconds) for one in judged)]
    columns = [
        ("parameters", [count_cell(arm.parameters) for arm in arms], True),
        ("time", [time_cell(arm.seconds) for arm in arms], True),
    ]
    known = [column for column in columns if any(column[1])]
    names = [BASE, *(_name(one.effect.arm) for one in judged)]
    return "\n".join(_lines("without", names, known, width)) if known else ""


def findings_table(found: Findings, *, width: int = 80) -> str:
    """Return all that a study found, as tables and in words.

    Args:
        found: What it found.
        width: Columns that there are.
    """
    tables = [effects_table(found.effects, width=width, alpha=found.alpha)]
    if found.is_sequential:
        tables.append("\n".join(_wrapped(LOOKS, width)))
    if found.interactions:
        tables.append(interactions_table(found.interactions, width=width, alpha=found.alpha))
    tables.append(costs_table(found.effects, found.base, width=width))
    return "\n\n".join(table for table in tables if table)


def _aligned(intervals: Sequence[str]) -> list[str]:
    """Intervals whose lower ends are aligned right, and their upper ends left."""
    widest = max((text.find(" to ") for text in intervals), default=0)
    return [" " * (widest - text.find(" to ")) + text if text else "" for text in intervals]


def _name(arm: str) -> str:
    return one_line(unicode_text(arm))


def _widest(cells: Sequence[str]) -> int:
    return max(map(cell_len, cells), default=0)


def _needed(columns: Sequence[tuple[str, list[str], bool]]) -> int:
    return sum(len(_GAP) + _widest([head, *cells]) for head, cells, _ in columns)


def _lines(
    first: str, names: list[str], columns: Sequence[tuple[str, list[str], bool]], width: int
) -> list[str]:
    """The lines of a table; names are cut to what the other columns leave."""
    room = max(_NARROW, width - _needed(columns))
    wide = min(room, _widest([first, *names]))
    widths = [_widest([head, *cells]) for head, cells, _ in columns]
    lines = []
    for row in range(-1, len(names)):
        name = first if row < 0 else names[row]
        parts = [set_cell_size(_cut(name, wide), wide)]
        for (head, cells, right), needed in zip(columns, widths, strict=True):
            text = head if row < 0 else cells[row]
            parts.append(text.rjust(needed) if right else text.ljust(needed))
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text; letters that take two columns make all of them shorter."""
    room = max(_NARROW, width - (cell_len(text) - len(text)))
    return textwrap.wrap(text, room, subsequent_indent="  ")


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"
