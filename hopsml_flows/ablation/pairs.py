"""Interactions: what leaving out two components costs beyond the sum of both. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from hopsml_flows.ablation.effects import (
    ALIKE,
    Metrics,
    checked_base,
    distinct,
    finite_metrics,
    largest,
)
from hopsml_flows.ablation.paired import Estimate, estimate, holm
from hopsml_flows.ablation.verdicts import short_number
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.text import plural
from hopsml_flows.values.arguments import number_inside

__all__ = ["Interaction", "interactions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction(Estimate):
    """What a pair of components costs beyond the sum of both, from four trials per repeat.

    Positive: both together cost more than the sum, so each can stand in for the other. Negative:
    they cost less, so each needs the other, and what it does is lost with either.

    Args:
        arm: The arm that leaves out both.
        parts: The arms that leave out one of them each.
        p_holm: ``p``, corrected for the number of pairs that were compared.
        compared: Number of pairs that were compared.
    """

    arm: str
    parts: tuple[str, str]
    p_holm: float | None = None
    compared: int = 0

    def words(self, alpha: float = 0.05) -> str:
        """Return what the interaction means, in a sentence without names.

        Args:
            alpha: How often a study may find any interaction where there is none.

        Example:
            >>> pair = Interaction(
            ...     arm="a and b", parts=("a", "b"), repeats=5, mean=0.2, p=0.001, p_holm=0.001
            ... )
            >>> print(pair.words())
            costs 0.2 more than both one by one at 5 repeats: each can stand in for the other
        """
        at = f"at {plural(self.repeats, 'repeat')}"
        if self.p_holm is None or self.mean is None:
            return f"unknown {at}: a test needs two"
        if self.p_holm > alpha or not self.mean:
            return f"no more and no less than the sum of both, within noise {at}"
        size = short_number(abs(self.mean))
        if self.mean > 0:
            return f"costs {size} more than both one by one {at}: each can stand in for the other"
        return f"costs {size} less than both one by one {at}: each needs the other"


def interactions(
    metrics_by_arm: Mapping[str, Metrics],
    pairs: Mapping[str, tuple[str, str]],
    *,
    base: str,
    direction: str,
    alpha: float = 0.05,
) -> tuple[Interaction, ...]:
    """Return the interaction of every pair, the strongest first; pairs without figures come last.

    Only repeats count in which all four succeeded: the base, each of the two, and both together.

    Args:
        metrics_by_arm: Arm to repeat to metric, as for the effects.
        pairs: The arm that leaves out two, to the arms that leave out one of them each.
        base: The arm that leaves nothing out.
        direction: Whether the metric is maximised or minimised.
        alpha: What the intervals leave out.

    Raises:
        InvalidArgumentError: An arm is unknown, the direction is, or ``alpha`` is not between 0
            and 1.

    Example:
        >>> accuracy = {
        ...     "base": {0: 0.90, 1: 0.92, 2: 0.91},
        ...     "a": {0: 0.88, 1: 0.91, 2: 0.90},
        ...     "b": {0: 0.89, 1: 0.91, 2: 0.89},
        ...     "a, b": {0: 0.67, 1: 0.71, 2: 0.68},
        ... }
        >>> (pair,) = interactions(
        ...     accuracy, {"a, b": ("a", "b")}, base="base", direction="max"
        ... )
        >>> print(round(pair.mean, 3), pair.words())
        0.197 costs 0.197 more than both one by one at 3 repeats: each can stand in for the other
    """
    optimized = Direction.parse(direction)
    alpha = number_inside("alpha", alpha, "between 0 and 1", lambda value: 0 < value < 1)
    known = finite_metrics(metrics_by_arm)
    checked_base(known, base)
    for arm, parts in pairs.items():
        for name in (arm, *parts):
            if name not in known:
                raise InvalidArgumentError("pairs", name, f"must be one of {sorted(known)}")
    found = [
        _interaction(arm, (one, other), known, base, optimized, alpha)
        for arm, (one, other) in pairs.items()
    ]
    judged = [pair for pair in found if pair.p is not None]
    corrected = holm([pair.p or 0.0 for pair in judged])
    p_holm = dict(zip([pair.arm for pair in judged], corrected, strict=True))
    whole = [replace(p, p_holm=p_holm.get(p.arm), compared=len(judged)) for p in found]
    return tuple(sorted(whole, key=lambda p: (p.mean is None, -abs(p.mean or 0.0), p.arm)))


def _interaction(
    arm: str,
    parts: tuple[str, str],
    known: Mapping[str, Metrics],
    base: str,
    direction: Direction,
    alpha: float,
) -> Interaction:
    four = [known[name] for name in (base, *parts, arm)]
    shared = sorted(set.intersection(*map(set, four)))
    # (both - base) - (one - base) - (other - base), as losses
    beyond = [
        distinct(
            (direction.loss(four[3][repeat]) - direction.loss(four[1][repeat]))
            - (direction.loss(four[2][repeat]) - direction.loss(four[0][repeat])),
            *(metrics[repeat] for metrics in four),
        )
        for repeat in shared
    ]
    beyond = [value for value in beyond if math.isfinite(value)]
    levels = [[metrics[repeat] for repeat in shared] for metrics in four]
    judged = estimate(beyond, alpha=alpha, rounding=ALIKE * largest(*levels), metrics=levels)
    return Interaction(arm=arm, parts=parts, **asdict(judged))
