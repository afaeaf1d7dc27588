"""The search of an ablation study: each arm, and each repeat of it, as a proposal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hopsml_flows.ablation.arms import Arm
from hopsml_flows.search import Direction, ListSearch, Proposal

__all__ = ["ArmsSearch"]


class ArmsSearch(ListSearch):
    """Trains every arm once, then every arm once more, and so on; the base comes first each time.

    Proposals of one repeat get the same seed.

    Args:
        arms: The arms, in order.
        repeats: How often each is trained.
        direction: Which way is better.

    Example:
        >>> search = ArmsSearch([Arm(())], repeats=2)
        >>> [(proposal.id, proposal.repeat) for proposal in search.ask()]
        [(1, 1), (2, 2)]
    """

    def __init__(
        self, arms: Sequence[Arm], *, repeats: int = 1, direction: Direction | str = Direction.MAX
    ) -> None:
        super().__init__([arm.params for arm in arms] * repeats, direction=direction)
        self._arms = len(arms)

    def _described(self, proposal: Proposal) -> Proposal:
        return replace(proposal, repeat=(proposal.id - 1) // self._arms + 1)
