"""The picture of all trials as lines across all hyperparameters and the metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hopsml_flows.search import Direction, Domain
from hopsml_flows.tracking.pictures.canvas import (
    BEST,
    FAINT,
    INK,
    LABEL,
    SHADES,
    WIDTH,
    Canvas,
    colors,
    label,
    shortened,
)
from hopsml_flows.tracking.pictures.data import MOST_PARAMETERS, Population, Shown, beyond
from hopsml_flows.tracking.pictures.scales import ChoiceScale, NumberScale, Scale, short_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["parallel_figure"]

_MOST_AXES = 8  # hyperparameters in one row
_LEFT, _RIGHT = 0.55, 0.62
_HEIGHT, _ABOVE, _BELOW = 2.9, 0.48, 0.42
_MOST_LINES = 3000  # more would be one blot


def parallel_figure(population: Population, domains: Mapping[str, Domain]) -> Figure:
    """Return a figure with one line per trial.

    The better a trial, the darker its line, and the later it is drawn. The best metric is at the
    top. Many hyperparameters take several rows, each of which ends with the metric.

    Args:
        population: The trials.
        domains: Hyperparameter name to its domain. Missing ones are inferred from the trials.
    """
    scales = population.scales(domains)
    shown = list(scales.items())[:MOST_PARAMETERS]
    count = math.ceil(len(shown) / _MOST_AXES)
    each = math.ceil(len(shown) / count) if count else 1
    rows = [shown[start : start + each] for start in range(0, len(shown), each)]
    metric = population.metric_scale()
    flipped = population.direction is Direction.MIN
    good = _thinned(population.good)
    places = {trial.number: _upwards(metric.at(trial.metric), flipped) for trial in good}
    notes = [*population.notes(), f"{population.better()}: best at the top"]
    if off := beyond(metric.at(trial.metric) for trial in population.good):
        notes.append(f"{off} off the scale")
    if len(good) < len(population.good):
        notes.append(f"{len(good)} lines drawn, the best among them")
    if len(shown) < len(scales):
        notes.append(f"{len(scales) - len(shown)} more hyperparameters not shown")
    row_height = _HEIGHT + _ABOVE + _BELOW
    canvas = Canvas.titled(
        f"All trials over their hyperparameters and {shortened(population.metric, 40)}",
        notes,
        row_height * len(rows),
    )
    for row, axes_of_row in enumerate(rows):
        bottom = canvas.height - (row + 1) * row_height + _BELOW
        axes = canvas.axes(_LEFT, bottom, WIDTH - _LEFT - _RIGHT, _HEIGHT)
        axes.set_axis_off()
        axes.set(xlim=(-0.1, len(axes_of_row) + 0.1), ylim=(-0.03, 1.03))
        failed = _lines(population.failed[:_MOST_LINES], axes_of_row, {})
        _draw(axes, failed, _lines(good, axes_of_row, places))
        for place, (name, scale) in enumerate(axes_of_row):
            _axis(axes, place, name, scale, len(axes_of_row), flipped=False)
        last = len(axes_of_row)
        ends = metric if population.best else ChoiceScale(())  # no metric to mark
        _axis(axes, last, population.metric, ends, last, flipped=flipped)
        if population.best is not None:
            _values(axes, population.best, [name for name, _ in axes_of_row])
    return canvas.figure


Line = list[tuple[float, float]]


def _thinned(good: Sequence[Shown]) -> list[Shown]:
    """Return at most 3000 trials: the best 1000, and an even choice of the others."""
    if len(good) <= _MOST_LINES:
        return list(good)
    best = good[-_MOST_LINES // 3 :]
    others = good[: len(good) - len(best)]
    step = len(others) / (_MOST_LINES - len(best))
    return [others[int(k * step)] for k in range(_MOST_LINES - len(best))] + list(best)


def _upwards(place: float, flipped: bool) -> float:
    place = min(max(place, -0.03), 1.03)
    return 1 - place if flipped else place


def _lines(
    trials: Sequence[Shown], scales: Sequence[tuple[str, Scale]], places: Mapping[int, float]
) -> list[Line]:
    return [
        [
            *(
                (float(x), scale.at(trial.params[name]) if name in trial.params else math.nan)
                for x, (name, scale) in enumerate(scales)
            ),
            (float(len(scales)), places.get(trial.number, math.nan)),
        ]
        for trial in trials
    ]


def _draw(axes: Axes, failed: list[Line], good: list[Line]) -> None:
    from matplotlib.collections import LineCollection

    many = len(good)
    width, alpha = (1.4, 0.85) if many <= 60 else (1.0, 0.6) if many <= 500 else (0.7, 0.35)
    if failed:
        axes.add_collection(
            LineCollection(
                failed, colors=FAINT, linewidths=0.8, linestyles=(0, (2, 2)), zorder=1, alpha=0.7
            ),
            autolim=False,
        )
    if good:
        shades = colors(SHADES)
        tints = [shades[min(max(int(line[-1][1] * SHADES), 0), SHADES - 1)] for line in good]
        axes.add_collection(
            LineCollection(good, colors=tints, linewidths=width, alpha=alpha, zorder=2),
            autolim=False,
        )
        for color, wide in (("white", 4.6), (BEST, 2.6)):
            axes.plot(
                *zip(*good[-1], strict=True), color=color, linewidth=wide, linestyle="-",
                marker="o", markersize=wide + 2, markeredgewidth=0, zorder=3, clip_on=False,
            )  # fmt: skip


def _axis(axes: Axes, place: int, name: str, scale: Scale, last: int, *, flipped: bool) -> None:
    """Draw a vertical axis: its line, its labelled ticks, its name above."""
    axes.plot([place, place], [0, 1], color=INK, linewidth=1.0, linestyle="-", marker="", zorder=4)
    room = min(LABEL, 60 // (last + 1)) if place else 7
    for at, text in scale.ticks(12 if not isinstance(scale, NumberScale) else 6):
        y = 1 - at if flipped else at
        end = place == last
        axes.annotate(
            label(text, room), (place, y), (5 if end else -5, 0), textcoords="offset points",
            ha="left" if end else "right", va="center", size=8, color=INK, zorder=5,
            annotation_clip=False,
            bbox={"boxstyle": "square,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.72},
        )  # fmt: skip
        axes.plot(
            [place], [y], color=INK, marker="_", markersize=6, markeredgewidth=1.0,
            markeredgecolor=INK, linestyle="", zorder=4,
        )  # fmt: skip
    axes.annotate(
        _wrapped(name, min(15, 92 // (last + 1))), (place, 1.0), (0, 11),
        textcoords="offset points", ha="center", va="bottom", size=8.8, color=INK,
        annotation_clip=False, linespacing=1.05,
    )  # fmt: skip


def _wrapped(name: str, most: int) -> str:
    """Return a name on at most two lines, broken between words where possible."""
    name = shortened(name, 2 * most)
    if len(name) <= most:
        return label(name, most)
    breaks = [place + 1 for place, sign in enumerate(name) if sign in " _.-/…"]
    fitting = [place for place in breaks if len(name) - most <= place <= most]
    cut = min(fitting or [most], key=lambda place: abs(place - len(name) / 2))
    return f"{label(name[:cut], most)}\n{label(name[cut:], most)}"


def _values(axes: Axes, best: Shown, names: Sequence[str]) -> None:
    """Write the best trial's values below the axes."""
    values = [short_number(best.params.get(name, "-"), 3) for name in names]
    for place, value in enumerate([*values, short_number(best.metric, 4)]):
        axes.annotate(
            label(value, min(15, 100 // (len(names) + 1))), (place, 0.0), (0, -13),
            textcoords="offset points", ha="center", va="top", size=8.8, color=BEST,
            annotation_clip=False,
        )  # fmt: skip
