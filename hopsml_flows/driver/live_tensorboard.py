"""The TensorBoard of a running experiment: it starts and ends with it.

If there can be none, a warning says so, and the trials run.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from hopsml_flows.board import HOST_VARIABLE, Board, Shown, host
from hopsml_flows.errors import ExperimentTakenOverError
from hopsml_flows.plan.plan import Plan
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.storage.retries import answer_limit
from hopsml_flows.storage.time_limit import within
from hopsml_flows.tracking import Progress
from hopsml_flows.user_warnings import warn

__all__ = ["ShownExperiment"]


class ShownExperiment:
    """The TensorBoard of one experiment, as a context that ends it.

    Args:
        plan: The experiment.
        paths: Its paths.
    """

    def __init__(self, plan: Plan, paths: ExperimentPaths) -> None:
        self._project = plan.options.project
        self._wanted = plan.options.tensorboard
        self._trials = plan.trials
        self._resumed = plan.options.resume is not None
        self._paths = paths
        self._board: Board | None = None

    @property
    def url(self) -> str | None:
        """Its address once it has started, or None if there is no TensorBoard."""
        return self._board.url if self._board else None

    def __enter__(self) -> ShownExperiment:
        if self._resumed:  # a driver that was killed left its URL
            self._withdraw()
        if self._wanted:
            shown = Shown.experiments(self._project, [self._paths], self._trials)
            shown = replace(shown, runs=True)
            try:
                self._board = Board(shown, host=host())
            except OSError as error:
                _warn(f"it cannot listen on {host()!r} ({error}), which {HOST_VARIABLE} may change")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._board is not None:
            self._board.close()
            if not isinstance(error, ExperimentTakenOverError):  # it would be the other driver's
                self._withdraw()

    def start(self, progress: Progress) -> None:
        """Start it in the background. The experiment's directory must exist.

        Args:
            progress: Shows its URL.
        """
        if self._board is None:
            return
        self._board.start()
        url, path = self._board.url, self._paths.tensorboard
        progress.note(f"TensorBoard: {url}")
        try:
            within(answer_limit(self._project), lambda: self._project.replace(path, url))
        except Exception as error:  # each file system has errors of its own
            _warn(f"its URL could not be written to {path} ({type(error).__name__}: {error})")

    def _withdraw(self) -> None:
        """Remove the URL from storage, if it is there and storage allows it."""
        path = self._paths.tensorboard
        with suppress(Exception):
            within(answer_limit(self._project), lambda: self._project.remove(path))


def _warn(reason: str) -> None:
    warn(f"TensorBoard: {reason}")
