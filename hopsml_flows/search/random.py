"""Random search without repeats: a number of samples, or without an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.base import BaseSearch, Proposal, params_by_id
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.initial_points import checked_points
from hopsml_flows.search.seen import Seen
from hopsml_flows.search.space import SearchSpace
from hopsml_flows.values.arguments import LARGEST, is_whole, whole_number
from hopsml_flows.values.plain import plain

__all__ = ["EndlessRandomSearch", "RandomSearch"]


class _RandomDraws(BaseSearch):
    """What the two kinds of random search share.

    Args:
        space: What may be drawn.
        most: The most configurations; None for no end.
        limit: The argument that sets this limit.
        direction: Which way is better.
        initial: Configurations to evaluate first.
        seed: The same seed gives the same configurations; None draws one.
    """

    def __init__(
        self,
        space: SearchSpace,
        most: int | None,
        limit: str,
        *,
        direction: Direction | str,
        initial: Sequence[Mapping[str, Any]],
        seed: int | None,
    ) -> None:
        super().__init__(direction=direction)
        start = plain(seed)
        if start is not None and not (is_whole(start) and start >= 0):
            raise InvalidArgumentError("seed", seed, "must be an integer of at least 0, or None")
        self._rng = np.random.default_rng(start)
        most = LARGEST if most is None else most
        self._initial = checked_points(space, initial, most=most, limit=limit)
        self._seen = Seen(space)

    def _propose(self, number: int) -> dict[str, Any] | None:
        while self._initial:
            point = self._initial.pop(0)
            if self._seen.add(point, number):
                return point
        return self._seen.draw(self._rng, number)

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed.

        Args:
            proposals: Proposals, or only their parameters as JSON has them, by their ids.
        """
        super().recall(self._seen.keep(params_by_id(proposals)))

    def _adopt(self, number: int, proposed: dict[str, Any], params: dict[str, Any]) -> None:  # noqa: ARG002 - as in the base
        self._seen.replace(proposed, by=params)


class RandomSearch(_RandomDraws):
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
        count = whole_number("samples", samples, least=1)
        super().__init__(space, count, "samples", direction=direction, initial=initial, seed=seed)
        cardinality = space.cardinality
        self._total = count if cardinality is None else min(count, cardinality)

    @property
    def total(self) -> int:
        """Number of configurations: ``samples``, or fewer if the space has fewer."""
        return self._total


class EndlessRandomSearch(_RandomDraws):
    """Random search that goes on until it is asked for no more, or a finite space is exhausted.

    Args:
        space: What may be drawn.
        direction: Which way is better.
        initial: Configurations to evaluate first.
        seed: The same seed gives the same configurations; None draws one.

    Raises:
        InvalidArgumentError: The seed is not an integer from 0, or a configuration to evaluate
            first is not in the space.

    Example:
        >>> search = EndlessRandomSearch(SearchSpace({"rate": [0.1, 0.9]}), seed=7)
        >>> len(search.ask(100)), search.finished, search.total
        (100, False, None)
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        direction: Direction | str = Direction.MAX,
        initial: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(space, None, "num_trials", direction=direction, initial=initial, seed=seed)
        self._total = space.cardinality
        self._endless = self._total is None

    @property
    def total(self) -> int | None:
        """Number of configurations of a finite space; None if it is not finite."""
        return self._total
