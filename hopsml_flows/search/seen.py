"""Remembers the configurations of a search, so that none is proposed twice. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.values.plain import configuration_key

__all__ = ["Seen"]

_DRAWS = 1000
"""Draws for one configuration after which a finite space counts as nearly exhausted."""


class Seen:
    """The configurations that one search has proposed.

    Args:
        space: The search space.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._keys: set[str] = set()
        self._kept: dict[str, int] = {}
        self._none_left = False

    @property
    def exhausted(self) -> bool:
        """Whether the space is known to have no more configurations, but for reserved ones."""
        cells = self._space.cardinality
        if self._none_left or cells is None or len(self._keys) + len(self._kept) < cells:
            return self._none_left
        return len(self._keys | self._kept.keys()) >= cells

    def keep(self, proposals: Mapping[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """Reserve configurations for the proposals that are known to have them.

        Args:
            proposals: Parameters, as JSON has them, by the proposal's number.

        Returns:
            Those in the space, with the space's own values.
        """
        restored = {number: self._space.restored(params) for number, params in proposals.items()}
        known = {number: params for number, params in restored.items() if params is not None}
        self._kept.update({configuration_key(params): number for number, params in known.items()})
        return known

    def add(self, params: dict[str, Any], number: int) -> bool:
        """Remember a configuration; False if it is known, or reserved for another proposal.

        Args:
            params: The configuration.
            number: The proposal that would have it.
        """
        key = configuration_key(params)
        if key in self._keys or self._kept.get(key, number) != number:
            return False
        self._keys.add(key)
        return True

    def replace(self, proposed: dict[str, Any], by: dict[str, Any]) -> None:
        """Forget a configuration that will not be evaluated; remember the one in its place."""
        self._keys.discard(configuration_key(proposed))
        self._keys.add(configuration_key(by))

    def draw(self, rng: np.random.Generator, number: int) -> dict[str, Any] | None:
        """Draw a new configuration uniformly and remember it; None if there is no new one.

        Args:
            rng: Source of randomness.
            number: The proposal that will have it.
        """
        for _ in range(_DRAWS):
            params = self._space.sample(rng)
            if self.add(params, number):
                return params
        return self._first_new(number)

    def _first_new(self, number: int) -> dict[str, Any] | None:
        """Return the first new configuration of a finite space, by enumeration."""
        choices = [_values(domain) for domain in self._space.values()]
        place = [0] * len(choices)
        while True:
            params = {
                name: values[i] for name, values, i in zip(self._space, choices, place, strict=True)
            }
            if self.add(params, number):
                return params
            for axis in reversed(range(len(choices))):
                place[axis] += 1
                if place[axis] < len(choices[axis]):
                    break
                place[axis] = 0
            else:
                self._none_left = True
                return None


def _values(domain: Domain) -> list[Any]:
    match domain:
        case Categorical():
            return list(domain.choices)
        case Int():
            return list(range(domain.low, domain.high + 1))
        case Float():  # a fixed value: a continuum gives no thousand repeats
            return [domain.low]
