"""The picture of the metric over each hyperparameter, by generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hopsml_flows.search import Domain
from hopsml_flows.tracking.pictures.canvas import (
    BEST,
    FAINT,
    INK,
    LABEL,
    SHADES,
    SOFT,
    WIDTH,
    Canvas,
    colors,
    label,
    mark,
    shortened,
)
from hopsml_flows.tracking.pictures.data import MOST_PARAMETERS, Population, Shown, beyond
from hopsml_flows.tracking.pictures.scales import ChoiceScale, NumberScale, Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["population_figure"]

_LEFT, _RIGHT, _GAP = 0.95, 0.15, 0.22
_EDGE = 1.05  # where points above the metric's axis are drawn
_CROSS = "\N{MULTIPLICATION SIGN}"
_FAILED = -0.1  # where failed trials are drawn


def population_figure(population: Population, domains: Mapping[str, Domain]) -> Figure:
    """Return a figure with one panel per hyperparameter: the metric over its values.

    It shows where the good values are, and where the search has gone: later generations are darker.

    Args:
        population: The trials.
        domains: Hyperparameter name to its domain. Missing ones are inferred from the trials.
    """
    scales = population.scales(domains)
    shown = dict(list(scales.items())[:MOST_PARAMETERS])
    metric = population.metric_scale()
    columns = 1 if len(shown) == 1 else 2 if len(shown) <= 4 else 3 if len(shown) <= 9 else 4
    rows = _rows(shown, columns)
    canvas = Canvas.titled(
        f"{shortened(population.metric, 24)} over each hyperparameter",
        _notes(population, metric, len(scales) - len(shown)),
        sum(row.height for row in rows),
    )
    points = _Points.of(population, metric)
    top = canvas.height - 0.12
    for row in rows:
        width = (WIDTH - _LEFT - _RIGHT - _GAP * (columns - 1)) / columns
        for column, (name, scale) in enumerate(row.scales):
            left = _LEFT + column * (width + _GAP)
            axes = canvas.axes(left, top - row.panel, width, row.panel)
            points.draw(axes, name, scale)
            _mark(axes, name, scale, columns)
            mark(axes, "y", metric.ticks(5) if population.best else [])
            axes.set_yticks(metric.minor_ticks(), minor=True)
            axes.set_ylim(-0.16 if population.failed else -0.06, 1.1)
            axes.tick_params(labelleft=column == 0)
        canvas.write(
            0.1, top - row.panel / 2, label(population.metric, 22),
            color=SOFT, size=9, rotation=90, va="center",
        )  # fmt: skip
        top -= row.height
    if len(population.generations) > 1:
        _legend(canvas, len(population.generations))
    return canvas.figure


def _notes(population: Population, metric: NumberScale, more: int) -> list[str]:
    notes = [*population.notes(), population.better()]
    off = beyond(metric.at(trial.metric) for trial in population.good)
    if population.best is not None:
        notes[-2] = f"★ {notes[-2]}"
    if off:
        notes.append(f"▲▼ {off} off the scale")
    if population.failed:
        notes = [f"{_CROSS} {note}" if note.endswith(" failed") else note for note in notes]
    if more:
        notes.append(f"{more} more hyperparameters not shown")
    return notes


@dataclass(frozen=True, slots=True)
class _Row:
    """Panels side by side.

    Args:
        scales: Name and axis of each panel.
        panel: Height of a panel, in inches.
        below: Space below the panels for labels and the next row's names, in inches.
    """

    scales: Sequence[tuple[str, Scale]]
    panel: float
    below: float

    @property
    def height(self) -> float:
        return self.panel + self.below


def _rows(scales: Mapping[str, Scale], columns: int) -> list[_Row]:
    items = list(scales.items())
    panel = {1: 3.2, 2: 2.1, 3: 1.6, 4: 1.35}[columns]
    rows = [items[start : start + columns] for start in range(0, len(items), columns)]
    return [
        _Row(row, panel, 0.58 + max(_slanted(scale, columns) for _, scale in row)) for row in rows
    ]


def _slanted(scale: Scale, columns: int) -> float:
    """Return the inches that slanted labels need; 0 if the labels fit side by side."""
    if isinstance(scale, NumberScale):
        return 0.0
    ticks = scale.ticks(_most(scale, columns))
    longest = max((min(len(text), LABEL) for _, text in ticks), default=0)
    return 0.032 * longest if longest * len(ticks) > 76 // columns else 0.0


def _most(scale: Scale, columns: int) -> int:
    if isinstance(scale, ChoiceScale):
        return {1: 24, 2: 14, 3: 9, 4: 7}[columns]
    return {1: 9, 2: 6, 3: 5, 4: 3}[columns]


def _mark(axes: Axes, name: str, scale: Scale, columns: int) -> None:
    ticks = scale.ticks(_most(scale, columns))
    slanted = _slanted(scale, columns) > 0
    how = {"rotation": 32, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    mark(axes, "x", ticks, **how)
    axes.set_xticks(scale.minor_ticks(), minor=True)
    side = 0.5 * scale.gap if isinstance(scale, ChoiceScale) else 0.05
    axes.set_xlim(-min(side, 0.3), 1 + min(side, 0.3))
    log = " (log)" if isinstance(scale, NumberScale) and scale.log else ""
    most = {1: 80, 2: 44, 3: 28, 4: 21}[columns] - len(log)
    axes.set_title(f"{label(name, most)}{log}", color=INK, size=9.5, pad=3, loc="left", y=1.0)


@dataclass(frozen=True, slots=True)
class _Points:
    """Trials grouped by colour, ready to be drawn in any panel.

    Args:
        shades: Each colour, and its trials with their positions on the metric's axis.
        failed: Trials without a metric.
        best: The best trial and its position, or None.
        last: The last generation's number.
        size: Diameter of a point.
    """

    shades: Sequence[tuple[object, Sequence[tuple[Shown, float]]]]
    failed: Sequence[Shown]
    best: tuple[Shown, float] | None
    last: int
    size: float

    @classmethod
    def of(cls, population: Population, metric: NumberScale) -> _Points:
        last = len(population.generations) - 1
        count = min(SHADES, last + 1)
        groups: list[list[tuple[Shown, float]]] = [[] for _ in range(count)]
        for trial in population.good:
            place = metric.at(trial.metric)
            groups[trial.generation * count // (last + 1)].append((trial, place))
        best = population.best
        return cls(
            shades=list(zip(colors(count), groups, strict=True)),
            failed=population.failed,
            best=None if best is None else (best, metric.at(best.metric)),
            last=last,
            size=5.5 if len(population.trials) <= 150 else 4 if len(population.trials) < 800 else 3,
        )

    def draw(self, axes: Axes, name: str, scale: Scale) -> None:
        """Draw the points in one panel."""
        failed = [self._x(trial, name, scale) for trial in self.failed]
        axes.plot(
            failed, [_FAILED] * len(failed), color=FAINT, linestyle="", marker="x",
            markersize=4, markeredgewidth=1.0, markeredgecolor=SOFT, clip_on=False, zorder=2,
        )  # fmt: skip
        for order, (color, group) in enumerate(self.shades, start=3):
            xs = [self._x(trial, name, scale) for trial, _ in group]
            inside = [(x, y) for x, (_, y) in zip(xs, group, strict=True) if 0 <= y <= 1]
            above = [(x, _EDGE) for x, (_, y) in zip(xs, group, strict=True) if y > 1]
            below = [(x, 1 - _EDGE) for x, (_, y) in zip(xs, group, strict=True) if y < 0]
            for marker, points in (("o", inside), ("^", above), ("v", below)):
                if points:
                    axes.plot(
                        *zip(*points, strict=True), color=color, marker=marker, alpha=0.9,
                        linestyle="", markersize=self.size, markeredgecolor="white",
                        markeredgewidth=0.4 if self.size > 3 else 0.0, clip_on=False,
                        zorder=order,
                    )  # fmt: skip
        if self.best is not None:
            trial, y = self.best
            axes.plot(
                [self._x(trial, name, scale)], [y], color=BEST, marker="*", linestyle="",
                markersize=13, markeredgecolor="white", markeredgewidth=0.9, clip_on=False,
                zorder=99,
            )  # fmt: skip

    def _x(self, trial: Shown, name: str, scale: Scale) -> float:
        if name not in trial.params:
            return float("nan")
        x = scale.at(trial.params[name])
        if isinstance(scale, ChoiceScale) and self.last:
            # Points of one choice stand side by side, by generation, not on top of each other.
            x += (trial.generation / self.last - 0.5) * 0.6 * scale.gap
        return x


def _legend(canvas: Canvas, generations: int) -> None:
    """Draw a bar of the colours, from the first generation to the last."""
    shades = colors(min(SHADES, generations))
    top = canvas.figure.get_figheight()
    axes = canvas.axes(6.3, top - 0.3, 1.2, 0.13)
    axes.set_axis_off()
    axes.set(xlim=(0, len(shades)), ylim=(0, 1))
    axes.bar(range(len(shades)), 1, 1.0, align="edge", color=shades, linewidth=0)
    canvas.write(6.2, top - 0.235, "generation  0", color=SOFT, size=8.5, ha="right", va="center")
    canvas.write(7.6, top - 0.235, str(generations - 1), color=SOFT, size=8.5, va="center")
