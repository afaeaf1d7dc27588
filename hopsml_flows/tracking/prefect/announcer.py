"""Tells Prefect how an experiment stands: artifacts that follow it, and events.

The one thing of the driver's that speaks of results to the server; it holds nothing up.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from hopsml_flows.tracking.prefect.artifacts import ArtifactWriter
from hopsml_flows.tracking.prefect.events import EventSender
from hopsml_flows.trials import State

if TYPE_CHECKING:
    from hopsml_flows.search import Direction
    from hopsml_flows.tracking.record import RecordFile
    from hopsml_flows.trials import Counts, TrialResult

__all__ = ["Announcer"]

_CLOSE_SECONDS = 10.0
_HURRIED_SECONDS = 3.0
"""Whoever cancels a run gives it some 30 seconds, for all that it has to do."""


class Announcer:
    """Announces one experiment, from its beginning to its end, in its flow run.

    Args:
        record: The experiment's record; at the end it has the end.
        directory: The experiment's directory, as a path or a URL without a password.
        direction: Which way is better, or None.
        tensorboard: URL of the TensorBoard that shows it, or None.
    """

    def __init__(
        self,
        record: RecordFile,
        *,
        directory: str,
        direction: Direction | None,
        tensorboard: str | None,
    ) -> None:
        self._record = record
        self._artifacts = ArtifactWriter(
            lambda: record.record,
            directory=directory,
            direction=direction,
            tensorboard=tensorboard,
        )
        self._events = EventSender(directory, tensorboard)
        self._best: TrialResult | None = None

    def __enter__(self) -> Announcer:
        self._artifacts.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._record.record.state is not State.RUNNING:  # it never came to begin
            self._events.ended(self._record.record, self._best)
        hurried = error is not None and not isinstance(error, Exception)
        self._artifacts.close(_HURRIED_SECONDS if hurried else _CLOSE_SECONDS)

    def stands(self, counts: Counts, best: TrialResult | None) -> None:
        """Take in where the experiment stands.

        Args:
            counts: How far it is.
            best: The best trial so far.
        """
        self._artifacts.update(counts, best)

    def earlier(self, counts: Counts, best: TrialResult | None, result: TrialResult) -> None:
        """Take in a result of an earlier run of the experiment, which was announced then.

        Args:
            counts: How far the experiment is.
            best: The best trial so far.
            result: The result.
        """
        self._best = best
        self._artifacts.update(counts, best, result)

    def took(self, counts: Counts, best: TrialResult | None, result: TrialResult) -> None:
        """Take in a result that has just come.

        Args:
            counts: How far the experiment is.
            best: The best trial so far.
            result: The result.
        """
        before, self._best = self._best, best
        self._artifacts.update(counts, best, result)
        if not result.succeeded:
            self._events.trial_failed(self._record.record, result)
        elif best is result and result.metric is not None:
            self._events.best_improved(self._record.record, result, before)

    def show(self, pictures: Mapping[str, bytes]) -> None:
        """Take in pictures of the experiment.

        Args:
            pictures: File name to PNG.
        """
        self._artifacts.show(pictures)
