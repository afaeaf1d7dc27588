"""Where the effects and their intervals are in a picture. Pure.

A place on the axis is a share of its length, from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hopsml_flows.ablation.verdicts import Judged, Verdict, short_number

__all__ = ["MOST_ROWS", "EffectsPlot", "PlotRow", "effects_plot"]

MOST_ROWS = 40
"""Most arms in a picture: those with the largest effects in either direction."""

_REACH = 2.0
"""Intervals are cut at so many times the largest effect: with two repeats they are endless."""

_LARGEST = 1e300
"""The axis ends there at the latest, so that its length is a number."""

_MARGIN = 0.04
_TICKS = 5


@dataclass(frozen=True, slots=True)
class PlotRow:
    """An arm in the picture.

    Args:
        arm: The arm.
        verdict: What its effect means.
        label: Effect and interval in words.
        mean: Place of the effect.
        low: Place of the interval's lower end.
        high: Place of its upper end.
        cut_low: Whether the interval goes on beyond the lower place.
        cut_high: Whether it goes on beyond the upper place.
    """

    arm: str
    verdict: Verdict
    label: str
    mean: float
    low: float
    high: float
    cut_low: bool = False
    cut_high: bool = False


@dataclass(frozen=True, slots=True)
class EffectsPlot:
    """All effects on one axis.

    Args:
        rows: The arms, the largest effect first.
        zero: Place of no effect.
        ticks: Place and text of each tick.
        left_out: Number of arms that are not shown, for want of figures or of room.
    """

    rows: tuple[PlotRow, ...]
    zero: float
    ticks: tuple[tuple[float, str], ...]
    left_out: int = 0


def effects_plot(judged: Sequence[Judged]) -> EffectsPlot:
    """Return where everything is.

    Args:
        judged: The effects with their verdicts.

    Example:
        >>> from hopsml_flows.ablation.effects import Effect
        >>> found = Effect(arm="a", repeats=5, mean=1.0, low=0.5, high=1.5)
        >>> plot = effects_plot([Judged(found, Verdict.MATTERS, "")])
        >>> [text for _, text in plot.ticks], round(plot.rows[0].mean, 2)
        (['0', '0.5', '1', '1.5'], 0.65)
    """
    known = [one for one in judged if one.effect.mean is not None]
    largest = sorted(known, key=lambda one: -abs(one.effect.mean or 0.0))[:MOST_ROWS]
    shown = [one for one in known if one in largest]
    spans = [_span(one) for one in shown]
    reach = _REACH * max((abs(mean) for mean, _, _ in spans), default=0.0)
    reach = reach or max((max(-low, high) for _, low, high in spans), default=0.0) or 1.0
    reach = min(reach, _LARGEST)
    start = max(-reach, min((low for _, low, _ in spans), default=0.0))
    end = min(reach, max((high for _, _, high in spans), default=0.0))
    start, end = min(start, 0.0), max(end, 0.0)
    if start == end:
        start, end = -reach, reach

    def place(value: float) -> float:
        share = (min(max(value, start), end) - start) / (end - start)
        return _MARGIN + (1 - 2 * _MARGIN) * share

    rows = tuple(
        PlotRow(
            one.effect.arm,
            one.verdict,
            _label(one),
            place(mean),
            place(low),
            place(high),
            low < start,
            high > end,
        )
        for one, (mean, low, high) in zip(shown, spans, strict=True)
    )
    ticks = tuple((place(value), short_number(value)) for value in _ticks(start, end))
    return EffectsPlot(rows, place(0.0), ticks, len(judged) - len(shown))


def _span(one: Judged) -> tuple[float, float, float]:
    mean = one.effect.mean or 0.0
    low = mean if one.effect.low is None else one.effect.low
    high = mean if one.effect.high is None else one.effect.high
    return mean, low, high


def _label(one: Judged) -> str:
    mean, low, high = _span(one)
    if one.effect.low is None:
        return short_number(mean)
    return f"{short_number(mean)}, {short_number(low)} to {short_number(high)}"


def _ticks(start: float, end: float) -> list[float]:
    """Round numbers from start to end, some five of them."""
    raw = (end - start) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 0.0
    if not power or not math.isfinite(raw / power):
        return [start, end]
    step = power * next(step for step in (1, 2, 5, 10) if raw / power <= step * (1 + 1e-9))
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
