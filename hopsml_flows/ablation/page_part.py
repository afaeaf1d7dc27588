"""What an ablation study found, as a part of a page: a picture and tables. Pure.

It loads nothing, has no styles of its own, and takes the colour of text from the page. Names come
from the user and are escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

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
from hopsml_flows.ablation.plot import EffectsPlot, PlotRow, effects_plot
from hopsml_flows.ablation.verdicts import Judged, Verdict
from hopsml_flows.text import one_line, shortened, unicode_text

__all__ = ["effects_html", "effects_svg", "findings_html"]

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BELOW = 640, 190, 120, 24, 8, 26
_NAME = 26
_COLORS = {
    Verdict.MATTERS: "#0072b2",
    Verdict.HARMFUL: "#d55e00",
    Verdict.NOISE: "#8a8a8a",
    Verdict.UNKNOWN: "#8a8a8a",
}
"""From Okabe and Ito's palette; each is legible on white and on black."""


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


def findings_html(found: Findings) -> str:
    """Return all that a study found as a part of a page, without styles of its own.

    Args:
        found: What it found.
    """
    parts = [effects_html(found.effects, metric=found.metric, alpha=found.alpha, base=found.base)]
    if found.is_sequential:
        parts.append(f"<p>{_escaped(LOOKS)}</p>")
    if found.interactions:
        heads = ("without both", "beyond the sum", interval_head(found.alpha), "p", "p (Holm)")
        rows = [
            (
                pair.arm,
                number_cell(pair.mean),
                interval_cell(pair),
                p_cell(pair.p),
                p_cell(pair.p_holm),
                str(pair.repeats),
                pair.words(found.alpha),
            )
            for pair in found.interactions
        ]
        parts.append(_table((*heads, "repeats", "in words"), rows))
    return "\n".join(parts)


def effects_html(
    judged: Sequence[Judged],
    *,
    metric: str = "metric",
    alpha: float = 0.05,
    base: Costs | None = None,
) -> str:
    """Return the picture and the table of effects as a part of a page, without styles of its own.

    Args:
        judged: The effects with their verdicts, the largest first.
        metric: Name of the metric.
        alpha: What the intervals leave out.
        base: What trials of the base cost, for a row of its own; None for none.
    """
    heads = (
        *("without", "effect", interval_head(alpha), "p", "p (Holm)"),
        *("p (sign flips)", "repeats", "parameters", "time", "verdict"),
    )
    rows: list[tuple[str, ...]] = [
        (
            one.effect.arm,
            number_cell(one.effect.mean),
            interval_cell(one.effect),
            p_cell(one.effect.p),
            p_cell(one.effect.p_holm),
            p_cell(one.effect.p_sign_flip),
            str(one.effect.repeats),
            count_cell(one.effect.parameters),
            time_cell(one.effect.seconds),
            one.words,
        )
        for one in judged
    ]
    if base is not None and base != Costs():
        costs = (count_cell(base.parameters), time_cell(base.seconds))
        rows.append((BASE, *[""] * 6, *costs, "leaves nothing out"))
    figure = f'<figure class="effects">\n{effects_svg(judged, metric=metric)}\n</figure>'
    return f"{figure}\n{_table(heads, rows)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_escaped(text)}</th>' for text in heads)
    body = "\n".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return (
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
