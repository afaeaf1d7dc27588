"""Which configurations were proposed already, so that none is proposed twice. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace

__all__ = ["Seen"]

_DRAWS = 1000
"""Draws for one configuration before a finite space counts as nearly exhausted."""


class Seen:
    """The configurations of one search.

    Args:
        space: The space they are from.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._keys: set[str] = set()

    def __contains__(self, params: dict[str, Any]) -> bool:
        return _key(params) in self._keys

    def add(self, params: dict[str, Any]) -> bool:
        """Remember a configuration; False where it was there already."""
        key = _key(params)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def draw(self, rng: np.random.Generator) -> dict[str, Any] | None:
        """Draw a configuration that is new, uniformly, and remember it; None where all are old."""
        for _ in range(_DRAWS):
            params = self._space.sample(rng)
            if self.add(params):
                return params
        return self._first_new()

    def _first_new(self) -> dict[str, Any] | None:
        """The rest of a nearly exhausted finite space, by enumeration."""
        choices = [_values(domain) for domain in self._space.values()]
        place = [0] * len(choices)
        while True:
            params = {
                name: values[i] for name, values, i in zip(self._space, choices, place, strict=True)
            }
            if self.add(params):
                return params
            for axis in reversed(range(len(choices))):
                place[axis] += 1
                if place[axis] < len(choices[axis]):
                    break
                place[axis] = 0
            else:
                return None


def _key(params: dict[str, Any]) -> str:
    return repr(list(params.items()))


def _values(domain: Domain) -> list[Any]:
    match domain:
        case Categorical():
            return list(domain.choices)
        case Int():
            return list(range(domain.low, domain.high + 1))
        case Float():  # a continuum is never exhausted: a thousand repeats cannot happen
            return [domain.low]
