"""What an ablation study found, for a page. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from hopsml_flows.ablation.report import effects_from_json, effects_html
from hopsml_flows.values.arguments import is_number

__all__ = ["EFFECTS_OF", "effects_panel"]

EFFECTS_OF = ("ablation",)
"""Verbs whose experiments have a file of effects."""


def effects_panel(content: str | bytes | None) -> Markup | None:
    """Return the effects of a study as a part of a page, in which all texts are escaped.

    Args:
        content: The file of effects; None if there is none. Anything may be wrong in it.

    Returns:
        None if there are no effects, or they cannot be read.

    Example:
        >>> told = {"arm": "<b>", "repeats": 0, "verdict": "unknown", "words": "unknown"}
        >>> panel = effects_panel(json.dumps({"effects": [told]}))
        >>> "<b>" in panel, "&lt;b&gt;" in panel
        (False, True)
    """
    if content is None:
        return None
    try:
        read: Any = json.loads(content)
        judged = effects_from_json(read)
    except (ValueError, RecursionError):
        return None
    if not judged or not isinstance(read, Mapping):
        return None
    metric, alpha = read.get("metric"), read.get("alpha")
    return Markup(
        effects_html(
            judged,
            metric=metric if isinstance(metric, str) else "metric",
            alpha=float(alpha) if is_number(alpha) and 0 < alpha < 1 else 0.05,
        )
    )
