"""The task of one trial, as it appears in the Prefect UI."""

from __future__ import annotations

import pickle

import distributed
from prefect import task
from prefect.cache_policies import NO_CACHE

from hopsml_flows.errors import TrialFailedError
from hopsml_flows.execution import EventMakers, Job, Place, Staging, carried_out, committed
from hopsml_flows.storage import TrialFiles
from hopsml_flows.tracking import end_events, trial_events
from hopsml_flows.tracking.run_logs import task_run_lines
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["trial"]


@task(name="trial", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def trial(job: Job, name: str, packed: bytes) -> TrialResult:  # noqa: ARG001 - the run's name
    """Evaluate the training function once.

    Args:
        job: What the experiment's trials share.
        name: The trial's name; the task run is named so.
        packed: The pickled :class:`Trial`; Prefect would walk through anything else, here and
            in the driver, in search of futures.

    Returns:
        The result of a trial that succeeded.

    Raises:
        TrialFailedError: It failed; the exception carries the result.
    """
    trial: Trial = pickle.loads(packed)  # from this run's own driver
    done = committed(job.project, job.paths, trial)
    if done is not None:
        return done
    staging = Staging(
        job.project,
        job.paths,
        trial,
        local_logdir=job.local_logdir,
        scratch=job.scratch,
        resumed=job.resumed,
        sync_interval=job.sync_interval,
    )
    log = job.project.full(job.paths.trial(trial.directory, TrialFiles.LOG))
    events = EventMakers(trial_events, end_events)
    result = carried_out(job, trial, staging, _place(), events, task_run_lines(log))
    if result.failure is not None:
        raise TrialFailedError(str(result.failure), result)
    return result


def _place() -> Place:
    try:
        worker = distributed.get_worker()
    except ValueError:  # called directly, as a Prefect task may be
        return Place()
    # A worker inside the driver's process has no nanny; nor may one of several threads be alone.
    alone = worker.state.nthreads == 1 and worker.nanny is not None
    return Place(worker.address, alone=alone, memory_limit=worker.memory_manager.memory_limit)
