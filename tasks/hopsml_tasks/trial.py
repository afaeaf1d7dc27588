"""The task of one trial, as it appears in the Prefect UI."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import distributed
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Crashed

from hopsml_flows.errors import WorkerLostError
from hopsml_flows.execution import (
    IN_DRIVER,
    EventMakers,
    Job,
    Place,
    Staging,
    read_committed,
    run_trial,
)
from hopsml_flows.execution.credentials import kept_through, receive
from hopsml_flows.execution.process import Lost, Order, Supervisor
from hopsml_flows.execution.process.clean_state import put_back
from hopsml_flows.execution.process.messages import Listener
from hopsml_flows.execution.trial_seeds import seeded
from hopsml_flows.storage import TrialFiles
from hopsml_flows.tracking import end_events, trial_events
from hopsml_flows.tracking.prefect.task_logs import task_run_lines, task_run_sender
from hopsml_flows.tracking.prefect.task_run import TaskRunSurroundings
from hopsml_flows.trials import TrialResult
from hopsml_tasks.abandoned import abandoned
from hopsml_tasks.ends import ended_with
from hopsml_tasks.report_sender import report_sender

__all__ = ["trial"]

_EVENTS = EventMakers(trial_events, end_events)


@task(name="trial", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def trial(job: Job, name: str, packed: bytes) -> Any:  # noqa: ARG001 - the run's name
    """Evaluate the training function once, in a process that the worker keeps for that.

    Args:
        job: What the experiment's trials share.
        name: The trial's name; the task run is named so.
        packed: The pickled :class:`Order`; Prefect would walk through anything else, here and
            in the driver, in search of futures.

    Returns:
        The result of a trial that succeeded; where its process was lost, a state that says so.

    Raises:
        TrialFailedError: It failed; the exception carries the result.
    """
    order: Order = pickle.loads(packed)  # from this run's own driver
    receive(order.lent)
    # Where storage is remote, it is asked in any case: one that refuses is found out before hours
    # of training.
    if order.trial.may_have_begun or job.resumed or job.project.local_root is None:
        done = read_committed(job.project, job.paths, order.trial)
        if done is not None:
            return done
    if job.isolation == IN_DRIVER:
        seed = job.trial_seed(order.trial)
        with (
            kept_through(),
            put_back(of_driver=True),
            seeded(seed, libraries=job.seeds_libraries),
        ):
            return ended_with(
                _here(job, order, Place(worker="driver", in_driver=True, reporting=job.hear))
            )
    try:
        worker = distributed.get_worker()
    except ValueError:  # called directly, as a Prefect task may be
        return ended_with(_here(job, order, Place()))
    limit = worker.memory_manager.memory_limit
    supervisor = job.supervisor(lambda: Supervisor(job, worker.address, limit, _EVENTS))
    end = supervisor.run(
        replace(order, around=TaskRunSurroundings.current()),
        abandoned=abandoned(worker),
        listener=Listener(task_run_sender(), report_sender(worker, job, order.trial)),
    )
    if not isinstance(end, Lost):
        return ended_with(end)
    if end.abandoned:
        return Cancelled(message=end.reason)
    return Crashed(message=end.reason, data=WorkerLostError(end.reason))


def _here(job: Job, order: Order, place: Place) -> TrialResult:
    """Run a trial in this process, which other code shares."""
    staging = Staging(
        job.project,
        job.paths,
        order.trial,
        local_logdir=job.local_logdir,
        scratch=job.scratch,
        resumed=job.resumed,
        sync_interval=job.sync_interval,
    )
    log = job.project.full(job.paths.trial(order.trial.directory, TrialFiles.LOG))
    place = replace(place, values=lambda: pickle.loads(order.values))
    return run_trial(job, order.trial, staging, place, _EVENTS, task_run_lines(log))
