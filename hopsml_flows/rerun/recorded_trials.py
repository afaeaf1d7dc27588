"""The trials that an experiment records, with their values as they were, as far as that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hopsml_flows.service.stored_experiment import StoredExperiment
from hopsml_flows.service.stored_files import stored_summary
from hopsml_flows.trials import TrialResult, exact_values
from hopsml_flows.values.plain import NOT_FINITE

__all__ = ["RecordedTrial", "doubts_about", "recorded_trials"]


@dataclass(frozen=True, slots=True)
class RecordedTrial:
    """A trial that is run again.

    Args:
        result: Its result; of a trial without one, what it began with.
        has_result: Whether there is a result to compare with.
        notes: In what its hyperparameters may differ from those that it had.
    """

    result: TrialResult
    has_result: bool = True
    notes: tuple[str, ...] = ()


def recorded_trials(experiment: StoredExperiment) -> tuple[RecordedTrial, ...]:
    """Return the trials of an experiment that have ended, by number.

    Args:
        experiment: The experiment.

    Raises:
        StorageUnavailableError: Storage refuses its summary, or did not answer in time.
    """
    found = []
    for _, result, entry, _ in stored_summary(experiment.project, experiment.id).trials:
        values = exact_values(json.loads(entry))
        lost = (f"{name} ({kind}) is given as JSON has it" for name, kind in values.types.items())
        exact = replace(result, params=values.params, outputs=values.outputs)
        found.append(RecordedTrial(exact, notes=(*lost, *doubts_about(values.params))))
    return tuple(sorted(found, key=lambda each: each.result.number))


def doubts_about(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield a note for each hyperparameter that may have been a number which JSON lacks.

    Args:
        params: The hyperparameters, of a file that does not tell.

    Example:
        >>> list(doubts_about({"x": "NaN", "y": "adam", "z": [1, "Infinity"]}))
        ['x has text that may have been a number', 'z has text that may have been a number']
    """
    for name, value in params.items():
        if _has_name_of_number(value):
            yield f"{name} has text that may have been a number"


def _has_name_of_number(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        inner = value.values() if isinstance(value, dict) else value
        return any(map(_has_name_of_number, inner))
    return isinstance(value, str) and value in NOT_FINITE
