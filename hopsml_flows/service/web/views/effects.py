"""What an ablation study found, for a page. Pure."""

from __future__ import annotations

from markupsafe import Markup

from hopsml_flows.ablation.page_part import findings_html
from hopsml_flows.service.stored_findings import read_findings

__all__ = ["effects_panel"]


def effects_panel(content: str | bytes | None) -> Markup | None:
    """Return what a study found as a part of a page, in which all texts are escaped.

    Args:
        content: The file of effects; None if there is none. Anything may be wrong in it.

    Returns:
        None if there are no effects, or they cannot be read.

    Example:
        >>> import json
        >>> told = {"arm": "<b>", "repeats": 0, "verdict": "unknown", "words": "unknown"}
        >>> panel = effects_panel(json.dumps({"effects": [told]}))
        >>> "<b>" in panel, "&lt;b&gt;" in panel
        (False, True)
    """
    found = read_findings(content)
    return None if found is None or not found.effects else Markup(findings_html(found))
