"""An experiment's result in a line: what the state of its flow run and its log say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hopsml_flows.text import plural
from hopsml_flows.tracking.prefect.markdown import as_text
from hopsml_flows.trials import DEFAULT_KEY, LOG

if TYPE_CHECKING:
    from hopsml_flows.trials import TrialResult

__all__ = ["best_text", "outcome_text", "pairs_text"]

_MOST_PAIRS = 12
_LONGEST = 60


def outcome_text(
    key: str | None,
    best: TrialResult | None,
    total: int,
    failed: int,
    *,
    searched: bool,
    stopped: int = 0,
) -> str:
    """Return the result of an experiment and the counts of its trials.

    Args:
        key: Key of the metric, or None.
        best: The best trial, or None.
        total: Number of trials.
        failed: How many of them failed.
        searched: Whether trials were compared; otherwise the single one shows its outputs.
        stopped: How many were stopped early.
    """
    counts = plural(total, "trial") + (f", {failed} failed" if failed else "")
    counts += f", {stopped} stopped early" if stopped else ""
    if best is None:
        return counts
    if searched:
        return f"Best {best_text(key, best)}; {counts}"
    outputs = {name: value for name, value in best.outputs.items() if name != LOG}
    return f"{pairs_text(outputs)}; {counts}" if outputs else counts


def best_text(key: str | None, best: TrialResult) -> str:
    """Return the metric of a trial and what made it, such as ``loss 0.1 (trial 3: rate=0.5)``.

    Args:
        key: Key of the metric, or None.
        best: The trial.
    """
    metric = as_text(key or DEFAULT_KEY, _LONGEST)
    if best.metric is not None:
        metric += f" {as_text(float(best.metric))}"
    params = pairs_text(best.params)
    return f"{metric} (trial {best.number}{f': {params}' if params else ''})"


def pairs_text(values: Mapping[str, Any]) -> str:
    """Return names and values on one line of limited length; numbers have six digits.

    Args:
        values: Name to value.
    """
    pairs = [
        f"{as_text(name, _LONGEST)}={as_text(value, _LONGEST)}" for name, value in values.items()
    ]
    more = len(pairs) - _MOST_PAIRS
    return ", ".join(pairs[:_MOST_PAIRS]) + (f" and {more} more" if more > 0 else "")
