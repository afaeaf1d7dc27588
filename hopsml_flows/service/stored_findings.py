"""Reads what an ablation study found. Pure: the caller has the content of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hopsml_flows.ablation.findings import Findings
from hopsml_flows.ablation.findings_file import findings_from_json

if TYPE_CHECKING:
    from hopsml_flows.tracking import ExperimentRecord

__all__ = ["is_study", "read_findings"]

_OPTION = "interactions"


def is_study(record: ExperimentRecord | None) -> bool:
    """Whether an experiment is an ablation study, and has a file of effects once it is over.

    Args:
        record: Its record; None if there is none that can be read.
    """
    # Maggy's verb runs studies, too; only they have this option.
    return record is not None and (record.function == "ablation" or _OPTION in record.options)


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
