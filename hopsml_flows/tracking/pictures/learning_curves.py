"""The picture of all trials' learning curves: what each reported, and where it was stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hopsml_flows.search import Direction
from hopsml_flows.text import plural
from hopsml_flows.tracking.pictures.canvas import BEST, MEAN, SOFT, Canvas, label, mark, shortened
from hopsml_flows.tracking.pictures.scales import NumberScale, metric_scale, short_number
from hopsml_flows.trials import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hopsml_flows.trials.learning_curves import LearningCurve

__all__ = ["MOST_CURVES", "curves_figure"]

MOST_CURVES = 300
"""Most trials that are drawn, evenly chosen; more of them would be one stain."""

_BEST, _ENDED, _STOPPED = "best", "came to its end", "stopped early"
_LEFT, _BOTTOM, _WIDTH, _HEIGHT = 0.95, 0.55, 6.25, 3.6


@dataclass(frozen=True, slots=True)
class _Line:
    """A curve in positions of the axes.

    Args:
        xs: Positions of its steps.
        ys: Positions of its values; NaN of those that are not finite.
        stopped: Whether the trial was stopped early.
    """

    xs: Sequence[float]
    ys: Sequence[float]
    stopped: bool


def curves_figure(
    curves: Sequence[LearningCurve], *, direction: Direction, metric: str, best: int | None = None
) -> Figure:
    """Return a figure with one line per trial that has reported.

    Args:
        curves: The curves.
        direction: Which way is better.
        metric: The metric's name.
        best: Number of the best trial, drawn on top; None for none.
    """
    reported = [curve for curve in curves if curve.count]
    drawn = _drawn(reported, best)
    finite = [v for curve in drawn for _, v in curve.points if math.isfinite(v)]
    scale = metric_scale(finite, direction) if finite else NumberScale(0.0, 1.0)
    steps = [step for curve in drawn for step, _ in curve.points]
    across = NumberScale(min(steps, default=0.0), max(steps, default=1.0), integer=True)
    canvas = Canvas.titled(
        f"Learning curves of {shortened(metric, 40)}",
        _notes(curves, reported, drawn, direction, best, scale),
        _HEIGHT + _BOTTOM + 0.35,
    )
    axes = canvas.axes(_LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    for curve in drawn:
        _draw(axes, _line(curve, across, scale), is_best=curve.trial.number == best)
    mark(axes, "x", across.ticks(9) if steps else [])
    mark(axes, "y", scale.ticks(7) if finite else [])
    axes.set_yticks(scale.minor_ticks(), minor=True)
    axes.set_xlabel("step", color=SOFT, size=9.5, labelpad=4, loc="center")
    axes.set_ylabel(label(metric, 40), color=SOFT, size=9.5, loc="center")
    axes.yaxis.set_label_coords(-0.7 / _WIDTH, 0.5)
    _legend(canvas, axes)
    return canvas.figure


def _drawn(curves: Sequence[LearningCurve], best: int | None) -> list[LearningCurve]:
    """The curves that are drawn, in the order of drawing: the best last."""
    first = [curve for curve in curves if curve.trial.number == best]
    others = [curve for curve in curves if curve.trial.number != best]
    room = MOST_CURVES - len(first)
    if len(others) > room:
        others = [others[place * len(others) // room] for place in range(room)]
    return [*others, *first]


def _line(curve: LearningCurve, across: NumberScale, scale: NumberScale) -> _Line:
    points = curve.points
    return _Line(
        [across.at(step) for step, _ in points],
        [scale.at(value) for _, value in points],
        curve.state == State.STOPPED,
    )


def _draw(axes: Axes, line: _Line, *, is_best: bool) -> None:
    style: dict[str, Any]
    if is_best:
        style = {"color": BEST, "linewidth": 2.2, "zorder": 4, "label": _BEST}
    elif line.stopped:
        style = {"color": SOFT, "linewidth": 0.9, "alpha": 0.7, "zorder": 2}
    else:
        style = {"color": MEAN, "linewidth": 1.0, "alpha": 0.6, "zorder": 3, "label": _ENDED}
    single = "o" if len(line.xs) == 1 else ""  # a line of one point is nothing
    axes.plot(line.xs, line.ys, linestyle="-", marker=single, markersize=3, **style)
    if line.stopped:
        axes.plot(
            line.xs[-1:], line.ys[-1:], color=SOFT, marker="x", linestyle="", markersize=5,
            markeredgewidth=1.2, zorder=5, label=_STOPPED,
        )  # fmt: skip


def _notes(
    curves: Sequence[LearningCurve],
    reported: Sequence[LearningCurve],
    drawn: Sequence[LearningCurve],
    direction: Direction,
    best: int | None,
    scale: NumberScale,
) -> list[str]:
    notes = [plural(len(curves), "trial")]
    stopped = sum(curve.state == State.STOPPED for curve in curves)
    if stopped:
        notes.append(f"{stopped} stopped early")
    if silent := len(curves) - len(reported):
        notes.append(f"{silent} without reports")
    if len(drawn) < len(reported):
        notes.append(f"{len(drawn)} drawn")
    notes += [
        f"best {short_number(curve.value)} by trial {best}"
        for curve in drawn
        if curve.trial.number == best and curve.value is not None
    ]
    notes.append("higher is better" if direction is Direction.MAX else "lower is better")
    if scale.log:
        notes.append("log scale")
    return notes


def _legend(canvas: Canvas, axes: Axes) -> None:
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [name for name in (_BEST, _ENDED, _STOPPED) if name in handles]
    if names:
        canvas.figure.legend(
            [handles[name] for name in names], names,
            loc="lower left", bbox_to_anchor=(0.0, 1.0), bbox_transform=axes.transAxes, ncols=3,
            frameon=False, fontsize=8.5, labelcolor=SOFT, handlelength=2.2, handletextpad=0.6,
            columnspacing=1.8, borderpad=0.2, borderaxespad=0.3, numpoints=1, markerscale=1.0,
        )  # fmt: skip
