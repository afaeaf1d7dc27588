"""The effect of each component: how much worse the metric is without it. Pure.

A trial of an arm and the base trial of the same repeat have the same seed. They are a pair, and
only the differences within pairs are judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from hopsml_flows.ablation.paired import Estimate, estimate, holm
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.values.arguments import number_inside

__all__ = [
    "ALIKE",
    "Effect",
    "Metrics",
    "checked_base",
    "differences",
    "distinct",
    "effects",
    "finite_metrics",
    "largest",
    "paired",
    "pooled_deviation",
    "with_costs",
]

ALIKE = 1e-12
"""Metrics whose relative difference is at most this are the same: sums have another order."""

Metrics = Mapping[int, float]
"""Metric by repeat, of the repeats that succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Estimate):
    """What one arm costs against the base, from pairs of trials.

    A positive effect means that what the arm leaves out helps, whether the metric is maximised or
    minimised. Its figures are those of an estimate: ``repeats``, ``mean``, ``deviation``, ``low``,
    ``high``, ``p`` and ``p_sign_flip``.

    Args:
        arm: The arm.
        p_holm: ``p``, corrected for the number of arms that were compared.
        p_sign_flip_holm: ``p_sign_flip``, corrected likewise.
        compared: Number of arms that were compared.
        unpaired: Repeats of the arm or the base whose partner failed, or was not run.
        parameters: Number of the arm's parameters, if known.
        seconds: Median duration of the arm's trials, if known.
    """

    arm: str
    p_holm: float | None = None
    p_sign_flip_holm: float | None = None
    compared: int = 0
    unpaired: tuple[int, ...] = ()
    parameters: int | None = None
    seconds: float | None = None

    @property
    def is_judged(self) -> bool:
        """Whether there are enough pairs for a test: two."""
        return self.p is not None


def effects(
    metrics_by_arm: Mapping[str, Metrics],
    *,
    base: str,
    direction: str,
    alpha: float = 0.05,
) -> tuple[Effect, ...]:
    """Return the effect of every arm, the largest first; arms without pairs come last.

    Args:
        metrics_by_arm: Arm to repeat to metric; a repeat that failed is missing, and one whose
            metric is not finite counts as failed.
        base: The arm that leaves nothing out.
        direction: Whether the metric is maximised or minimised.
        alpha: What the intervals leave out.

    Raises:
        InvalidArgumentError: There is no such base, the direction is unknown, or ``alpha`` is not
            between 0 and 1.

    Example:
        >>> accuracy = {
        ...     "base": {0: 0.91, 1: 0.93, 2: 0.92},
        ...     "without age": {0: 0.81, 1: 0.82, 2: 0.82},
        ...     "without name": {0: 0.92, 1: 0.92, 2: 0.92},
        ... }
        >>> for effect in effects(accuracy, base="base", direction="max"):
        ...     print(effect.arm, round(effect.mean, 3), round(effect.p_holm, 4))
        without age 0.103 0.0021
        without name 0.0 1.0
    """
    optimized = Direction.parse(direction)
    alpha = number_inside("alpha", alpha, "between 0 and 1", lambda value: 0 < value < 1)
    known = finite_metrics(metrics_by_arm)
    checked_base(known, base)
    found = [
        _effect(arm, known[base], metrics, optimized, alpha)
        for arm, metrics in known.items()
        if arm != base
    ]
    return _sorted(_corrected(found))


def finite_metrics(metrics_by_arm: Mapping[str, Metrics]) -> dict[str, dict[int, float]]:
    """Return the metrics that are numbers; a metric that is not finite is that of a failed trial.

    Args:
        metrics_by_arm: Arm to repeat to metric.

    Example:
        >>> finite_metrics({"base": {0: 1, 1: float("nan")}})
        {'base': {0: 1.0}}
    """
    return {
        arm: {repeat: float(value) for repeat, value in metrics.items() if math.isfinite(value)}
        for arm, metrics in metrics_by_arm.items()
    }


def checked_base(metrics_by_arm: Mapping[str, Metrics], base: str) -> None:
    """Raise an error if there are no metrics of the base.

    Args:
        metrics_by_arm: Arm to repeat to metric.
        base: The arm that leaves nothing out.

    Raises:
        InvalidArgumentError: There is no such arm.
    """
    if base not in metrics_by_arm:
        raise InvalidArgumentError("base", base, f"must be one of {sorted(metrics_by_arm)}")


def paired(base: Metrics, arm: Metrics, direction: Direction, alpha: float = 0.05) -> Estimate:
    """Return how much worse an arm is than the base, and how sure that is.

    Args:
        base: The base's metrics, finite.
        arm: The arm's metrics, finite.
        direction: What is better.
        alpha: What the interval leaves out.

    Example:
        >>> paired({0: 5.0, 1: 6.0, 2: 7.0}, {0: 4.0, 1: 4.0, 2: 4.0}, Direction.MAX).mean
        2.0
    """
    pairs = differences(base, arm, direction)
    both = [[of[repeat] for repeat in pairs] for of in (base, arm)]
    return estimate(
        list(pairs.values()), alpha=alpha, rounding=ALIKE * largest(*both), metrics=both
    )


def differences(base: Metrics, arm: Metrics, direction: Direction) -> dict[int, float]:
    """Return how much worse an arm is than the base, by repeat; only repeats that both have.

    Args:
        base: The base's metrics, finite.
        arm: The arm's metrics, finite.
        direction: What is better.

    Example:
        >>> differences({0: 0.5, 1: 0.25}, {1: 0.75, 2: 0.5}, Direction.MIN)
        {1: 0.5}
        >>> differences({0: 0.1 + 0.2}, {0: 0.3}, Direction.MIN)
        {0: 0.0}
    """
    worse = {
        repeat: distinct(
            direction.loss(arm[repeat]) - direction.loss(base[repeat]), arm[repeat], base[repeat]
        )
        for repeat in base
        if repeat in arm
    }
    return {repeat: value for repeat, value in worse.items() if math.isfinite(value)}


def distinct(difference: float, *metrics: float) -> float:
    """Return a difference, or 0 if it is not more than what rounding makes of it.

    Args:
        difference: The difference.
        *metrics: The metrics that it is of.

    Example:
        >>> distinct(5.6e-17, 0.3, 0.1), distinct(0.2, 0.3, 0.1)
        (0.0, 0.2)
    """
    return 0.0 if abs(difference) <= ALIKE * largest(metrics) else difference


def largest(*metrics: Iterable[float]) -> float:
    """Return the largest absolute value among metrics; 0 of none.

    Args:
        *metrics: The metrics of each arm.

    Example:
        >>> largest([1.0, -3.0], [2.0])
        3.0
    """
    return max((abs(value) for arm in metrics for value in arm), default=0.0)


def pooled_deviation(groups: Iterable[Iterable[float]]) -> float | None:
    """Return the standard deviation within groups of differences that have means of their own.

    Args:
        groups: The differences of each arm.

    Returns:
        None if no group has two differences.

    Example:
        >>> pooled_deviation([[1.0, 3.0], [10.0, 14.0], [7.0]])
        2.23606797749979
    """
    squares, freedom = [], 0
    for group in map(list, groups):
        if len(group) >= 2:
            mean = math.fsum(group) / len(group)
            squares += [(value - mean) * (value - mean) for value in group]
            freedom += len(group) - 1
    return math.sqrt(math.fsum(squares) / freedom) if freedom else None


def with_costs(
    found: Iterable[Effect],
    *,
    parameters: Mapping[str, int] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> tuple[Effect, ...]:
    """Return effects with what the arms cost, in the same order.

    Args:
        found: The effects.
        parameters: Arm to the number of its parameters.
        seconds: Arm to the median duration of its trials.

    Example:
        >>> with_costs([Effect(arm="a", repeats=0)], seconds={"a": 1.5})[0].seconds
        1.5
    """
    return tuple(
        replace(
            effect,
            parameters=(parameters or {}).get(effect.arm, effect.parameters),
            seconds=(seconds or {}).get(effect.arm, effect.seconds),
        )
        for effect in found
    )


def _effect(
    arm: str, base: Metrics, metrics: Metrics, direction: Direction, alpha: float
) -> Effect:
    there = set(differences(base, metrics, direction))
    unpaired = tuple(sorted({*base, *metrics} - there))
    return Effect(arm=arm, unpaired=unpaired, **asdict(paired(base, metrics, direction, alpha)))


def _corrected(found: list[Effect]) -> list[Effect]:
    judged = [effect for effect in found if effect.is_judged]
    t = dict(zip([e.arm for e in judged], holm([e.p or 0.0 for e in judged]), strict=True))
    flips = holm([e.p_sign_flip or 0.0 for e in judged])
    f = dict(zip([e.arm for e in judged], flips, strict=True))
    return [
        replace(
            effect,
            p_holm=t.get(effect.arm),
            p_sign_flip_holm=f.get(effect.arm),
            compared=len(judged),
        )
        for effect in found
    ]


def _sorted(found: Iterable[Effect]) -> tuple[Effect, ...]:
    def rank(effect: Effect) -> tuple[bool, float, str]:
        return effect.mean is None, -(effect.mean or 0.0), effect.arm

    return tuple(sorted(found, key=rank))
