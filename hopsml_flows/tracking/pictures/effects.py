"""The picture of an ablation: the effect of each component, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopsml_flows.ablation.plot import PlotRow, effects_plot
from hopsml_flows.ablation.verdicts import Judged, Verdict
from hopsml_flows.text import plural
from hopsml_flows.tracking.pictures.canvas import BEST, MEAN, SOFT, Canvas, label, mark
from hopsml_flows.tracking.pictures.canvas import shortened as shortened_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["effects_figure"]

_LEFT, _BOTTOM, _WIDTH, _ROW = 2.2, 0.6, 4.5, 0.27
_NAME = 30
_COLORS = {Verdict.MATTERS: MEAN, Verdict.HARMFUL: BEST}


def effects_figure(judged: Sequence[Judged], *, metric: str, base: str) -> Figure:
    """Return a figure with a row per arm.

    Args:
        judged: The effects with their verdicts, the largest first.
        metric: The metric's name.
        base: Name of the arm that leaves nothing out.
    """
    plot = effects_plot(judged)
    counts = [
        f"{count} {verdict.value}"
        for verdict in Verdict
        if (count := sum(one.verdict is verdict for one in judged))
    ]
    notes = [plural(len(judged), "component"), *counts, f"compared with {base}"]
    if plot.left_out:
        notes.append(f"{plot.left_out} not shown")
    rows = max(1, len(plot.rows))
    height = _ROW * rows + 0.1
    canvas = Canvas.titled("What each component contributes", notes, height + _BOTTOM + 0.1)
    axes = canvas.axes(_LEFT, _BOTTOM, _WIDTH, height)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.spines["left"].set(visible=False)
    axes.tick_params(which="both", left=False)
    mark(axes, "x", plot.ticks)
    axes.set_yticks([])
    axes.axvline(plot.zero, color=SOFT, linewidth=1.0, linestyle="-", marker="", zorder=1)
    for place, row in enumerate(plot.rows):
        _draw(axes, place, row)
        y = _BOTTOM + height * (rows - 0.4 - place) / (rows + 0.2)
        name = label(shortened_label(row.arm, _NAME), _NAME)
        canvas.write(_LEFT - 0.1, y, name, size=9, ha="right", va="center")
        where = {"size": 8.5, "color": SOFT, "va": "center"}
        canvas.write(_LEFT + _WIDTH + 0.1, y, row.verdict.value, **where)
    axes.set_xlabel(
        label(f"how much worse {shortened_label(metric, 40)} is without it", 80),
        color=SOFT, size=9.5, labelpad=4, loc="center",
    )  # fmt: skip
    return canvas.figure


def _draw(axes: Axes, place: int, row: PlotRow) -> None:
    color = _COLORS.get(row.verdict, SOFT)
    axes.plot(
        [row.low, row.high], [place, place], color=color, linewidth=1.6, linestyle="-", marker="",
        zorder=2,
    )  # fmt: skip
    ends = [x for x, cut in ((row.low, row.cut_low), (row.high, row.cut_high)) if not cut]
    axes.plot(
        ends, [place] * len(ends), color=color, linestyle="", marker="|", markersize=8,
        markeredgewidth=1.6, zorder=2,
    )  # fmt: skip
    # Colour is not all that tells: what is not certain is open.
    filled = color if row.verdict in _COLORS else "white"
    axes.plot(
        [row.mean], [place], color=color, linestyle="", marker="o", markersize=6.5,
        markeredgewidth=1.6, markeredgecolor=color, markerfacecolor=filled, zorder=3,
    )  # fmt: skip
