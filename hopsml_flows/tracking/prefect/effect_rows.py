"""The effects of an ablation study as a table for the Prefect UI. Pure."""

from __future__ import annotations

from hopsml_flows.ablation.cells import count_cell, number_cell, time_cell
from hopsml_flows.ablation.components import BASE
from hopsml_flows.ablation.findings import Findings
from hopsml_flows.tracking.prefect.markdown import as_text

__all__ = ["effect_rows"]

_LONGEST = 200


def effect_rows(found: Findings) -> list[dict[str, str]]:
    """Return the rows of the table: the arms, and last the base.

    Args:
        found: What the study found.

    Example:
        >>> from hopsml_flows.ablation import Effect, Judged, Verdict
        >>> from hopsml_flows.search import Direction
        >>> unknown = Judged(Effect(arm="feature age", repeats=0), Verdict.UNKNOWN, "unknown")
        >>> rows = effect_rows(Findings({}, {}, (unknown,), (), Direction.MAX))
        >>> [row["without"] for row in rows]
        ['feature age', 'base']
    """
    rows = [
        {
            "without": as_text(one.effect.arm, _LONGEST),
            "effect": number_cell(one.effect.mean),
            "from": number_cell(one.effect.low),
            "to": number_cell(one.effect.high),
            "p (Holm)": number_cell(one.effect.p_holm),
            "repeats": str(one.effect.repeats),
            "parameters": count_cell(one.effect.parameters),
            "time": time_cell(one.effect.seconds),
            "verdict": as_text(one.words, _LONGEST),
        }
        for one in found.effects
    ]
    base = dict.fromkeys(rows[0], "") if rows else {}
    costs = {
        "without": BASE,
        "parameters": count_cell(found.base.parameters),
        "time": time_cell(found.base.seconds),
        "verdict": "leaves nothing out",
    }
    return [*rows, {**base, **costs}] if rows else []
