"""Random search without repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.base import BaseSearch
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.initial_points import checked_points
from hopsml_flows.search.seen import Seen
from hopsml_flows.search.space import SearchSpace
from hopsml_flows.values.arguments import is_whole, whole_number
from hopsml_flows.values.plain import plain

__all__ = ["RandomSearch"]


class RandomSearch(BaseSearch):
    """Independent uniform draws (Bergstra & Bengio, JMLR 2012), no configuration twice.

    Of a finite space with fewer than ``samples`` configurations, each is evaluated once.

    Args:
        space: What may be drawn.
        samples: Number of configurations.
        direction: Which way is better.
        initial: Configurations to evaluate first, at most ``samples``.
        seed: The same seed gives the same configurations; None draws one.

    Raises:
        InvalidArgumentError: ``samples`` is not a positive integer, the seed is not an integer from
            0, or a configuration to evaluate first is not in the space.

    Example:
        >>> search = RandomSearch(SearchSpace({"units": [8, 10]}), samples=9, seed=7)
        >>> sorted(proposal.params["units"] for proposal in search.ask())
        [8, 9, 10]
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        samples: int = 10,
        direction: Direction | str = Direction.MAX,
        initial: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        count = whole_number("samples", samples, least=1)
        cardinality = space.cardinality
        self._total = count if cardinality is None else min(count, cardinality)
        start = plain(seed)
        if start is not None and not (is_whole(start) and start >= 0):
            raise InvalidArgumentError("seed", seed, "must be an integer of at least 0, or None")
        self._rng = np.random.default_rng(start)
        self._initial = checked_points(space, initial, most=count, limit="samples")
        self._seen = Seen(space)

    @property
    def total(self) -> int:
        """Number of configurations: ``samples``, or fewer if the space has fewer."""
        return self._total

    def _propose(self, number: int) -> dict[str, Any] | None:
        while self._initial:
            point = self._initial.pop(0)
            if self._seen.add(point, number):
                return point
        return self._seen.draw(self._rng, number)

    def recall(self, proposals: Mapping[int, dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed.

        Args:
            proposals: Parameters, as JSON has them, by the proposal's id.
        """
        super().recall(self._seen.keep(proposals))

    def _adopt(self, number: int, proposed: dict[str, Any], params: dict[str, Any]) -> None:  # noqa: ARG002 - as in the base
        self._seen.replace(proposed, by=params)
