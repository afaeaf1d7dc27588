"""What an effect means, in one word and in a sentence. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from hopsml_flows.ablation.effects import Effect
from hopsml_flows.ablation.student import repeats_needed
from hopsml_flows.text import plural

__all__ = ["Judged", "Verdict", "judge", "needed_repeats", "short_number"]

_MOST = 1_000
"""Most repeats that a sentence names; more are not worth counting."""

_POWER = 0.8

_STEP = 3.0
"""By how much each repeat makes equal differences less likely by chance, at least."""


class Verdict(StrEnum):
    """What an effect means.

    Example:
        >>> Verdict.NOISE.value
        'within noise'
    """

    MATTERS = "matters"
    HARMFUL = "harmful"
    NOISE = "within noise"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """An effect with its verdict.

    Args:
        effect: The effect.
        verdict: What it means.
        words: The verdict in words, without the arm's name.
        needed: How many repeats would be needed to see an effect of this size, if it is within
            noise and 1,000 suffice.
    """

    effect: Effect
    verdict: Verdict
    words: str
    needed: int | None = None


def judge(
    effect: Effect,
    *,
    alpha: float = 0.05,
    decided: Verdict | None = None,
    deviation: float | None = None,
) -> Judged:
    """Return what an effect means.

    A component matters, or is harmful, if the paired t-test finds an effect at the level ``alpha``
    after Holm's correction. A study that adds seeds where they are needed has decided with
    boundaries that allow for its several looks; its decisions are then the verdicts.

    Args:
        effect: The effect.
        alpha: How often a study may find any effect where there is none.
        decided: What a sequential study decided; None for a study with a fixed number of repeats.
        deviation: Standard deviation of the differences to count the needed repeats with; None for
            the effect's own.

    Example:
        >>> found = Effect(
        ...     arm="a", repeats=5, mean=0.01, deviation=0.012, p=0.135, p_holm=0.135, compared=1
        ... )
        >>> print(judge(found).words)
        within noise at 5 repeats; 14 would be needed to see an effect of this size
    """
    if effect.p_holm is None or decided is Verdict.UNKNOWN:
        return Judged(effect, Verdict.UNKNOWN, _why_unknown(effect))
    mean = effect.mean or 0.0
    verdict = decided
    if verdict is None:
        seen = effect.p_holm <= alpha and mean
        verdict = Verdict.NOISE if not seen else Verdict.MATTERS if mean > 0 else Verdict.HARMFUL
    at = f"at {plural(effect.repeats, 'repeat')}"
    if verdict is not Verdict.NOISE:
        size = short_number(abs(mean))
        words = f"without it the metric is {size} {'worse' if mean > 0 else 'better'}"
        alike = ", the same in each" if effect.deviation == 0 else ""
        return Judged(effect, verdict, f"{verdict.value} {at}: {words}{alike}")
    if not mean:
        return Judged(effect, verdict, f"{verdict.value} {at}; it makes no difference at all")
    needed = needed_repeats(effect, alpha=alpha, deviation=deviation)
    many = f"{needed}" if needed is not None else f"more than {_MOST:,}"
    words = f"{many} would be needed to see an effect of this size"
    if effect.p_holm <= alpha:  # only where the study itself has decided
        words = f"its p is small, but does not allow for the study's several looks; {words}"
    return Judged(effect, verdict, f"{verdict.value} {at}; {words}", needed)


def needed_repeats(
    effect: Effect, *, alpha: float = 0.05, deviation: float | None = None
) -> int | None:
    """Return how many repeats would show an effect of this size in 4 of 5 studies.

    It is the smallest number with which the paired t-test has a power of 0.8 at the level
    ``alpha`` divided by the number of arms, the strictest that Holm's correction asks for. Effect
    and deviation are taken as seen. Of differences that are all equal, it is the number that
    suffices even if the metric is as coarse as it can be.

    Args:
        effect: The effect.
        alpha: Level of the study.
        deviation: Standard deviation of the differences; None for the effect's own.

    Returns:
        None if there is no effect, or 1,000 repeats would not suffice.

    Example:
        >>> needed_repeats(Effect(arm="a", repeats=5, mean=0.5, deviation=1.0, compared=1))
        34
    """
    spread = effect.deviation if deviation is None else deviation
    if not effect.mean or spread is None:
        return None
    least = effect.repeats + 1
    level = alpha / max(1, effect.compared)
    if not spread:
        return max(least, math.ceil(math.log(2 / level, _STEP)))
    found = repeats_needed(effect.mean / spread, level, _POWER, _MOST)
    return None if found is None else max(found, least)


def short_number(value: float) -> str:
    """Return a number with three significant digits; zero has no sign.

    Args:
        value: The number.

    Example:
        >>> short_number(-0.012345), short_number(-0.0)
        ('-0.0123', '0')
    """
    text = f"{value:.3g}"
    return "0" if text == "-0" else text


def _why_unknown(effect: Effect) -> str:
    if effect.repeats == 0:
        return "unknown: no repeat succeeded both with and without it"
    if effect.repeats == 1:
        return "unknown: one repeat succeeded with and without it, and a test needs two"
    return "unknown: it has too few repeats"
