"""What a study found as strict JSON, as its directory has it; and back. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hopsml_flows.ablation.components import BASE
from hopsml_flows.ablation.effects import Effect
from hopsml_flows.ablation.findings import Costs, Findings
from hopsml_flows.ablation.paired import Estimate
from hopsml_flows.ablation.pairs import Interaction
from hopsml_flows.ablation.verdicts import Judged, Verdict
from hopsml_flows.search import Direction
from hopsml_flows.text import unicode_text
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import is_finite

__all__ = ["findings_from_json", "findings_json"]

_FIGURES = ("mean", "deviation", "low", "high", "p", "p_sign_flip")


def findings_json(found: Findings) -> dict[str, Any]:
    """Return all that a study found as strict JSON.

    Args:
        found: What it found.

    Example:
        >>> content = findings_json(Findings({"base": {1: 0.5}}, {}, (), (), Direction.MAX))
        >>> content["metrics"], findings_from_json(content).metrics_by_arm
        ({'base': {'1': 0.5}}, {'base': {1: 0.5}})
    """
    return {
        "base": BASE,
        "direction": found.direction.value,
        "metric": unicode_text(found.metric),
        "alpha": found.alpha,
        "sequential": found.is_sequential,
        "base_parameters": found.base.parameters,
        "base_seconds": found.base.seconds,
        "metrics": {
            unicode_text(arm): {str(repeat): _number(value) for repeat, value in metrics.items()}
            for arm, metrics in found.metrics_by_arm.items()
        },
        "effects": [
            {
                "arm": unicode_text(one.effect.arm),
                "verdict": one.verdict.value,
                "words": one.words,
                "repeats_needed": one.needed,
                **_figures(one.effect),
                "p_holm": one.effect.p_holm,
                "p_sign_flip_holm": one.effect.p_sign_flip_holm,
                "compared": one.effect.compared,
                "unpaired": list(one.effect.unpaired),
                "parameters": one.effect.parameters,
                "seconds": one.effect.seconds,
            }
            for one in found.effects
        ],
        "interactions": [
            {
                "arm": unicode_text(pair.arm),
                "parts": list(map(unicode_text, pair.parts)),
                "words": pair.words(found.alpha),
                **_figures(pair),
                "p_holm": pair.p_holm,
                "compared": pair.compared,
            }
            for pair in found.interactions
        ],
    }


def findings_from_json(content: Any) -> Findings:
    """Return what :func:`findings_json` has written.

    Args:
        content: What was read. Entries that another version has added are passed over, and those
            that only a later version writes may be missing.

    Raises:
        ValueError: It is not such a content.

    Example:
        >>> findings_from_json({"effects": [
        ...     {"arm": "a", "repeats": 0, "verdict": "unknown", "words": "unknown"}
        ... ]}).effects[0].verdict.value
        'unknown'
    """
    try:
        pairs = tuple(_interaction(entry) for entry in content.get("interactions") or ())
        alpha = content.get("alpha")
        metric = content.get("metric")
        return Findings(
            {
                _text(arm): {int(repeat): _checked(value) for repeat, value in metrics.items()}
                for arm, metrics in (content.get("metrics") or {}).items()
            },
            {pair.arm: pair.parts for pair in pairs},
            tuple(_judged(entry) for entry in content["effects"]),
            pairs,
            Direction.parse(content.get("direction", Direction.MAX.value)),
            metric if isinstance(metric, str) else "metric",
            float(alpha) if is_number(alpha) and 0 < alpha < 1 else 0.05,
            Costs(_count(content, "base_parameters"), _float(content, "base_seconds")),
            content.get("sequential") is True,
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"these are no effects ({type(error).__name__}: {error})") from error


def _figures(found: Estimate) -> dict[str, Any]:
    return {"repeats": found.repeats, **{name: _number(getattr(found, name)) for name in _FIGURES}}


def _number(value: float | None) -> float | None:
    """A number that strict JSON has; sums of the largest floats are none."""
    return value if value is not None and math.isfinite(value) else None


def _judged(entry: Mapping[str, Any]) -> Judged:
    effect = Effect(
        arm=_text(entry["arm"]),
        **_read_figures(entry),
        p_holm=_float(entry, "p_holm"),
        p_sign_flip_holm=_float(entry, "p_sign_flip_holm"),
        compared=_count(entry, "compared") or 0,
        unpaired=tuple(map(int, entry.get("unpaired") or ())),
        parameters=_count(entry, "parameters"),
        seconds=_float(entry, "seconds"),
    )
    words, needed = _text(entry["words"]), _count(entry, "repeats_needed")
    return Judged(effect, Verdict(entry["verdict"]), words, needed)


def _interaction(entry: Mapping[str, Any]) -> Interaction:
    one, other = map(_text, entry["parts"])
    return Interaction(
        arm=_text(entry["arm"]),
        parts=(one, other),
        **_read_figures(entry),
        p_holm=_float(entry, "p_holm"),
        compared=_count(entry, "compared") or 0,
    )


def _read_figures(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "repeats": _count(entry, "repeats") or 0,
        **{name: _float(entry, name) for name in _FIGURES},
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _checked(value: Any) -> float:
    if not is_number(value) or not is_finite(value):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _float(entry: Mapping[str, Any], name: str) -> float | None:
    return None if entry.get(name) is None else _checked(entry[name])


def _count(entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    if value is not None and not is_whole(value):
        raise TypeError(f"{name} is no whole number")
    return None if value is None else int(value)
