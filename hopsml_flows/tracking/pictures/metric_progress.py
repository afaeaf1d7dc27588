"""The picture of the best and mean metric by generation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hopsml_flows.text import plural
from hopsml_flows.tracking.pictures.canvas import BEST, MEAN, SOFT, Canvas, label, mark, shortened
from hopsml_flows.tracking.pictures.data import Population, beyond, mean, quantile
from hopsml_flows.tracking.pictures.scales import NumberScale, metric_scale, short_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["progress_figure"]

_BEST, _MEAN, _SPREAD = "best so far", "mean", "middle half of the generation"
_LEFT, _BOTTOM, _WIDTH, _HEIGHT = 0.95, 0.55, 6.25, 3.3


def progress_figure(population: Population) -> Figure:
    """Return a figure of the best metric so far, and each generation's mean and middle half.

    Args:
        population: The trials.
    """
    metrics = population.metrics_by_generation()
    best = _best_so_far(population, metrics)
    lines = {
        _BEST: best,
        _MEAN: [mean(values) for values in metrics],
        "low": [quantile(values, 0.25) for values in metrics],
        "high": [quantile(values, 0.75) for values in metrics],
    }
    shown = [value for line in lines.values() for value in line if math.isfinite(value)]
    scale = metric_scale(shown, population.direction) if shown else NumberScale(0.0, 1.0)
    places = {name: [scale.at(value) for value in line] for name, line in lines.items()}
    notes = [*population.notes(), population.better()]
    if off := beyond(places[_MEAN]):
        notes.append(f"{plural(off, 'mean')} off the scale")
    if scale.log:
        notes.append("log scale")
    canvas = Canvas.titled(
        f"Best and mean {shortened(population.metric, 40)} by generation",
        notes,
        _HEIGHT + _BOTTOM + 0.35,
    )
    axes = canvas.axes(_LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    _draw(axes, places)
    _label(canvas, axes, population, scale)
    if population.best is not None:
        axes.annotate(
            label(short_number(population.best.metric)),
            (len(best) - 1, places[_BEST][-1]),
            (8, 0),
            textcoords="offset points",
            color=BEST,
            size=10,
            va="center",
            annotation_clip=False,
        )
    return canvas.figure


def _best_so_far(population: Population, metrics: Sequence[Sequence[float]]) -> list[float]:
    best: float | None = None
    line: list[float] = []
    for values in metrics:
        for value in values:
            best = value if population.direction.better(value, best) else best
        line.append(math.nan if best is None else best)
    return line


def _draw(axes: Axes, places: dict[str, list[float]]) -> None:
    xs = list(range(len(places["low"])))
    inside = {name: [min(max(y, -0.03), 1.03) for y in ys] for name, ys in places.items()}
    marks: dict[str, Any] = {
        "marker": "o" if len(xs) <= 60 else "",
        "markeredgecolor": "white",
        "markeredgewidth": 1.0,
    }
    axes.fill_between(
        xs, inside["low"], inside["high"], color=MEAN, alpha=0.16, linewidth=0, zorder=1,
        label=_SPREAD,
    )  # fmt: skip
    styles: dict[str, dict[str, Any]] = {
        _MEAN: {"color": MEAN, "linestyle": (0, (5, 2)), "linewidth": 1.6},
        _BEST: {"color": BEST, "linestyle": "-", "linewidth": 2.2},
    }
    for order, (name, style) in enumerate(styles.items(), start=2):
        axes.plot(xs, inside[name], label=name, zorder=order, markersize=5.5, **marks, **style)


def _label(canvas: Canvas, axes: Axes, population: Population, scale: NumberScale) -> None:
    last = len(population.generations) - 1
    axes.set_xlim(-0.03 * last - 0.1, 1.03 * last + 0.1)
    ticks = NumberScale(0, last, integer=True).ticks(12)
    mark(axes, "x", [(place * last, text) for place, text in ticks])
    mark(axes, "y", scale.ticks(7) if population.best else [])
    axes.set_yticks(scale.minor_ticks(), minor=True)
    axes.set_xlabel("generation", color=SOFT, size=9.5, labelpad=4, loc="center")
    axes.set_ylabel(label(population.metric, 40), color=SOFT, size=9.5, loc="center")
    axes.yaxis.set_label_coords(-0.7 / _WIDTH, 0.5)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    canvas.figure.legend(
        [handles[name] for name in (_BEST, _MEAN, _SPREAD)], [_BEST, _MEAN, _SPREAD],
        loc="lower left", bbox_to_anchor=(0.0, 1.0), bbox_transform=axes.transAxes, ncols=3,
        frameon=False, fontsize=8.5, labelcolor=SOFT, handlelength=2.2, handletextpad=0.6,
        columnspacing=1.8, borderpad=0.2, borderaxespad=0.3, numpoints=1, markerscale=1.0,
    )  # fmt: skip
