"""Sends an experiment's progress and results to Prefect: artifacts, events, its run's name and log.

Only this part of the driver sends results to the server. It never makes the driver wait, except for
some seconds at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from hopsml_flows.tracking.prefect.artifacts import ArtifactWriter
from hopsml_flows.tracking.prefect.events import EventSender
from hopsml_flows.tracking.prefect.run_story import RunStory
from hopsml_flows.tracking.prefect.task_logs import flow_run_sender
from hopsml_flows.trials import State

if TYPE_CHECKING:
    from hopsml_flows.ablation.findings import Findings
    from hopsml_flows.search import Direction
    from hopsml_flows.tracking.record import RecordFile
    from hopsml_flows.trials import Counts, Generation, Trial, TrialResult
    from hopsml_flows.trials.confirmation import Confirmation, Promotion
    from hopsml_flows.trials.learning_curves import LearningCurves

__all__ = ["Announcer"]

_CLOSE_SECONDS = 10.0
_HURRIED_SECONDS = 3.0
"""A cancelled run has some 30 seconds to end, for all that it has to do."""


class Announcer:
    """Announces one experiment from its beginning to its end. Use it within the flow run.

    Args:
        record: The experiment's record. On exit it says how the experiment ended.
        directory: The experiment's directory, as a path or a URL without a password.
        direction: Which way is better, or None.
        tensorboard: URL of the TensorBoard that shows it, or None.
        run_name: Name that the flow run gets, unless the user has chosen one.
    """

    def __init__(
        self,
        record: RecordFile,
        *,
        directory: str,
        direction: Direction | None,
        tensorboard: str | None,
        run_name: str,
    ) -> None:
        self._record = record
        self._artifacts = ArtifactWriter(
            lambda: record.record,
            directory=directory,
            direction=direction,
            tensorboard=tensorboard,
            run_name=run_name,
        )
        self._directory = directory
        self._story = RunStory(flow_run_sender())
        self._events = EventSender(directory, tensorboard)
        self._best: TrialResult | None = None

    def __enter__(self) -> Announcer:
        self._artifacts.start()
        self._story.begin(self._record.record, self._directory)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._record.record.state is not State.RUNNING:  # else the driver never began
            self._events.send_ended(self._record.record, self._best)
            self._story.end(self._record.record, self._best)
        hurried = error is not None and not isinstance(error, Exception)
        self._artifacts.close(_HURRIED_SECONDS if hurried else _CLOSE_SECONDS)

    def follow(self, curves: LearningCurves) -> None:
        """Show who leads an asynchronous search, while it runs.

        Args:
            curves: The curves of all trials, which the driver keeps up to date.
        """
        self._artifacts.follow(curves)

    def update(self, counts: Counts, best: TrialResult | None) -> None:
        """Update the counts and the best trial.

        Args:
            counts: The counts of trials.
            best: The best trial so far, or None.
        """
        self._artifacts.update(counts, best)
        self._story.look()

    def add_earlier(self, counts: Counts, best: TrialResult | None, result: TrialResult) -> None:
        """Add a result of an earlier run of the experiment. Its events were sent then.

        Args:
            counts: The counts of trials.
            best: The best trial so far, or None.
            result: The result.
        """
        self._best = best
        self._artifacts.update(counts, best, result)

    def add(self, counts: Counts, best: TrialResult | None, result: TrialResult) -> None:
        """Add a new result, and send its events.

        Args:
            counts: The counts of trials.
            best: The best trial so far, or None.
            result: The result.
        """
        before, self._best = self._best, best
        self._artifacts.update(counts, best, result)
        if not result.succeeded:
            self._events.send_trial_failed(self._record.record, result)
            self._story.fail(result)
        elif best is result and result.metric is not None:
            self._events.send_best_improved(self._record.record, result, before)
            self._story.improve(result)
        self._story.explain(result)

    def begin_confirming(self, intention: str) -> None:
        """Tell that the search has ended, and trials that confirm its winner begin.

        Args:
            intention: Which ones, in words.
        """
        self._story.begin_confirming(intention)

    def add_confirming(self, result: TrialResult) -> None:
        """Tell why a trial failed that confirms the winner; nothing of one that succeeded.

        Args:
            result: Its result.
        """
        if not result.succeeded:
            self._story.fail(result)

    def add_retry(self, trial: Trial) -> None:
        """Tell that a trial runs again.

        Args:
            trial: The trial, as it will be submitted.
        """
        self._story.retry(trial)

    def close_generation(self, over: Generation) -> None:
        """Tell that a generation has ended.

        Args:
            over: The generation.
        """
        self._story.close_generation(over)

    def confirm(self, confirmation: Confirmation) -> None:
        """Tell what came of evaluating the winner again.

        Args:
            confirmation: The confirmation.
        """
        self._events.send_confirmed(self._record.record, confirmation)
        self._story.confirm(confirmation)

    def add_exports(self, result: TrialResult) -> None:
        """Tell which versions of models a trial exported.

        Args:
            result: Its result.
        """
        self._events.send_exports(self._record.record, result)

    def propose(self, promotion: Promotion) -> None:
        """Tell that a person is asked whether the winner becomes a version of a model.

        Args:
            promotion: What is proposed.
        """
        self._events.send_proposed(self._record.record, promotion)
        self._story.propose(promotion)

    def promote(
        self, promotion: Promotion, place: str | None, trial: TrialResult | None = None
    ) -> None:
        """Tell whether the winner became a version of a model.

        Args:
            promotion: The promotion.
            place: The version's directory, as a path or a URL without a password; None without.
            trial: The trial whose model it is, if it is known.
        """
        self._events.send_promotion(self._record.record, promotion, place, trial)
        self._story.promote(promotion)

    def finish(self) -> None:
        """Send the last state while the driver closes runner and cluster: the record is final."""
        self._artifacts.finish()

    def show(self, pictures: Mapping[str, bytes], found: Findings | None = None) -> None:
        """Show pictures of the experiment, when the block ends.

        Args:
            pictures: File name to PNG.
            found: What an ablation study found, for a table; None of another experiment.
        """
        self._artifacts.show(pictures, found)
