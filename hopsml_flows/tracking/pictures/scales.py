"""Positions of values on an axis, and the axis's ticks. Pure.

An axis runs from 0 to 1, and matplotlib sees only such positions. So bounds of 1e-300, losses of
1e308, constants and categories need no care elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.search import Categorical, Direction, Domain, Int
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import image_key, is_jsonable

__all__ = [
    "ChoiceScale",
    "NumberScale",
    "Scale",
    "as_number",
    "metric_scale",
    "parameter_scale",
    "short_number",
]

_CONSTANT = 1e-9  # a smaller relative range counts as rounding


@dataclass(frozen=True, slots=True)
class NumberScale:
    """An axis of numbers.

    Args:
        low: The value at 0.
        high: The value at 1.
        log: Whether the axis is logarithmic; needs ``low > 0``, or ``high < 0``.
        integer: Whether ticks are integers only.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False
    _unit: float = field(init=False, repr=False)
    _start: float = field(init=False, repr=False)
    _length: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Differences are taken in units of a power of ten near the bounds, so none overflows.
        most = max(abs(self.low), abs(self.high))
        power = min(max(math.floor(math.log10(most)), -300), 300) if most else 0
        object.__setattr__(self, "_unit", 10.0**power)
        object.__setattr__(self, "_start", self._even(self.low))
        object.__setattr__(self, "_length", self._even(self.high) - self._start)

    @property
    def constant(self) -> bool:
        """Whether the bounds are equal, up to rounding."""
        low, high = self.low / self._unit, self.high / self._unit
        too_small = not self.log and self.high - self.low < 1e-300
        return too_small or high - low <= _CONSTANT * max(abs(low), abs(high))

    def at(self, value: Any) -> float:
        """Return a value's position: outside of [0, 1] if out of bounds, NaN if it has none."""
        number = as_number(value)
        if number is None or (self.log and (number == 0 or (number > 0) != (self.low > 0))):
            return math.nan
        here = self._even(number) - self._start
        if self.constant:
            inside = self.low <= number <= self.high or abs(here) <= 2 * _CONSTANT
            return 0.5 if inside else math.copysign(9.0, here)
        return here / self._length

    def _even(self, number: float) -> float:
        if not self.log:
            return number / self._unit
        return math.log10(number) if number > 0 else -math.log10(-number)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return positions and labels of round values, ascending.

        Args:
            most: Most ticks, roughly; there is at least one.
        """
        if self.constant:
            return [(0.5, short_number(self.low))]
        values = self._log_ticks(most) if self.log else []
        if len(values) >= 2:
            return [(self.at(value), _scientific(value, 1)) for value in values]
        values, step = self._even_ticks(most)
        return [(self.at(value), _fixed(value, step)) for value in values]

    def minor_ticks(self) -> list[float]:
        """Return positions of 2, 3, … 9 times powers of ten; none where they show no log scale."""
        if (
            not self.log
            or self.low < 0
            or not 1 < math.log10(self.high) - math.log10(self.low) <= 6
        ):
            return []
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = (digit * 10.0**power for power in powers for digit in range(2, 10))
        return [self.at(value) for value in values if self.low <= value <= self.high]

    def _log_ticks(self, most: int) -> list[float]:
        sign = math.copysign(1.0, self.low)
        low, high = sorted((abs(self.low), abs(self.high)))
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / max(1, most)))
        values = [10.0**power for power in range(first, last + 1, stride)]
        if len(values) < 3 and most > 3:
            powers = range(first - 1, last + 1)
            values = [d * 10.0**power for power in powers for d in (1, 2, 5)]
            values = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
            values = values if len(values) <= most + 1 else values[:: len(values) // most + 1]
        return sorted(sign * value for value in values)

    def _even_ticks(self, most: int) -> tuple[list[float], float]:
        low, high = self.low / self._unit, self.high / self._unit
        raw = (high - low) / max(1, most - 1)
        power = 10.0 ** math.floor(math.log10(raw))
        steps = [d * p for p in (power / 10, power) for d in (1, 2, 5)] + [10 * power]
        largest = next(step for step in steps if step >= raw * (1 - 1e-9))
        values: list[float] = []
        for step in reversed([step for step in steps if step <= largest]):
            whole = max(step, 1 / self._unit) if self.integer else step
            first, last = math.ceil(low / whole - 1e-9), math.floor(high / whole + 1e-9)
            values = [k * whole * self._unit for k in range(first, last + 1)]
            if len(values) >= 2:
                break
        return values, whole * self._unit


@dataclass(frozen=True, slots=True)
class ChoiceScale:
    """An axis of evenly spaced values without an order.

    Args:
        choices: The values, from 0 to 1.
    """

    choices: tuple[Any, ...]
    _index: dict[Any, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        index = {_key(choice): place for place, choice in enumerate(self.choices)}
        object.__setattr__(self, "_index", index)

    def at(self, value: Any) -> float:
        """Return a choice's position; NaN for any other value."""
        place = self._index.get(_key(value))
        return math.nan if place is None else self._position(place)

    @property
    def gap(self) -> float:
        """Distance between neighbours."""
        return 1.0 / max(1, len(self.choices) - 1)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return positions and labels; of every second, third, … choice if there are too many.

        Args:
            most: Most ticks.
        """
        stride = max(1, math.ceil(len(self.choices) / max(1, most)))
        return [
            (self._position(index), str(self.choices[index]))
            for index in range(0, len(self.choices), stride)
        ]

    def minor_ticks(self) -> list[float]:
        """Return no ticks: nothing lies between choices."""
        return []

    def _position(self, index: int) -> float:
        return index / (len(self.choices) - 1) if len(self.choices) > 1 else 0.5


Scale = NumberScale | ChoiceScale
"""The axis of a hyperparameter."""


def parameter_scale(domain: Domain | None, values: Iterable[Any]) -> Scale:
    """Return the axis of a hyperparameter: its domain, and the tried values outside of it.

    Args:
        domain: Its domain; None to infer the axis from the values.
        values: The values of all trials.
    """
    seen = list(values)
    if isinstance(domain, Categorical):
        return _choices([*domain.choices, *seen])
    if domain is None:
        if not seen or any(as_number(value) is None for value in seen):
            return _choices(seen)
        integer = all(isinstance(value, int) for value in seen)
        bounds: list[float] = []
        numbers = [float(value) for value in seen]
        log = not integer and min(numbers) > 0 and max(numbers) / 1000 >= min(numbers)
    else:
        bounds, log, integer = [domain.low, domain.high], domain.log, isinstance(domain, Int)
        numbers = [number for value in seen if (number := as_number(value)) is not None]
    if log:
        numbers = [number for number in numbers if number > 0]
    ends = [*map(float, bounds), *numbers]
    return NumberScale(min(ends), max(ends), log, integer)


def metric_scale(values: Sequence[float], direction: Direction) -> NumberScale:
    """Return the metric's axis, which shows the good trials well, if need be without the worst.

    One loss of 1e30 would flatten all others into a line. So metrics far beyond the bulk of the
    trials, on the worse side, lie off the axis.

    Args:
        values: Finite metrics, at least one.
        direction: Which way is better.
    """
    ranked = sorted(values, key=direction.loss)
    log = _spans_decades(ranked, direction)
    whole = NumberScale(min(ranked), max(ranked), log)
    if whole.constant:
        return whole
    far = [abs(whole.at(value) - whole.at(ranked[0])) for value in ranked]
    for share, times in ((0.9, 8.0), (0.75, 8.0 if log else 100.0), (0.5, 8.0 if log else 1000.0)):
        bulk = far[math.floor(share * (len(far) - 1))]
        if len(far) >= 5 and bulk > 0 and times * bulk < far[-1]:
            shown = [value for value, d in zip(ranked, far, strict=True) if d <= 1.5 * bulk]
            return NumberScale(min(shown), max(shown), log)
    return whole


def _spans_decades(ranked: Sequence[float], direction: Direction) -> bool:
    """Whether only a logarithmic axis tells the best metrics apart.

    If the best are nearest to 0, as losses are, two decades need one; otherwise four.
    """
    best, bulk = ranked[0], ranked[math.floor(0.9 * (len(ranked) - 1))]
    if not (min(ranked) > 0 or max(ranked) < 0):
        return False
    nearer_zero_is_better = (min(ranked) > 0) == (direction is Direction.MIN)
    if nearer_zero_is_better:
        return abs(bulk) / 100 >= abs(best)
    return abs(best) / 1e4 >= abs(bulk)


def as_number(value: Any) -> float | None:
    """Return a finite number as a float; None for anything else, truth values included."""
    if not is_number(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def short_number(value: Any, digits: int = 4) -> str:
    """Return a value as a short text.

    Args:
        value: A number; any other value becomes ``str(value)``.
        digits: Significant digits of a number that is not a short integer.
    """
    number = as_number(value)
    if number is None:
        return str(value)
    if number == int(number) and abs(number) < 1e6:
        return str(int(number))
    return _scientific(number, digits)


def _fixed(value: float, step: float) -> str:
    """Return a label with as many digits as tell it from its neighbour."""
    if abs(value) < step / 2:
        return "0"
    place = math.floor(math.log10(step) + 1e-9)
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return _scientific(value, max(1, math.floor(math.log10(abs(value)) + 1e-9) - place + 1))
    return f"{value:.{max(0, -place)}f}"


def _scientific(value: float, digits: int) -> str:
    """Return a short text: ``1e-5`` rather than ``1e-05``, ``100`` rather than ``1e+02``."""
    if 1e-4 < abs(value) < 1e6:
        return f"{value:.{max(digits, 1 + math.floor(math.log10(abs(value))))}g}"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(power)}" if int(power) else mantissa


def _choices(values: Iterable[Any]) -> ChoiceScale:
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault(_key(value), value)
    return ChoiceScale(tuple(found.values()))


def _key(value: Any) -> str:
    """Return a key of a choice: ``1``, ``True`` and ``"1"`` differ, ``[1]`` and ``(1,)`` do not."""
    return image_key(value) if is_jsonable(value) else repr(value)
