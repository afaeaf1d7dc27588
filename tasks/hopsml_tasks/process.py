"""The task of one process of a distributed trial, as it appears in the Prefect UI."""

from __future__ import annotations

import pickle
from typing import Any

import distributed
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Crashed

from hopsml_flows.errors import WorkerLostError
from hopsml_flows.execution import EventMakers, Job
from hopsml_flows.execution.group import Process, supervise
from hopsml_flows.execution.process.messages import Listener
from hopsml_flows.tracking import end_events, trial_events
from hopsml_flows.tracking.prefect.task_logs import task_run_sender
from hopsml_flows.trials import Phase, Trial
from hopsml_tasks.abandoned import abandoned
from hopsml_tasks.ends import ended_with
from hopsml_tasks.report_sender import report_sender

__all__ = ["process"]


@task(name="process", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def process(job: Job, name: str, packed: bytes) -> Any:  # noqa: ARG001 - the run's name
    """Run one process of a distributed trial, on a worker that has reserved a seat for it.

    Args:
        job: What the experiment's trials share.
        name: Which process of which trial; the task run is named so.
        packed: The pickled pair of :class:`Trial` and :class:`Process`.

    Returns:
        How it ended; where it was stopped with its group, or died, a state that says so.

    Raises:
        TrialFailedError: The training function failed in this process.
    """
    trial: Trial
    member: Process
    trial, member = pickle.loads(packed)  # from this run's own driver
    worker = distributed.get_worker()
    report = supervise(
        job,
        trial,
        member,
        worker.address,
        EventMakers(trial_events, end_events),
        abandoned=abandoned(worker),
        listener=Listener(
            task_run_sender(), report_sender(worker, job, trial) if member.leads else None
        ),
        memory_limit=worker.memory_manager.memory_limit,
    )
    if report.phase is Phase.STOPPED:
        return Cancelled(message=report.reason)
    if report.phase is Phase.DIED:
        return Crashed(message=report.reason, data=WorkerLostError(report.reason))
    return None if report.result is None else ended_with(report.result)
