"""``.summary.json``: parameters and outputs of all trials, updated while the experiment runs.

The layout is HopsML's, ``{"combinations": [{"parameters": …, "outputs": …}]}``, with more keys per
combination. The time to rewrite it grows with the number of trials, and so do the intervals.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from hopsml_flows.storage.retries import replace_file
from hopsml_flows.trials.summary_entries import NOT_FINITE, OTHER_TYPES
from hopsml_flows.values.plain import FILE_LEVELS, json_value, lost_type, without_floats

if TYPE_CHECKING:
    from hopsml_flows.storage import ExperimentPaths, Project
    from hopsml_flows.trials import TrialResult

__all__ = ["Summary", "combination"]

_MIN_SECONDS = 2.0
_SHARE = 0.02
"""Largest share of the driver's time that goes into rewriting."""


class Summary:
    """Collects results, and rewrites the summary at intervals.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
    """

    def __init__(self, project: Project, paths: ExperimentPaths) -> None:
        self._project = project
        self._paths = paths
        self._lines: list[tuple[int, str]] = []
        self._due = 0.0
        self._written = -1

    @property
    def is_due(self) -> bool:
        """Whether there are new results and the interval has passed."""
        return self._written != len(self._lines) and time.monotonic() >= self._due

    def add(self, result: TrialResult, *, write: bool = True) -> None:
        """Add a result.

        Args:
            result: The result.
            write: Rewrite the file if that is due.
        """
        self._lines.append((result.number, json.dumps(combination(result), allow_nan=False)))
        if write and self.is_due:
            self.write()

    def write(self, *, patience: float | None = None) -> None:
        """Write all results so far, sorted by trial number.

        Args:
            patience: Seconds to retry while storage is unavailable; None for the default.
        """
        if self._written == len(self._lines):
            return
        began = time.monotonic()
        body = ",\n".join(line for _, line in sorted(self._lines))
        content = f'{{"combinations": [\n{body}\n]}}\n'
        replace_file(self._project, self._paths.summary, content, patience=patience)
        self._written = len(self._lines)
        now = time.monotonic()
        self._due = now + max(_MIN_SECONDS, (now - began) / _SHARE)


def combination(result: TrialResult) -> dict[str, Any]:
    """Return a result as an entry of the summary."""
    values, paths = without_floats(
        {
            "parameters": json_value("parameters", result.params, floats=True),
            "outputs": json_value("outputs", result.outputs, floats=True, levels=FILE_LEVELS),
        }
    )
    entry: dict[str, Any] = {
        **values,
        "trial": result.name,
        "state": result.state.value,
        "metric": result.metric,
        "attempt": result.attempt,
        "started": result.started,
        "ended": result.ended,
    }
    if not result.directory:  # the experiment's own; others are named after their trials
        entry["directory"] = ""
    optional = {
        "worker": result.worker or None,
        "generation": result.generation,
        "budget": result.budget,
        "continues": result.continues,
        "seed": result.seed,
        "repeat": result.repeat,
    }
    entry |= {name: value for name, value in optional.items() if value is not None}
    types = {name: kind for name, value in result.params.items() if (kind := lost_type(value))}
    entry |= {name: told for name, told in ((NOT_FINITE, paths), (OTHER_TYPES, types)) if told}
    if result.promotions:
        entry["why_promoted"] = [promoted.as_json() for promoted in result.promotions]
    if result.why_stopped is not None:
        entry["why_stopped"] = result.why_stopped.as_json()
    if result.failure is not None:
        entry["error"] = str(result.failure)
        if result.failure.place:
            entry["error_place"] = result.failure.place
    if result.warnings:
        entry["warnings"] = list(result.warnings)
    if result.lineage:
        entry["lineage"] = result.lineage.as_json()
    return entry
