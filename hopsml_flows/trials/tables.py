"""Which trials a table shows, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopsml_flows.trials.model import TrialResult

if TYPE_CHECKING:
    from hopsml_flows.search import Direction

__all__ = ["MOST_ROWS", "best_first", "shown_trials"]

MOST_ROWS = 20
"""Most trials in a table; an experiment may have 10,000."""


def best_first(trials: Sequence[TrialResult], direction: Direction | None) -> list[TrialResult]:
    """Return trials with the best first; those that failed come last, by number.

    Args:
        trials: The trials.
        direction: What is better; None where no metric is compared: trials stay by number.
    """
    if direction is None:
        return sorted(trials, key=lambda trial: trial.number)

    def rank(trial: TrialResult) -> tuple[bool, float, int]:
        if trial.metric is None or not trial.succeeded:
            return True, 0.0, trial.number
        return False, direction.loss(trial.metric), trial.number

    return sorted(trials, key=rank)


def shown_trials(
    trials: Sequence[TrialResult], direction: Direction | None, most: int = MOST_ROWS
) -> list[TrialResult]:
    """Return the trials that a table shows: all by number, or the best, if there are too many.

    Args:
        trials: The trials.
        direction: What is better; None where no metric is compared.
        most: Most trials that are shown.
    """
    if len(trials) <= most:
        return sorted(trials, key=lambda trial: trial.number)
    return best_first(trials, direction)[:most]
