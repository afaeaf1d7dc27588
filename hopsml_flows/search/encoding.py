"""A search space as the unit cube, for algorithms that do arithmetic on configurations.

Every parameter that is searched is one coordinate in [0, 1]. Log scales become linear. Integers and
categories become cells, of which the centre stands for the whole cell: so rounding favours no
value, and two vectors of one configuration are equal. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.values.plain import plain

__all__ = ["UnitCube", "Vector"]

Vector = NDArray[np.float64]


class UnitCube:
    """Configurations of a space as vectors of [0, 1]^d, and back.

    Args:
        space: The space, of d parameters that have more than one value.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._names = [name for name, domain in space.items() if domain.cardinality != 1]
        self._domains: list[Domain] = [space[name] for name in self._names]
        self._fixed = {
            name: domain.choices[0] if isinstance(domain, Categorical) else domain.low
            for name, domain in space.items()
            if domain.cardinality == 1
        }
        self.size = len(self._names)
        """Number of coordinates, d; 0 if all values are fixed."""
        self.categories = np.array(
            [len(d.choices) if isinstance(d, Categorical) else 0 for d in self._domains], dtype=int
        )
        """Number of choices of each coordinate, or 0 if it is a number. Shape (d,)."""

    def params(self, vector: Vector) -> dict[str, Any]:
        """Return the configuration that a vector stands for, in Python values.

        Args:
            vector: Shape (d,), in [0, 1].
        """
        values = {
            name: _value(domain, x)
            for name, domain, x in zip(self._names, self._domains, vector.tolist(), strict=True)
        }
        return self._ordered(values) if self._fixed else values

    def _ordered(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return searched and fixed values, in the space's order."""
        every = {**values, **self._fixed}
        return {name: every[name] for name in self._space}

    def vector(self, params: Mapping[str, Any]) -> Vector:
        """Return the vector of a configuration. Shape (d,).

        Args:
            params: A value inside its domain for each name of the space.
        """
        places = [
            _place(domain, params[name])
            for name, domain in zip(self._names, self._domains, strict=True)
        ]
        vector: Vector = np.clip(np.array(places, dtype=float), 0.0, 1.0)
        return vector

    def snapped(self, vectors: Vector) -> Vector:
        """Return vectors moved to the centres of their cells; coordinates without cells stay.

        Args:
            vectors: Shape (n, d), in [0, 1].
        """
        moved: Vector = vectors.copy()
        for axis, domain in enumerate(self._domains):
            match domain:
                case Categorical():
                    moved[:, axis] = _centres(moved[:, axis], len(domain.choices))
                case Int() if not _is_log(domain):
                    moved[:, axis] = _centres(moved[:, axis], domain.high - domain.low + 1)
                case Int():
                    moved[:, axis] = [_place(domain, _value(domain, x)) for x in moved[:, axis]]
                case Float():
                    pass
        return moved


def _centres(places: Vector, cells: int) -> Vector:
    return (np.minimum(np.floor(places * cells), cells - 1) + 0.5) / cells


def _value(domain: Domain, x: float) -> Any:
    match domain:
        case Categorical():
            return domain.choices[_cell(x, len(domain.choices))]
        case Int() if not _is_log(domain):
            return domain.low + _cell(x, domain.high - domain.low + 1)
        case Int():
            low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
            return min(max(round(math.exp(low + x * (high - low))), domain.low), domain.high)
        case Float():
            if _is_log(domain):
                low, high = math.log(domain.low), math.log(domain.high)
                value = math.exp(low + x * (high - low))
            else:
                value = domain.low + x * (domain.high - domain.low)
            return min(max(value, domain.low), domain.high)


def _place(domain: Domain, value: Any) -> float:
    number: Any = plain(value)
    place: float
    match domain:
        case Categorical():
            place = (domain.index(number) + 0.5) / len(domain.choices)
        case Int() if not _is_log(domain):
            place = (number - domain.low + 0.5) / (domain.high - domain.low + 1)
        case Int():
            # Cells [k - 1/2, k + 1/2) in the logarithm, as SearchSpace draws them.
            low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
            middle = (math.log(number - 0.5) + math.log(number + 0.5)) / 2
            place = (middle - low) / (high - low)
        case Float():
            low, high, at = domain.low, domain.high, float(number)
            if _is_log(domain):
                low, high, at = math.log(low), math.log(high), math.log(at)
            place = (at - low) / (high - low)
    return place


def _cell(x: float, cells: int) -> int:
    return min(int(x * cells), cells - 1)


def _is_log(domain: Float | Int) -> bool:
    """Whether the scale is logarithmic. Between bounds that hardly differ, none needs to be."""
    return domain.log and math.log(domain.high) - math.log(domain.low) > 1e-6
