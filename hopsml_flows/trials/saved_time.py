"""An estimate of the time that stopping trials early saves. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopsml_flows.trials.model import State

if TYPE_CHECKING:
    from hopsml_flows.trials.model import TrialResult

__all__ = ["SavedTime"]


class SavedTime:
    """Compares the trials that were stopped early with those that came to their end.

    Attributes:
        stopped: Trials that were stopped early.

    Example:
        >>> from hopsml_flows.trials import State, TrialResult
        >>> saved = SavedTime()
        >>> saved.add(TrialResult(1, "0001", {}, State.FINISHED, started=0.0, ended=60.0))
        >>> saved.add(TrialResult(2, "0002", {}, State.STOPPED, started=0.0, ended=15.0))
        >>> saved.stopped, saved.seconds
        (1, 45.0)
    """

    def __init__(self) -> None:
        self.stopped = 0
        self._whole = 0
        self._stopped_seconds = self._whole_seconds = 0.0

    def add(self, result: TrialResult) -> None:
        """Add a trial that succeeded.

        Args:
            result: Its result.
        """
        if result.state is State.STOPPED:
            self.stopped += 1
            self._stopped_seconds += result.duration
        else:
            self._whole += 1
            self._whole_seconds += result.duration

    @property
    def seconds(self) -> float:
        """Seconds saved, at the mean duration of trials that were not stopped."""
        if not self._whole:
            return 0.0
        mean = self._whole_seconds / self._whole
        return max(0.0, self.stopped * mean - self._stopped_seconds)
