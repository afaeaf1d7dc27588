"""A small picture of the runs of one name: the metric of each, and the best so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from hopsml_flows.search import Direction
from hopsml_flows.service.web.views.words import cell_text

__all__ = ["HEIGHT", "WIDTH", "Sparkline", "sparkline"]

WIDTH = 120
HEIGHT = 22
_EDGE = 2
_MOST = 60
"""Most points; of more runs, a point stands for several."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The picture, in its own coordinates.

    Args:
        best: The best so far as points of a line with steps.
        runs: A point per run, or none where there are many.
        label: What the picture shows, in words.
    """

    best: str
    runs: Sequence[tuple[float, float]]
    label: str


def sparkline(metrics: Sequence[float], direction: Direction) -> Sparkline | None:
    """Return the picture of runs; None of fewer than two.

    Args:
        metrics: The metrics of the runs, the oldest first.
        direction: Which metric is better.

    Example:
        >>> drawn = sparkline([1.0, 3.0, 2.0], Direction.MAX)
        >>> drawn.label
        'Best so far over 3 runs: from 1 to 3'
        >>> drawn.best
        '2,20 60,20 60,2 118,2'
    """
    if len(metrics) < 2:
        return None
    better = max if direction is Direction.MAX else min
    whole = list(accumulate(metrics, better))
    places = _places(len(whole))
    best = [whole[place] for place in places]
    # A run that diverged must not press the line flat: the best so far decides the scale.
    scale = (min(best), max(best)) if best[0] != best[-1] else (min(metrics), max(metrics))
    xs = [_EDGE + (WIDTH - 2 * _EDGE) * place / (len(whole) - 1) for place in places]
    points = [(xs[0], _height(best[0], *scale))]
    for x, value in zip(xs[1:], best[1:], strict=True):
        if (y := _height(value, *scale)) != points[-1][1]:
            points += [(x, points[-1][1]), (x, y)]
    if points[-1][0] != xs[-1]:
        points.append((xs[-1], points[-1][1]))
    few = len(whole) <= _MOST
    runs = [(x, _height(m, *scale)) for x, m in zip(xs, metrics, strict=True)] if few else []
    told = f"from {cell_text(whole[0])} to {cell_text(whole[-1])}"
    return Sparkline(
        " ".join(f"{x:.4g},{y:g}" for x, y in points),
        [(round(x, 1), y) for x, y in runs],
        f"Best so far over {len(whole):,} runs: {told}",
    )


def _places(count: int) -> list[int]:
    """Return which runs are points: the first, the last, and some in between."""
    if count <= _MOST:
        return list(range(count))
    return [round(point * (count - 1) / (_MOST - 1)) for point in range(_MOST)]


def _height(value: float, low: float, high: float) -> float:
    """Return where a value is, from the top; what is outside of the scale is at its edge."""
    if low == high:
        return HEIGHT / 2
    # Halves: the difference of the largest numbers is none.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return round(HEIGHT - _EDGE - (HEIGHT - 2 * _EDGE) * min(1.0, max(0.0, share)), 1)
