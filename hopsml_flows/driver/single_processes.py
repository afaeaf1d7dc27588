"""Trials of one process: each is one task run."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.driver.recent_value import RecentValue
from hopsml_flows.errors import TrialStoppedError
from hopsml_flows.execution import packed_values
from hopsml_flows.execution.credentials import published
from hopsml_flows.execution.process import Order
from hopsml_flows.values.plain import json_value
from hopsml_tasks import trial as trial_task

if TYPE_CHECKING:
    from uuid import UUID

    from hopsml_flows.cluster.futures import TrialFuture
    from hopsml_flows.cluster.open_cluster import OpenCluster
    from hopsml_flows.cluster.runner import Owner, TrialTaskRunner
    from hopsml_flows.cluster.worker import SharedRef
    from hopsml_flows.driver.report_relay import ReportRelay
    from hopsml_flows.driver.trial_runs import Submission
    from hopsml_flows.execution.report_link import Instruction
    from hopsml_flows.trials import Trial, TrialReported, TrialResult

__all__ = ["SingleRuns"]


class SingleRuns:
    """Runs trials that are one process each.

    Args:
        cluster: Where they run.
        runner: Submits their task runs.
        job: What they share, as workers have it.
        relay: Takes reports and passes instructions on; None if the driver wants no reports.
        by_value: Whether workers may lack the user's modules.
    """

    def __init__(
        self,
        cluster: OpenCluster,
        runner: TrialTaskRunner,
        job: SharedRef,
        relay: ReportRelay | None = None,
        *,
        by_value: bool,
    ) -> None:
        self._runner = runner
        self._job = job
        self._relay = relay
        self._by_value = by_value
        self._slots = RecentValue(lambda: cluster.slots)
        self._running: dict[UUID, tuple[Trial, TrialFuture[Any]]] = {}

    @property
    def slots(self) -> int:
        """Trials that can run at once."""
        return self._slots.get()

    def submit(self, trial: Trial, owner: Owner | None) -> TrialFuture[Any]:
        """Start a trial as soon as a worker is free.

        Args:
            trial: The trial.
            owner: The flow run that it belongs to; None for the experiment's.
        """
        # Workers may lack the classes of the values.
        image = json.loads(json.dumps(json_value("parameters", trial.params)))
        shown = replace(trial, params=image)
        order = Order(shown, packed_values(trial.params, by_value=self._by_value), lent=published())
        parameters = {"job": self._job, "name": trial.name, "packed": pickle.dumps(order)}
        future = self._runner.submit(trial_task, parameters, name=trial.name, owner=owner)
        self._running[future.task_run_id] = trial, future
        return future

    def next_done(self, seconds: float) -> list[TrialFuture[Any]]:
        """Wait until a trial has ended; return all that have and were not returned before.

        Args:
            seconds: Longest wait.
        """
        done = self._runner.next_done(seconds)
        if done:  # perhaps by the end of a worker
            self._slots.forget()
        for future in done:
            trial, _ = self._running.pop(future.task_run_id, (None, None))
            if self._relay is not None and trial is not None:
                self._relay.forget(trial)
        return done

    def stop(self, trial: Trial) -> None:
        """End a running or queued trial: its worker ends the training process.

        Args:
            trial: The trial.
        """
        for running, future in self._running.values():
            if running.number == trial.number:
                self._runner.stop(future, TrialStoppedError())

    def reported(self) -> list[TrialReported]:
        """Take what running trials have reported since the last call."""
        return [] if self._relay is None else self._relay.take()

    def instruct(self, instruction: Instruction) -> None:
        """Tell a running trial something.

        Args:
            instruction: What to tell it.
        """
        if self._relay is not None:
            self._relay.instruct(instruction)

    def confirm(self, submission: Submission, result: TrialResult) -> None:
        """Have Prefect show the task run of a trial that committed its result as Completed.

        Args:
            submission: The trial's submission, whose worker died.
            result: The result.
        """
        self._runner.complete(submission.task_run_id, result.started)

    def close(self) -> None:
        """Take no further reports. Trials of one process leave nothing behind on workers."""
        if self._relay is not None:
            self._relay.close()
