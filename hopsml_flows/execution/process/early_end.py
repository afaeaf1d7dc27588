"""What comes of a trial whose process was ended: it swallowed every request to stop early."""

from __future__ import annotations

import time

from hopsml_flows.errors import EarlyStopError
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.process.handle import Unheeded
from hopsml_flows.storage import TrialFiles
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.trials import DEFAULT_KEY, Failure, State, Trial, TrialResult, commit_text

__all__ = ["SWALLOWED", "end_early"]

SWALLOWED = "the training function swallowed every request to stop early"
"""Why the process was ended, for its log."""


def end_early(job: Job, trial: Trial, unheeded: Unheeded, began: float) -> TrialResult:
    """Commit what the trial had when its process was ended: its last finite report.

    Args:
        job: What the experiment's trials share.
        trial: The trial, whose process has ended.
        unheeded: The request that it swallowed, and its last report.
        began: When it began, seconds since the epoch.

    Returns:
        The trial's result; a failed one if it has reported nothing finite.

    Raises:
        Exception: Storage's error, if it did not take the commit.
    """
    if unheeded.last is None:
        message = f"{unheeded.why}; {SWALLOWED}, and reported no finite number"
        failure = Failure(EarlyStopError.__name__, message)
        return TrialResult.without_report(trial, failure, started=began, ended=time.time())
    step, metric = unheeded.last
    result = TrialResult(
        number=trial.number,
        name=trial.name,
        params=trial.params,
        state=State.STOPPED,
        metric=metric,
        outputs={job.optimization_key or DEFAULT_KEY: metric},
        directory=trial.directory,
        attempt=trial.attempt,
        started=began,
        ended=time.time(),
        generation=trial.generation,
        step=step,
        budget=trial.budget,
        why_stopped=unheeded.why,
        seed=job.trial_seed(trial),
        repeat=trial.repeat,
    )
    target = job.paths.trial(trial.directory, TrialFiles.OUTPUTS)
    content = commit_text(result, files=())
    persistently(lambda: job.project.replace(target, content), limit=answer_limit(job.project))
    return result
