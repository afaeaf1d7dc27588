"""Which arms get another seed: only those of which it is not yet known what they do. Pure.

After each repeat there is a *look* at the arms. It decides from the metrics alone, so an experiment
that is resumed decides as the first would have.

**Finding an effect.** The study may find any effect that is not there with probability alpha. The
share of it that is spent after repeat k of n is (k / n)**2, and each look may spend what has been
added since the last (Lan & DeMets, "Discrete sequential boundaries for clinical trials", Biometrika
1983; the power family of Kim & DeMets, Biometrika 1987). At a look the paired t-tests of all arms
in which no effect was found before are compared by Holm's procedure at the level of that look. By
Bonferroni's inequality over looks and arms, a false finding has a probability of at most alpha,
however the looks depend on each other: when the first arm without an effect is found, at least all
arms without an effect are still compared (Ye, Li, Liu & Yao, Statistics in Medicine 2013).

**Giving up.** An arm is noise as soon as the predictive probability of finding an effect at the
last look is small: the mean at the last look is normal around today's mean, with what today's mean
and the remaining repeats are unsure of (Spiegelhalter, Freedman & Blackburn, Controlled Clinical
Trials 1986). The deviation is that of all arms together, since two or three repeats of one do not
tell it. Giving up finds nothing, so it can only lower the probability of a false finding. An arm
whose differences are all equal, and not zero, is not given up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from hopsml_flows.ablation.effects import (
    Effect,
    checked_base,
    differences,
    finite_metrics,
    paired,
    pooled_deviation,
)
from hopsml_flows.ablation.paired import Estimate
from hopsml_flows.ablation.student import quantile
from hopsml_flows.ablation.verdicts import Judged, Verdict, judge
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.values.arguments import number_inside, whole_number

__all__ = ["Decisions", "SequentialRule", "judge_all"]

_FIRST_TEST = 3
"""Repeats before the first test: with two, an effect must be hundreds of deviations wide."""

_EXPONENT = 2.0


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is known of each arm after a number of repeats.

    Args:
        repeats: Number of repeats that were run.
        verdicts: Arm to verdict, of the arms that need no more seeds.
        undecided: The arms that get another seed, in their order. The base gets one if any does.
        deviation: Standard deviation of the differences of all arms together; None if unknown.
    """

    repeats: int
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    deviation: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether no arm gets another seed."""
        return not self.undecided


@dataclass(frozen=True, slots=True)
class SequentialRule:
    """Gives more seeds to the arms that are undecided.

    Args:
        least: Repeats of every arm.
        most: Most repeats of an arm.
        alpha: How often a study may find any effect where there is none.
        futility: An arm is given up as noise if the probability that an effect would still be found
            is below this; 0 gives up none before the last repeat.

    Raises:
        InvalidArgumentError: ``least`` is below 2, ``most`` is below ``least``, or a probability
            is not one.

    Example:
        >>> rule = SequentialRule(least=2, most=5)
        >>> accuracy = {
        ...     "base": {0: 0.91, 1: 0.93, 2: 0.92},
        ...     "without age": {0: 0.51, 1: 0.52, 2: 0.52},
        ...     "without name": {0: 0.92, 1: 0.92},
        ... }
        >>> after_two = rule.decide(accuracy, base="base", direction="max", repeats=2)
        >>> after_two.undecided, after_two.verdicts["without name"].value
        (('without age',), 'within noise')
        >>> after_three = rule.decide(accuracy, base="base", direction="max", repeats=3)
        >>> after_three.is_complete, after_three.verdicts["without age"].value
        (True, 'matters')
    """

    least: int = 2
    most: int = 5
    alpha: float = 0.05
    futility: float = 0.02

    def __post_init__(self) -> None:
        least = whole_number("least", self.least, least=2)
        most = whole_number("most", self.most, least=2)
        if most < least:
            raise InvalidArgumentError("most", most, f"must be at least {least}, as least is")
        number_inside("alpha", self.alpha, "between 0 and 1", lambda value: 0 < value < 1)
        number_inside("futility", self.futility, "from 0 to below 1", lambda value: 0 <= value < 1)

    def decide(
        self,
        metrics_by_arm: Mapping[str, Mapping[int, float]],
        *,
        base: str,
        direction: str,
        repeats: int,
    ) -> Decisions:
        """Return what is known after a number of repeats.

        Args:
            metrics_by_arm: Arm to repeat, from 0, to metric; a repeat that failed is missing.
            base: The arm that leaves nothing out.
            direction: Whether the metric is maximised or minimised.
            repeats: Number of repeats that were run of the arms that were undecided.

        Raises:
            InvalidArgumentError: There is no such base, or the direction is unknown.
        """
        finite = finite_metrics(metrics_by_arm)
        checked_base(finite, base)
        optimized = Direction.parse(direction)
        arms = tuple(arm for arm in metrics_by_arm if arm != base)
        decided = Decisions(repeats, {}, arms)
        # Each look as it was then: arms have no metrics of repeats after their decision.
        for look in range(self.least, min(repeats, self.most) + 1):
            known = {
                arm: {repeat: value for repeat, value in metrics.items() if repeat < look}
                for arm, metrics in finite.items()
            }
            decided = self._look(look, known, base, optimized, decided)
        return decided

    def level(self, look: int) -> float:
        """Return what a look may spend of alpha; the levels of all looks add up to alpha.

        Args:
            look: The number of repeats that it comes after.

        Example:
            >>> [round(SequentialRule(most=5).level(look), 3) for look in (2, 3, 4, 5)]
            [0.0, 0.018, 0.014, 0.018]
        """
        first = max(self.least, min(_FIRST_TEST, self.most))
        if not first <= look <= self.most:
            return 0.0
        before = 0.0 if look == first else self._spent(look - 1)
        return self._spent(look) - before

    def _spent(self, look: int) -> float:
        return self.alpha * math.pow(look / self.most, _EXPONENT)

    def _look(
        self,
        look: int,
        known: Mapping[str, Mapping[int, float]],
        base: str,
        direction: Direction,
        before: Decisions,
    ) -> Decisions:
        verdicts = dict(before.verdicts)
        found = (Verdict.MATTERS, Verdict.HARMFUL)
        pairs = {
            arm: list(differences(known[base], metrics, direction).values())
            for arm, metrics in known.items()
            if arm != base
        }
        judged = {arm: paired(known[base], known[arm], direction) for arm in pairs}
        compared = sum(verdicts.get(arm) not in found for arm in pairs)
        # Holm's procedure: the smallest p first, until one is too large.
        is_test = self.level(look) > 0
        waiting = [arm for arm in before.undecided if is_test and judged[arm].p is not None]
        for arm in sorted(waiting, key=lambda arm: judged[arm].p or 0.0):
            if (judged[arm].p or 0.0) > self.level(look) / compared or not judged[arm].mean:
                break
            verdicts[arm] = Verdict.MATTERS if (judged[arm].mean or 0.0) > 0 else Verdict.HARMFUL
            compared -= 1
        deviation = pooled_deviation(pairs.values())
        for arm in before.undecided:
            if arm in verdicts:
                continue
            if look >= self.most:
                enough = judged[arm].p is not None
                verdicts[arm] = Verdict.NOISE if enough else Verdict.UNKNOWN
            elif not known[arm] or not known[base]:
                verdicts[arm] = Verdict.UNKNOWN  # it, or the base, has failed every time
            elif self._is_futile(judged[arm], deviation, compared):
                verdicts[arm] = Verdict.NOISE
        undecided = tuple(arm for arm in before.undecided if arm not in verdicts)
        return Decisions(before.repeats, verdicts, undecided, deviation)

    def _is_futile(self, judged: Estimate, deviation: float | None, compared: int) -> bool:
        """Whether an effect would hardly be found at the last look."""
        if deviation is None or judged.mean is None or judged.repeats < 2 or not self.futility:
            return False
        if not judged.mean and not judged.deviation:
            return True
        if not deviation or not judged.deviation:
            return False  # the same each time: the next repeat tells whether by chance
        level = self.level(self.most) / max(1, compared)
        needed = quantile(level / 2, self.most - 1) / math.sqrt(self.most)
        unsure = math.sqrt(1 / judged.repeats - 1 / self.most)
        short = (needed - abs(judged.mean) / deviation) / unsure
        return NormalDist().cdf(-short) < self.futility


def judge_all(
    found: Iterable[Effect], decisions: Decisions | None = None, *, alpha: float = 0.05
) -> tuple[Judged, ...]:
    """Return effects with their verdicts, in the same order.

    Args:
        found: The effects.
        decisions: What a sequential study has decided; an arm that is still undecided, because the
            study ended early, is within noise. None for a fixed number of repeats.
        alpha: How often the study may find any effect where there is none.

    Example:
        >>> unsure = Effect(
        ...     arm="a", repeats=2, mean=1.0, deviation=1.0, p=0.4, p_holm=0.4, compared=1
        ... )
        >>> judge_all([unsure], Decisions(2, undecided=("a",)))[0].words
        'within noise at 2 repeats; 10 would be needed to see an effect of this size'
    """
    if decisions is None:
        return tuple(judge(effect, alpha=alpha) for effect in found)
    return tuple(
        judge(
            effect,
            alpha=alpha,
            decided=decisions.verdicts.get(effect.arm, Verdict.NOISE),
            deviation=decisions.deviation,
        )
        for effect in found
    )
