"""The effects of an ablation study as a table for the Prefect UI. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hopsml_flows.ablation.verdicts import Judged, short_number
from hopsml_flows.tracking.prefect.markdown import as_text

__all__ = ["effect_rows"]

_LONGEST = 200


def effect_rows(judged: Sequence[Judged]) -> list[dict[str, str]]:
    """Return the rows of the table.

    Args:
        judged: The effects with their verdicts, in the order of the rows.

    Example:
        >>> from hopsml_flows.ablation import Effect, Verdict
        >>> unknown = Judged(Effect(arm="feature age", repeats=0), Verdict.UNKNOWN, "unknown")
        >>> effect_rows([unknown])[0]["without"]
        'feature age'
    """
    return [
        {
            "without": as_text(one.effect.arm, _LONGEST),
            "effect": _number(one.effect.mean),
            "from": _number(one.effect.low),
            "to": _number(one.effect.high),
            "p (Holm)": _number(one.effect.p_holm),
            "repeats": str(one.effect.repeats),
            "parameters": "" if one.effect.parameters is None else f"{one.effect.parameters:,}",
            "seconds": _number(one.effect.seconds),
            "verdict": as_text(one.words, _LONGEST),
        }
        for one in judged
    ]


def _number(value: float | None) -> str:
    return "" if value is None else short_number(value)
