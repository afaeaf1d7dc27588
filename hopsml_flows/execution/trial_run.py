"""Run a whole trial on a worker: write its files, call its function, commit its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from hopsml_flows.execution.call import Place, evaluate
from hopsml_flows.execution.files.staging import Staging
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.streams import LineSink
from hopsml_flows.storage import TrialFiles
from hopsml_flows.trials import Trial, TrialResult
from hopsml_flows.values.plain import json_value

__all__ = ["EventMakers", "run_trial"]

SHOWN_SECONDS = 0.5
"""A trial on remote storage first appears after so long: short ones upload their files once."""


@dataclass(frozen=True, slots=True)
class EventMakers:
    """Functions that make a trial's event files. The caller passes them in: they need TensorBoard.

    Args:
        start: Makes the event file for the start of a trial.
        end: Makes the event file for its end.
    """

    start: Callable[[Job, Trial], bytes]
    end: Callable[[TrialResult], bytes]


def run_trial(
    job: Job,
    trial: Trial,
    staging: Staging,
    place: Place,
    events: EventMakers,
    sink: LineSink | None = None,
) -> TrialResult:
    """Run a trial and upload its files to the project.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        staging: Its files; closed at the end.
        place: Where it runs.
        events: Makes its event files.
        sink: Also receives the lines of the trial's log, or None.

    Returns:
        The trial's result, also if the function failed.
    """
    try:
        params = json_value("parameters", trial.params)
        staging.write(TrialFiles.HPARAMS, json.dumps(params, indent=1))
        staging.write(TrialFiles.EVENTS_START, events.start(job, trial))
        staging.sync_also_in(SHOWN_SECONDS)
        result = evaluate(job, trial, staging, place, sink)
        staging.write(TrialFiles.EVENTS_END, events.end(result))
        return staging.commit(result)
    finally:
        staging.close()
