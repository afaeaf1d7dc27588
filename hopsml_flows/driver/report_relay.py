"""The driver's end of the way that reports and instructions take."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hopsml_flows.cluster.trial_reports import TrialReports
from hopsml_flows.execution.report_link import Instruction
from hopsml_flows.trials import TrialReported

if TYPE_CHECKING:
    from hopsml_flows.cluster.runner import TrialTaskRunner
    from hopsml_flows.trials import Report, Trial

__all__ = ["ReportRelay", "new_topic"]

_AGAIN_SECONDS = 2.0
"""Time after which an instruction is repeated to a trial that still reports."""


def new_topic(experiment_id: str) -> str:
    """A topic for the reports of one run of an experiment: no other run hears of them.

    Args:
        experiment_id: The experiment's identifier.
    """
    return f"hopsml-reports-{experiment_id}-{uuid.uuid4().hex}"


@dataclass(slots=True)
class _Told:
    """What a trial was told last, and when."""

    instruction: Instruction
    at: float = field(default_factory=time.monotonic)


class ReportRelay:
    """Takes reports of trials on workers, and passes instructions on to them.

    Args:
        runner: Runs the trials; it is woken when reports come.
        topic: The topic of the reports.
    """

    def __init__(self, runner: TrialTaskRunner, topic: str) -> None:
        self._reports = TrialReports(runner.cluster, topic, runner.wake)
        self._workers: dict[int, tuple[int, str]] = {}  # attempt and worker of each trial
        self._told: dict[int, _Told] = {}

    @property
    def has_some(self) -> bool:
        """Whether there are reports to take."""
        return self._reports.have_come

    def take(self) -> list[TrialReported]:
        """Take the reports that have come since the last call; those of one trial together."""
        merged: dict[tuple[int, int], list[Report]] = {}
        for came in self._reports.take():
            event = came.event
            merged.setdefault((event.number, event.attempt), []).extend(event.reports)
            self._workers[event.number] = event.attempt, came.worker
        for number, attempt in merged:
            self._repeat(number, attempt)
        return [TrialReported(*trial, tuple(reports)) for trial, reports in merged.items()]

    def instruct(self, instruction: Instruction) -> None:
        """Tell a trial that has reported something.

        Args:
            instruction: What to tell it.
        """
        self._told[instruction.number] = _Told(instruction)
        self._send(instruction)

    def forget(self, trial: Trial) -> None:
        """Forget a trial that has ended."""
        self._workers.pop(trial.number, None)
        self._told.pop(trial.number, None)

    def close(self) -> None:
        """Take no further reports, and leave none on a scheduler that continues to run."""
        self._reports.close()

    def _repeat(self, number: int, attempt: int) -> None:
        """Tell a trial again what it may not have heard, since it goes on."""
        told = self._told.get(number)
        if told is None or told.instruction.stop is None or told.instruction.attempt != attempt:
            return
        if time.monotonic() > told.at + _AGAIN_SECONDS:
            told.at = time.monotonic()
            self._send(told.instruction)

    def _send(self, instruction: Instruction) -> None:
        attempt, worker = self._workers.get(instruction.number, (0, ""))
        if attempt == instruction.attempt:
            self._reports.instruct(worker, instruction)
