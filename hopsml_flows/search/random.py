"""Random search, without repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.base import BaseSearch
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.search.values import plain

__all__ = ["RandomSearch"]

_REDRAWS = 1000
"""Draws for one proposal before a nearly exhausted finite space counts as exhausted."""


class RandomSearch(BaseSearch):
    """Independent uniform draws (Bergstra & Bengio, JMLR 2012), a configuration never twice.

    A finite space smaller than ``samples`` is evaluated whole, each configuration once.

    Args:
        space: What may be drawn.
        samples: Number of configurations.
        direction: Which way is better.
        seed: The same seed gives the same configurations; None draws one.

    Raises:
        InvalidArgumentError: ``samples`` is not a positive integer, or the seed no natural number.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        samples: int = 10,
        direction: Direction | str = Direction.MAX,
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        count = plain(samples)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InvalidArgumentError("samples", samples, "must be an integer of at least 1")
        self._space = space
        cardinality = space.cardinality
        self._total = count if cardinality is None else min(count, cardinality)
        start = plain(seed)
        if start is not None and (
            isinstance(start, bool) or not isinstance(start, int) or start < 0
        ):
            raise InvalidArgumentError("seed", seed, "must be an integer of at least 0, or None")
        self._rng = np.random.default_rng(start)
        self._seen: set[str] = set()

    @property
    def total(self) -> int:
        """Number of configurations; fewer than asked for where the space has fewer."""
        return self._total

    def _propose(self, number: int) -> dict[str, Any] | None:  # noqa: ARG002 - drawn, not counted
        for _ in range(_REDRAWS):
            params = self._space.sample(self._rng)
            if self._new(params):
                return params
        return self._first_unseen()

    def _first_unseen(self) -> dict[str, Any] | None:
        """The rest of a nearly exhausted finite space, by enumeration."""
        choices = [_values(domain) for domain in self._space.values()]
        place = [0] * len(choices)
        while True:
            params = {
                name: values[i] for name, values, i in zip(self._space, choices, place, strict=True)
            }
            if self._new(params):
                return params
            for axis in reversed(range(len(choices))):
                place[axis] += 1
                if place[axis] < len(choices[axis]):
                    break
                place[axis] = 0
            else:
                return None

    def _new(self, params: dict[str, Any]) -> bool:
        key = repr(list(params.items()))
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _values(domain: Domain) -> list[Any]:
    match domain:
        case Categorical():
            return list(domain.choices)
        case Int():
            return list(range(domain.low, domain.high + 1))
        case Float():  # a continuum is never exhausted: a thousand repeats cannot happen
            return [domain.low]
