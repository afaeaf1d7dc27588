"""Reads what an ablation study found. Pure: the caller has the content of its file."""

from __future__ import annotations

import json

from hopsml_flows.ablation.findings import Findings
from hopsml_flows.ablation.findings_file import findings_from_json

__all__ = ["EFFECTS_OF", "read_findings"]

EFFECTS_OF = ("ablation",)
"""Verbs whose experiments have a file of effects."""


def read_findings(content: str | bytes | None) -> Findings | None:
    """Return what a study found.

    Args:
        content: The file of effects; None if there is none. Anything may be wrong in it.

    Returns:
        None if there is none, or it cannot be read.

    Example:
        >>> read_findings("no JSON") is None
        True
    """
    if content is None:
        return None
    try:
        return findings_from_json(json.loads(content))
    except (ValueError, RecursionError):
        return None
