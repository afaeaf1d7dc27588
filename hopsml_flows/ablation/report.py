"""What users see of an ablation's effects: a table, JSON, a picture, and a part of a page.

Everything here turns effects into text; what writes files or prints is elsewhere.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from hopsml_flows.ablation.components import BASE
from hopsml_flows.ablation.effects import Effect
from hopsml_flows.ablation.findings import Findings
from hopsml_flows.ablation.pairs import Interaction
from hopsml_flows.ablation.plot import EffectsPlot, PlotRow, effects_plot
from hopsml_flows.ablation.verdicts import Judged, Verdict, short_number
from hopsml_flows.search import Direction
from hopsml_flows.text import one_line, shortened, unicode_text
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import is_finite

__all__ = [
    "effects_from_json",
    "effects_html",
    "effects_json",
    "effects_svg",
    "effects_table",
    "findings_json",
    "findings_table",
    "interactions_table",
]

_GAP = "  "
_NARROW = 10
"""Columns that the names of arms have at least."""

_ROOMY = 16
"""Columns that the names of arms keep, before what arms cost is shown as well."""

_NEEDLESS = ("repeats", "p (Holm)")
"""Columns that a narrow table lacks: the words below it have the repeats and what p says."""

_SMALL_P = 0.001

_FLOATS = (
    *("mean", "deviation", "low", "high", "p", "p_sign_flip", "p_holm", "p_sign_flip_holm"),
    "seconds",
)
_COUNTS = ("parameters",)

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BELOW = 640, 190, 120, 24, 8, 26
_NAME = 26
_COLORS = {
    Verdict.MATTERS: "#0072b2",
    Verdict.HARMFUL: "#d55e00",
    Verdict.NOISE: "#8a8a8a",
    Verdict.UNKNOWN: "#8a8a8a",
}
"""From Okabe and Ito's palette; each is legible on white and on black."""


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
    percent = f"{100 * (1 - alpha):.4g}%"
    columns = [
        ("effect", [_number(one.effect.mean) for one in judged], True),
        (f"{percent} interval", _aligned([_interval(one) for one in judged]), False),
        ("p (Holm)", [_p(one.effect.p_holm) for one in judged], True),
        ("repeats", [str(one.effect.repeats) for one in judged], True),
        ("verdict", [one.verdict.value for one in judged], False),
    ]
    costs = [
        ("parameters", [_count(one.effect.parameters) for one in judged], True),
        ("time", [_time(one.effect.seconds) for one in judged], True),
    ]
    names = [_name(one.effect.arm) for one in judged]
    for cost in costs:
        if any(cost[1]) and width - _needed([*columns, cost]) >= min(_ROOMY, _widest(names)):
            columns.insert(len(columns) - 1, cost)
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
    percent = f"{100 * (1 - alpha):.4g}%"
    names = [_name(pair.arm) for pair in found]
    columns = [
        ("beyond the sum", [_number(pair.mean) for pair in found], True),
        (f"{percent} interval", _aligned([_interval(pair) for pair in found]), False),
        ("p (Holm)", [_p(pair.p_holm) for pair in found], True),
        ("repeats", [str(pair.repeats) for pair in found], True),
    ]
    lines = [*_lines("without both", names, columns, width), ""]
    for name, pair in zip(names, found, strict=True):
        lines += _wrapped(f"{name}: {pair.words(alpha)}", width)
    return "\n".join(lines)


def findings_table(found: Findings, *, width: int = 80) -> str:
    """Return all that a study found, as tables and in words.

    Args:
        found: What it found.
        width: Columns that there are.
    """
    tables = [effects_table(found.effects, width=width, alpha=found.alpha)]
    if found.interactions:
        tables.append(interactions_table(found.interactions, width=width, alpha=found.alpha))
    return "\n\n".join(tables)


def findings_json(found: Findings) -> dict[str, Any]:
    """Return all that a study found as strict JSON, as its directory has it.

    Args:
        found: What it found.
    """
    return effects_json(
        found.effects,
        found.interactions,
        base=BASE,
        direction=found.direction.value,
        alpha=found.alpha,
        metric=found.metric,
    )


def effects_json(
    judged: Sequence[Judged],
    interactions: Sequence[Interaction] = (),
    *,
    base: str,
    direction: str,
    alpha: float = 0.05,
    metric: str = "metric",
) -> dict[str, Any]:
    """Return everything about the effects as strict JSON, for the record.

    Args:
        judged: The effects with their verdicts.
        interactions: The interactions of pairs.
        base: The arm that leaves nothing out.
        direction: Whether the metric is maximised or minimised.
        alpha: Level of the tests, and what the intervals leave out.
        metric: Name of the metric.
    """
    return {
        "base": unicode_text(base),
        "direction": Direction.parse(direction).value,
        "metric": unicode_text(metric),
        "alpha": alpha,
        "effects": [
            {
                "arm": unicode_text(one.effect.arm),
                "verdict": one.verdict.value,
                "words": one.words,
                "repeats_needed": one.needed,
                **_figures(one.effect),
                "p_sign_flip_holm": one.effect.p_sign_flip_holm,
                "unpaired": list(one.effect.unpaired),
                "parameters": one.effect.parameters,
                "seconds": one.effect.seconds,
            }
            for one in judged
        ],
        "interactions": [
            {
                "arm": unicode_text(pair.arm),
                "parts": list(map(unicode_text, pair.parts)),
                "words": pair.words(alpha),
                **_figures(pair),
            }
            for pair in interactions
        ],
    }


def effects_from_json(content: Any) -> list[Judged]:
    """Return the effects that :func:`effects_json` has written, in their order.

    Args:
        content: What was read. Entries that another version has added are passed over.

    Raises:
        ValueError: It is not such a content.

    Example:
        >>> effects_from_json({"effects": [
        ...     {"arm": "a", "repeats": 0, "verdict": "unknown", "words": "unknown"}
        ... ]})[0].verdict.value
        'unknown'
    """
    try:
        return [_judged(entry) for entry in content["effects"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are no effects ({type(error).__name__}: {error})") from error


def effects_svg(judged: Sequence[Judged], *, metric: str = "metric") -> str:
    """Return the picture of effects and intervals as SVG, on a light or a dark page.

    Args:
        judged: The effects with their verdicts, the largest first.
        metric: Name of the metric.
    """
    plot = effects_plot(judged)
    height = _TOP + _ROW * len(plot.rows) + _BELOW + 18
    told = _escaped(f"Effects on {metric}, with intervals: {len(plot.rows)} components")
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" aria-label="{told}" '
        'font-family="sans-serif" font-size="12" fill="currentColor">'
    )
    parts = [
        start,
        f"<title>{told}</title>",
        *_axis(plot, metric),
        *(part for place, row in enumerate(plot.rows) for part in _row(place, row)),
        "</svg>",
    ]
    return "\n".join(parts)


def effects_html(judged: Sequence[Judged], *, metric: str = "metric", alpha: float = 0.05) -> str:
    """Return the picture and the table of effects as a part of a page, without styles of its own.

    Args:
        judged: The effects with their verdicts, the largest first.
        metric: Name of the metric.
        alpha: What the intervals leave out.
    """
    heads = (
        *("without", "effect", f"{100 * (1 - alpha):.4g}% interval", "p", "p (Holm)"),
        *("p (sign flips)", "repeats", "parameters", "time", "verdict"),
    )
    rows = [
        (
            one.effect.arm,
            _number(one.effect.mean),
            _interval(one),
            _p(one.effect.p),
            _p(one.effect.p_holm),
            _p(one.effect.p_sign_flip),
            str(one.effect.repeats),
            _count(one.effect.parameters),
            _time(one.effect.seconds),
            one.words,
        )
        for one in judged
    ]
    head = "".join(f'<th scope="col">{_escaped(text)}</th>' for text in heads)
    body = "\n".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return (
        f'<figure class="effects">\n{effects_svg(judged, metric=metric)}\n</figure>\n'
        f'<table class="effects">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        "</table>"
    )


def _cells(row: Sequence[str]) -> str:
    name, *rest = map(_escaped, row)
    return f'<th scope="row">{name}</th>' + "".join(f"<td>{text}</td>" for text in rest)


def _axis(plot: EffectsPlot, metric: str) -> list[str]:
    bottom = _TOP + _ROW * len(plot.rows)
    parts = []
    for place, text in plot.ticks:
        x = _x(place)
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom + 4}" stroke="currentColor" '
            'stroke-opacity="0.15"/>'
        )
        parts.append(
            f'<text x="{x}" y="{bottom + 17}" text-anchor="middle" fill-opacity="0.75">'
            f"{_escaped(text)}</text>"
        )
    zero, middle = _x(plot.zero), _x(0.5)
    words = _escaped(f"how much worse {shortened(one_line(metric), 40)} is without it")
    parts.append(
        f'<line x1="{zero}" x2="{zero}" y1="{_TOP}" y2="{bottom}" stroke="currentColor" '
        'stroke-opacity="0.6"/>'
    )
    parts.append(
        f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle" fill-opacity="0.75">'
        f"{words}</text>"
    )
    return parts


def _row(place: int, row: PlotRow) -> list[str]:
    y = _TOP + _ROW * place + _ROW / 2
    low, high, mean, color = _x(row.low), _x(row.high), _x(row.mean), _COLORS[row.verdict]
    name = _escaped(shortened(one_line(row.arm), _NAME))
    ends = [
        f'<line x1="{x}" x2="{x}" y1="{y - 4:g}" y2="{y + 4:g}" stroke="{color}" stroke-width="2"/>'
        for x, cut in ((low, row.cut_low), (high, row.cut_high))
        if not cut
    ]
    # An open circle is an effect that is not certain: colour is not all that tells.
    certain = row.verdict in (Verdict.MATTERS, Verdict.HARMFUL)
    inside = f'fill="{color}"' if certain else 'fill="none"'
    return [
        f"<g><title>{_escaped(f'{row.arm}: {row.verdict.value}, {row.label}')}</title>",
        f'<text x="{_LEFT - 12}" y="{y + 4:g}" text-anchor="end">{name}</text>',
        f'<line x1="{low}" x2="{high}" y1="{y:g}" y2="{y:g}" stroke="{color}" stroke-width="2"/>',
        *ends,
        f'<circle cx="{mean}" cy="{y:g}" r="4.5" {inside} stroke="{color}" stroke-width="2"/>',
        f'<text x="{_WIDTH - _RIGHT + 12}" y="{y + 4:g}">{row.verdict.value}</text></g>',
    ]


def _x(place: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * place, 1)


def _escaped(text: str) -> str:
    return html.escape(one_line(unicode_text(text)))


def _figures(found: Any) -> dict[str, Any]:
    return {
        "repeats": found.repeats,
        "mean": _json_number(found.mean),
        "deviation": _json_number(found.deviation),
        "low": _json_number(found.low),
        "high": _json_number(found.high),
        "p": found.p,
        "p_holm": found.p_holm,
        "p_sign_flip": found.p_sign_flip,
        "compared": found.compared,
    }


def _judged(entry: Mapping[str, Any]) -> Judged:
    for name in ("arm", "words"):
        if not isinstance(entry[name], str):
            raise TypeError(f"{name} is no text")
    figures = {name: entry.get(name) for name in (*_FLOATS, *_COUNTS)}
    for name, value in figures.items():
        if value is not None and not (is_number(value) and is_finite(value)):
            raise TypeError(f"{name} is no number")
    effect = Effect(
        arm=entry["arm"],
        repeats=int(entry["repeats"]),
        compared=int(entry.get("compared") or 0),
        unpaired=tuple(map(int, entry.get("unpaired") or ())),
        **figures,
    )
    needed = entry.get("repeats_needed")
    return Judged(
        effect, Verdict(entry["verdict"]), entry["words"], None if needed is None else int(needed)
    )


def _json_number(value: float | None) -> float | None:
    """A number that strict JSON has; sums of the largest floats are none."""
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "" if value is None else short_number(value)


def _interval(found: Any) -> str:
    effect = getattr(found, "effect", found)
    if effect.low is None:
        return ""
    return f"{short_number(effect.low)} to {short_number(effect.high)}"


def _aligned(intervals: Sequence[str]) -> list[str]:
    """Intervals whose lower ends are aligned right, and their upper ends left."""
    widest = max((text.find(" to ") for text in intervals), default=0)
    return [" " * (widest - text.find(" to ")) + text if text else "" for text in intervals]


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return f"<{_SMALL_P:g}" if value < _SMALL_P else f"{value:.2g}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _time(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


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
