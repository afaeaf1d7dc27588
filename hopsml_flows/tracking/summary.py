"""``.summary.json``: parameters and outputs of all trials, kept current while running.

HopsML's layout, ``{"combinations": [{"parameters": …, "outputs": …}]}``, with more keys per
combination. Rewriting it costs time in proportion to the trials, so it is done ever more rarely.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from hopsml_flows.storage.retries import replace_file
from hopsml_flows.values.plain import FILE_LEVELS, json_value

if TYPE_CHECKING:
    from hopsml_flows.storage import ExperimentPaths, Project
    from hopsml_flows.trials import TrialResult

__all__ = ["Summary", "combination"]

_MIN_SECONDS = 2.0
_SHARE = 0.02
"""Largest share of the driver's time that goes into rewriting."""


class Summary:
    """Collects results and writes them now and then.

    Args:
        project: Where the experiment lies.
        paths: Its paths.
    """

    def __init__(self, project: Project, paths: ExperimentPaths) -> None:
        self._project = project
        self._paths = paths
        self._lines: list[tuple[int, str]] = []
        self._due = 0.0
        self._written = -1

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return self._written != len(self._lines) and time.monotonic() >= self._due

    def add(self, result: TrialResult, *, write: bool = True) -> None:
        """Take in a result.

        Args:
            result: The result.
            write: Write if it is time.
        """
        self._lines.append((result.number, json.dumps(combination(result), allow_nan=False)))
        if write and self.is_due:
            self.write()

    def write(self, *, patience: float | None = None) -> None:
        """Write all results so far, in the trials' order.

        Args:
            patience: Seconds to try again while storage is away; None for the usual.
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
    """A result as an entry of the summary."""
    entry: dict[str, Any] = {
        "parameters": json_value("parameters", result.params),
        "outputs": json_value("outputs", result.outputs, levels=FILE_LEVELS),
        "trial": result.name,
        "state": result.state.value,
        "metric": result.metric,
        "attempt": result.attempt,
        "started": result.started,
        "ended": result.ended,
    }
    if result.failure is not None:
        entry["error"] = str(result.failure)
    if result.warnings:
        entry["warnings"] = list(result.warnings)
    return entry
