"""Reports of trials on their way from workers to the driver, and instructions back.

Reports are Dask's structured events: a worker logs them under the experiment's topic, and the
scheduler passes them on to the driver. An instruction is a call on the worker that runs the trial.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hopsml_flows.cluster.scheduler_topics import delete_topic
from hopsml_flows.cluster.worker_calls import on_one_worker
from hopsml_flows.execution.addressees import instruct
from hopsml_flows.trials import Report, TrialReported

if TYPE_CHECKING:
    from hopsml_flows.cluster.open_cluster import OpenCluster
    from hopsml_flows.execution.report_link import Instruction

__all__ = ["ReportedFrom", "TrialReports", "report_message"]

_ANSWER_SECONDS = 10.0
"""Longest wait for a worker to take an instruction: its process may be stopped."""

_logger = logging.getLogger(__name__)


def report_message(
    number: int, attempt: int, worker: str, reports: tuple[tuple[int, float], ...]
) -> dict[str, Any]:
    """The event that a worker logs for reports of a trial.

    Args:
        number: The trial's number.
        attempt: Its attempt.
        worker: The worker's address.
        reports: Pairs of step and metric.
    """
    return {"trial": number, "attempt": attempt, "worker": worker, "reports": reports}


@dataclass(frozen=True, slots=True)
class ReportedFrom:
    """Reports of a trial, and where it runs.

    Args:
        worker: Address of its worker.
        event: The reports.
    """

    worker: str
    event: TrialReported


class TrialReports:
    """The reports of an experiment's trials, as they come.

    Args:
        cluster: The cluster.
        topic: The experiment's topic.
        wake: Called in a thread of the client when there are reports to take.
    """

    def __init__(self, cluster: OpenCluster, topic: str, wake: Callable[[], None]) -> None:
        self._client = cluster.client
        self._scheduler_stays = not cluster.owned
        self._topic = topic
        self._wake = wake
        self._came: deque[ReportedFrom] = deque()
        self._client.subscribe_topic(topic, self._hear)

    @property
    def have_come(self) -> bool:
        """Whether there are reports to take."""
        return bool(self._came)

    def take(self) -> list[ReportedFrom]:
        """Take the reports that have come since the last call, in order."""
        return [self._came.popleft() for _ in range(len(self._came))]

    def instruct(self, worker: str, instruction: Instruction) -> None:
        """Tell a trial something, without waiting until it has heard.

        Args:
            worker: Address of the worker that runs it.
            instruction: What to tell it. It has no effect if the trial does not run there now.
        """
        threading.Thread(
            target=self._send, args=(worker, instruction), name="hopsml-instruction", daemon=True
        ).start()

    def close(self) -> None:
        """Take no further reports, and leave none on a scheduler that continues to run."""
        try:
            self._client.unsubscribe_topic(self._topic)
            if self._scheduler_stays:
                delete_topic(self._client, self._topic)
        except Exception as error:  # it is gone, or runs no functions: there is nothing to do
            _logger.debug("the scheduler keeps the topic %s (%r)", self._topic, error)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        _, said = event
        reports = tuple(Report(float(metric), step) for step, metric in said["reports"])
        reported = TrialReported(said["trial"], said["attempt"], reports)
        self._came.append(ReportedFrom(said["worker"], reported))
        self._wake()

    def _send(self, worker: str, instruction: Instruction) -> None:
        try:
            on_one_worker(self._client, worker, _ANSWER_SECONDS, instruct, self._topic, instruction)
        except Exception as error:  # the worker is gone, or stands still: it will be asked again
            _logger.debug("worker %s took no instruction (%r)", worker, error)
