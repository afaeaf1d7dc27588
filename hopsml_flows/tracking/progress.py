"""Show progress where the user started the experiment: a live line, plain lines, or nothing.

A display that cannot be drawn never stops an experiment.
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Self

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hopsml_flows.notebook import in_notebook
from hopsml_flows.text import fitting, readable, say
from hopsml_flows.tracking.console import open_console, printing
from hopsml_flows.tracking.progress_line import ProgressLine

if TYPE_CHECKING:
    from types import TracebackType

    from hopsml_flows.tracking.notebook_progress import NotebookProgress
    from hopsml_flows.trials import Counts, PageLink, TrialResult

__all__ = ["Progress", "open_progress", "show_start"]

_PLAIN_SECONDS = 5.0
_LIVE_SECONDS = 0.2


class Progress(ABC):
    """A display of an experiment's progress.

    Args:
        metric: Name of the metric.
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._began: float | None = None
        self._earlier = 0
        self._drawn = float("-inf")
        self._interval = _PLAIN_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def begin(self, counts: Counts) -> None:
        """Start the clock: the first trials are about to be submitted.

        Args:
            counts: The counts of trials; those that have ended did so in a run that is resumed.
        """
        self._began, self._earlier = time.monotonic(), counts.done

    def update(self, counts: Counts, best: TrialResult | None, *, force: bool = False) -> None:
        """Show the progress, unless it was drawn a moment ago.

        Args:
            counts: The counts of trials.
            best: The best trial so far, or None.
            force: Draw even so.
        """
        now = time.monotonic()
        if force or now - self._drawn >= self._interval:
            self._drawn = now
            elapsed = 0.0 if self._began is None else now - self._began
            self._draw(
                ProgressLine(counts, best, elapsed, metric=self._metric, earlier=self._earlier)
            )

    def note(self, text: str) -> None:
        """Print a line that is not redrawn.

        Args:
            text: The line.
        """
        say(readable(text))

    def show_links(self, links: Sequence[PageLink]) -> None:  # noqa: B027 - optional
        """Show links beside the progress, where a reader can click on them.

        Args:
            links: The links.
        """

    @abstractmethod
    def _draw(self, line: ProgressLine) -> None:
        """Draw the progress."""

    def _close(self) -> None:  # noqa: B027 - optional
        """Restore the terminal."""


class _Silent(Progress):
    def _draw(self, line: ProgressLine) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Print nothing."""


class _Plain(Progress):
    """Prints a line every few seconds, for logs and pipes."""

    def _draw(self, line: ProgressLine) -> None:
        say(line.whole)


_redirecting = threading.Lock()
"""Held by the one live line that redirects this process's stdout and stderr."""


class _LiveLine(Progress):
    """Redraws one line with a bar in place."""

    def __init__(self, console: Console, metric: str) -> None:
        super().__init__(metric)
        self._interval = _LIVE_SECONDS
        self._console = console
        self._redirects = False
        self._live: Live

    def __enter__(self) -> Self:
        # Redirected streams put what the driver prints above the line. A process has one pair of
        # streams, so only the first of several experiments in it redirects them.
        self._redirects = _redirecting.acquire(blocking=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=self._redirects,
            redirect_stderr=self._redirects,
        )
        with printing():
            self._live.start()
        return self

    def show(self, text: str) -> None:
        """Draw a text where the progress will be."""
        line = fitting(readable(text), self._console.file)
        with printing():
            self._live.update(Text(line, no_wrap=True, overflow=_cut(self._console)), refresh=True)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        shown = fitting(readable(text), self._console.file)
        with printing():
            self._console.print(shown, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def _draw(self, line: ProgressLine) -> None:
        row = Table.grid(padding=(0, 1))
        # The last column stays free: some terminals go on to the next line after it.
        bar, text = line.fitted(self._console.width - 1)
        shown = Text(fitting(text, self._console.file), no_wrap=True, overflow=_cut(self._console))
        counts = line.counts
        total = counts.total
        pulses = total is None
        if bar:
            row.add_row(
                ProgressBar(total=total or None, completed=counts.done, width=bar, pulse=pulses),
                shown,
            )
        else:
            row.add_row(shown)
        with printing():
            self._live.update(row, refresh=True)

    def _close(self) -> None:
        streams = sys.stdout, sys.stderr
        with printing():
            self._live.stop()
        if self._redirects:
            # Rich restores the streams that it found. Keep those that the user has set meanwhile.
            if not isinstance(streams[0], FileProxy):
                sys.stdout = streams[0]
            if not isinstance(streams[1], FileProxy):
                sys.stderr = streams[1]
            _redirecting.release()


def open_progress(*, show: bool, live: bool = True, metric: str = "metric") -> Progress:
    """Return a display: a live line in a notebook or a terminal, plain lines elsewhere.

    Args:
        show: False to show nothing.
        live: Whether a terminal may get a line that is redrawn.
        metric: Name of the metric.
    """
    if not show:
        return _Silent(metric)
    return _notebook_line(metric) or (_live_line(metric) if live else None) or _Plain(metric)


@contextmanager
def show_start(what: str, *, show: bool) -> Iterator[None]:
    """Show during the block what is being started, in a line that goes.

    Only a terminal and a notebook show it.

    Args:
        what: What is being started.
        show: False to show nothing.
    """
    line = (_notebook_line() or _live_line()) if show else None
    if line is None:
        yield
        return
    with line:
        line.show(f"Starting {what} …")
        yield


def _notebook_line(metric: str = "metric") -> NotebookProgress | None:
    """A line in an output of a notebook's cell; None elsewhere."""
    if not in_notebook():
        return None
    from hopsml_flows.tracking.notebook_progress import NotebookProgress

    return NotebookProgress(metric)


def _live_line(metric: str = "metric") -> _LiveLine | None:
    """A line that is redrawn; None where standard output is no terminal."""
    console = open_console(sys.stdout)
    return _LiveLine(console, metric) if console.is_terminal and not console.is_jupyter else None


def _cut(console: Console) -> Literal["ellipsis", "crop"]:
    """Return how to cut a long line: with an ellipsis, if the console can write one."""
    return "ellipsis" if fitting("…", console.file) == "…" else "crop"
