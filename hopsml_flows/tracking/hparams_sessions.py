"""Write HParams events for trials that could not, because their workers are gone.

A trial writes the events of its start and its end. If its process dies in between, TensorBoard
would show it as running forever. The driver then writes the missing events from threads, and never
fails because of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.storage.retries import answer_limit, persistently, replace_file
from hopsml_flows.tracking.hparams import end_events, start_events
from hopsml_flows.trials import Failure, Trial, TrialResult

__all__ = ["Sessions"]

_PARALLEL = 8
"""Files written at once; a remote store takes tens of milliseconds per file."""

_HURRY_SECONDS = 5.0
"""Longest wait for unavailable storage after the user has stopped the experiment."""

_logger = logging.getLogger(__name__)


class Sessions:
    """Writes and removes HParams events of an experiment's trials, for the driver.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        texts: Hyperparameters whose values are shown as text.
    """

    def __init__(self, project: Project, paths: ExperimentPaths, texts: Collection[str]) -> None:
        self._project = project
        self._paths = paths
        self._texts = texts
        self._pool: ThreadPoolExecutor | None = None

    def forget(self, directories: Iterable[str]) -> None:
        """Delete the events of trials that will run again, and wait until they are deleted.

        Call this before TensorBoard starts: it keeps the first status that it reads.

        Args:
            directories: The trials' directories, relative to the experiment's.
        """
        for directory in directories:
            for name in (TrialFiles.EVENTS_START, TrialFiles.EVENTS_END):
                self._later(partial(self._remove, self._paths.trial(directory, name)))
        self.close()

    def end(self, trial: Trial, result: TrialResult) -> None:
        """Write in a thread that a trial ended, and that it began if it has not said so itself.

        Args:
            trial: The trial.
            result: Its result.
        """
        self._later(partial(self._write, trial, result))

    def fail_running(self, trials: Iterable[Trial]) -> None:
        """Write that trials failed which ran when the experiment was stopped, and wait for it.

        Args:
            trials: Submitted trials. Those that have not begun, or have ended, stay as they are.
        """
        for trial in trials:
            self._later(partial(self._stop, trial))
        self.close()

    def close(self) -> None:
        """Wait until all events are written."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _later(self, action: Callable[[], None]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_PARALLEL, "hopsml-sessions")
        self._pool.submit(_quietly, action)

    def _write(self, trial: Trial, result: TrialResult) -> None:
        start, end = self._files(trial)
        if not persistently(partial(self._project.exists, start), limit=self._limit):
            directory = self._paths.trial(trial.directory)
            persistently(partial(self._project.make_directory, directory), limit=self._limit)
            replace_file(self._project, start, start_events(trial, self._texts))
        replace_file(self._project, end, end_events(result))

    def _stop(self, trial: Trial) -> None:
        start, end = self._files(trial)
        content = end_events(TrialResult.without_report(trial, Failure("Killed", "")))

        def stop() -> None:
            if self._project.exists(start) and not self._project.exists(end):
                self._project.replace(end, content)

        persistently(stop, patience=_HURRY_SECONDS, limit=_HURRY_SECONDS)

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            persistently(partial(self._project.remove, path), limit=self._limit)

    def _files(self, trial: Trial) -> tuple[str, str]:
        """Return the paths of the event files of a trial's start and end."""
        return (
            self._paths.trial(trial.directory, TrialFiles.EVENTS_START),
            self._paths.trial(trial.directory, TrialFiles.EVENTS_END),
        )

    @property
    def _limit(self) -> float | None:
        return answer_limit(self._project)


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:  # the experiment matters more than TensorBoard's table
        _logger.warning(
            "TensorBoard may show a trial that is over as running (%s: %s)",
            type(error).__name__,
            error,
        )
