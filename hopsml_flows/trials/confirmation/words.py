"""What came of a confirmation and a promotion, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hopsml_flows.text import number_text, one_line, plural
from hopsml_flows.trials.confirmation.confirmation import Confirmation, Judged
from hopsml_flows.trials.confirmation.promotion import Promotion, probability_text
from hopsml_flows.trials.confirmation.statistics import LEVEL, Comparison

__all__ = ["confirmation_facts", "promotion_text"]


def confirmation_facts(confirmation: Confirmation) -> Iterator[tuple[str, str]]:
    """Yield what came of a confirmation: a word, and what is said of it.

    Args:
        confirmation: The confirmation.
    """
    key = one_line(confirmation.key)
    seeds = plural(len(confirmation.seeds), "fresh seed")
    search = f"the search found {number_text(confirmation.optimistic)}"
    yield "confirmed", f"{key} {_measured(confirmation.winner)} on {seeds}; {search}"
    if confirmation.defaults is None:
        if confirmation.without_defaults:
            yield "defaults", f"not compared: {one_line(confirmation.without_defaults)}"
    else:
        beats = _beats(confirmation.beats_defaults)
        yield "defaults", f"{key} {_measured(confirmation.defaults)}: {beats}"
    if confirmation.champion is not None:
        version = confirmation.champion.contestant.version
        name = "" if version is None else f"version {version}, "
        beats = _beats(confirmation.beats_champion)
        yield "champion", f"{name}{key} {_measured(confirmation.champion)}: {beats}"


def promotion_text(promotion: Promotion) -> str:
    """Return what came of a promotion, in one line.

    Args:
        promotion: The promotion.
    """
    said = f"; {promotion.asked}" if promotion.asked else ""
    if promotion.promoted:
        text = f"{promotion.model} version {promotion.version}: {promotion.why}{said}"
    elif promotion.waits:
        text = f"{promotion.model} stays as it is until a person approves: {promotion.why}"
    else:
        text = f"{promotion.model} stays as it is: the winner was refused, {promotion.why}{said}"
    return one_line(text)


def _measured(judged: Judged) -> str:
    failed = f", {judged.failed} of {len(judged.metrics)} failed" if judged.failed else ""
    if judged.estimate is None:
        return f"not known{failed}"
    found = judged.estimate
    ends = f"{number_text(found.low)} to {number_text(found.high)}"
    return f"{number_text(found.mean)} ({round(100 * LEVEL)} % interval {ends}{failed})"


def _beats(comparison: Comparison | None) -> str:
    if comparison is None:
        return "fewer than two seeds to compare"
    probability = probability_text(comparison.probability)
    return f"the winner is better with probability {probability}"
