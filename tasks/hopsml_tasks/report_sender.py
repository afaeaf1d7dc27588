"""Sends what a trial reports from its worker to the driver."""

from __future__ import annotations

from collections.abc import Callable

import distributed

from hopsml_flows.cluster.trial_reports import report_message
from hopsml_flows.execution import Job
from hopsml_flows.trials import Trial

__all__ = ["report_sender"]


def report_sender(
    worker: distributed.Worker, job: Job, trial: Trial
) -> Callable[[tuple[tuple[int, float], ...]], None] | None:
    """What sends the reports of a trial; None if the driver wants none.

    Args:
        worker: The worker that runs the trial.
        job: What the experiment's trials share.
        trial: The trial.
    """
    topic = job.reports
    if topic is None:
        return None

    def send(reports: tuple[tuple[int, float], ...]) -> None:
        worker.log_event(
            topic, report_message(trial.number, trial.attempt, worker.address, reports)
        )

    return send
