"""A trial on a worker, whole: its files are written, its function called, its result committed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from hopsml_flows.execution.call import Job, Place, evaluate
from hopsml_flows.execution.files.staging import Staging
from hopsml_flows.execution.output.streams import LineSink
from hopsml_flows.storage import TrialFiles
from hopsml_flows.trials import Trial, TrialResult
from hopsml_flows.values.plain import json_value

__all__ = ["EventMakers", "run_trial"]

SHOWN_SECONDS = 0.5
"""A trial on remote storage that is younger is not shown; bringing its files twice costs time."""


@dataclass(frozen=True, slots=True)
class EventMakers:
    """What makes a trial's event files; it comes from outside, since TensorBoard does.

    Args:
        start: Makes the event file of a trial that begins.
        end: Makes the event file of one that is over.
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
    """Run a trial and bring its files to the project.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        staging: Its files; closed at the end.
        place: Where it runs.
        events: Makes its event files.
        sink: Who gets the lines of its log besides the file, or None.

    Returns:
        Its result, also where the function failed.
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
