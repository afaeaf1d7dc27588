"""Why trials were stopped and promoted, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hopsml_flows.text import one_line, value_text

if TYPE_CHECKING:
    from hopsml_flows.trials.model import Promoted, TrialResult

__all__ = ["reasons"]


def reasons(results: Iterable[TrialResult]) -> list[str]:
    """Return a sentence for each promotion and each early stop, by the trials' numbers.

    Args:
        results: The results of trials.

    Example:
        >>> from hopsml_flows.search import Why
        >>> from hopsml_flows.trials import Promoted, State, TrialResult
        >>> why = Why("median", 0.61, "its best {value} is below {threshold}", 7, 0.73)
        >>> for line in reasons([TrialResult(4, "0004", {}, State.STOPPED, why_stopped=why)]):
        ...     print(line)
        Trial 4 was stopped by median at step 7: its best 0.61 is below 0.73
        >>> why = Why("asha", 0.9, "its {value} is the best of 3 at budget 1")
        >>> promoted = (Promoted(3, why),)
        >>> result = TrialResult(
        ...     8, "0008", {}, State.FINISHED, promotions=promoted, continues=5
        ... )
        >>> print(*reasons([result]))
        Trial 8 goes on from trial 5 with budget 3, by asha: its 0.9 is the best of 3 at budget 1
    """
    lines: list[str] = []
    for result in sorted(results, key=lambda result: result.number):
        for place, promoted in enumerate(result.promotions):
            lines.append(_promoted(result, promoted, is_first=place == 0))
        if result.why_stopped is not None:
            why = one_line(str(result.why_stopped))
            lines.append(f"Trial {result.number} was stopped by {why}")
    return lines


def _promoted(result: TrialResult, promoted: Promoted, *, is_first: bool) -> str:
    budget = value_text(promoted.budget)
    if is_first and result.continues is not None:
        does = f"goes on from trial {result.continues} with budget {budget}"
    else:
        does = f"went on to budget {budget}"
    return f"Trial {result.number} {does}, by {one_line(str(promoted.why))}"
