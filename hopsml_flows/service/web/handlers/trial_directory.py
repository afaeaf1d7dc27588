"""Where the files of a trial are, as far as its experiment's summary says it."""

from __future__ import annotations

from hopsml_flows.service.index import ExperimentEntry
from hopsml_flows.trials import TrialResult

__all__ = ["has_directory"]


def has_directory(entry: ExperimentEntry, trial: TrialResult) -> bool:
    """Whether a trial's files are known: in its own directory, or in that of its experiment.

    Only a single trial has the experiment's. In older summaries trials may have names that tell no
    directory; the files of the whole experiment are not theirs.

    Args:
        entry: The trial's experiment.
        trial: The trial.
    """
    total = (entry.record.trials_total if entry.record else None) or 0
    return bool(trial.directory) or max(entry.told + entry.unread, total) <= 1
