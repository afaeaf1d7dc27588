"""The leaderboard of an asynchronous search as a table for the Prefect UI. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hopsml_flows.text import plural
from hopsml_flows.tracking.prefect.markdown import cell, column, escaped
from hopsml_flows.trials import DEFAULT_KEY

if TYPE_CHECKING:
    from hopsml_flows.trials.learning_curves import Leader

__all__ = ["MOST_LEADERS", "leader_rows", "leaderboard_note"]

MOST_LEADERS = 20
"""Rows of the table, which is written again every few seconds."""

_AROUND = ("rank", "trial", "state", "step", "budget")


def leader_rows(leaders: Sequence[Leader], key: str | None = None) -> list[dict[str, Any]]:
    """Return trials as rows, all with the same columns.

    Args:
        leaders: The trials, the best first.
        key: Key of the metric, or None.
    """
    metric = column(key or DEFAULT_KEY, "metric", _AROUND)
    best = f"best {metric}"
    own = (*_AROUND, metric, best)
    names = dict.fromkeys(name for leader in leaders for name in leader.params)
    params = {name: column(name, "parameter", own) for name in names}
    with_budget = any(leader.budget is not None for leader in leaders)
    return [
        {
            "rank": rank,
            "trial": leader.number,
            "state": leader.state,
            metric: cell(leader.value),
            best: cell(leader.best),
            "step": leader.step,
            **({"budget": cell(leader.budget)} if with_budget else {}),
            **{shown: cell(leader.params.get(name)) for name, shown in params.items()},
        }
        for rank, leader in enumerate(leaders, 1)
    ]


def leaderboard_note(title: str, shown: int, count: int, *, over: bool) -> str:
    """Return the text above the leaderboard.

    Args:
        title: The experiment's title.
        shown: Number of rows of the table.
        count: Number of trials that were compared.
        over: Whether the experiment is over.
    """
    which = f"the best {shown} of {count}" if shown < count else plural(count, "trial")
    note = f"Leaderboard of {escaped(title)}: {which}"
    return note if over else f"{note}; a trial that runs counts by its last report"
