"""What the driver needs of that which runs its trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from hopsml_flows.cluster.runner import Owner
    from hopsml_flows.cluster.worker import Outcome
    from hopsml_flows.execution.report_link import Instruction
    from hopsml_flows.trials import Trial, TrialReported, TrialResult

__all__ = ["Submission", "TrialRuns"]


class Submission(Protocol):
    """One submitted trial."""

    @property
    def task_run_id(self) -> UUID:
        """Identifier of the submission; unique in the experiment."""
        ...

    def outcome(self) -> Outcome:
        """What came of the trial, which has ended."""
        ...


class TrialRuns(Protocol):
    """What runs the trials that the driver submits."""

    @property
    def slots(self) -> int:
        """Trials that can run at once."""
        ...

    def submit(self, trial: Trial, owner: Owner | None) -> Submission:
        """Start a trial, or queue it until a slot is free.

        Args:
            trial: The trial.
            owner: The flow run that it belongs to; None for the experiment's.
        """
        ...

    def next_done(self, seconds: float) -> Sequence[Submission]:
        """Wait until a trial has ended; return all that have and were not returned before.

        Args:
            seconds: Longest wait.
        """
        ...

    def stop(self, trial: Trial) -> None:
        """End a running or queued trial. Its processes end soon; then its slot is free.

        :meth:`next_done` returns its submission, with a
        :class:`~hopsml_flows.errors.TrialStoppedError` as the outcome's error. A trial that has
        ended already keeps its own outcome.

        Args:
            trial: The trial, in the attempt that was submitted.
        """
        ...

    def reported(self) -> list[TrialReported]:
        """Take what running trials have reported since the last call.

        :meth:`next_done` returns when something has come.
        """
        ...

    def instruct(self, instruction: Instruction) -> None:
        """Tell a running trial something, without waiting until it has heard.

        Args:
            instruction: What to tell it.
        """
        ...

    def confirm(self, submission: Submission, result: TrialResult) -> None:
        """Take note that a trial whose worker died had committed its result before.

        Args:
            submission: The trial's submission, which :meth:`next_done` has returned.
            result: The result.
        """
        ...

    def close(self) -> None:
        """Remove what trials that have ended left on workers, and take no further reports."""
        ...
