"""Show progress in a notebook: one output of the cell, updated in place, with links.

The output stays below the cell when the experiment has ended, with its last state.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from hopsml_flows.notebook import CellOutput, cell_output
from hopsml_flows.text import readable, unicode_text
from hopsml_flows.tracking.progress import Progress
from hopsml_flows.trials import PageLink, links_html

if TYPE_CHECKING:
    from types import TracebackType

    from hopsml_flows.tracking.progress_line import ProgressLine
    from hopsml_flows.trials import Counts

__all__ = ["NotebookProgress", "progress_html"]

_SECONDS = 0.5


class NotebookProgress(Progress):
    """Shows the progress in an output of the cell that runs.

    Args:
        metric: Name of the metric.
    """

    def __init__(self, metric: str) -> None:
        super().__init__(metric)
        self._interval = _SECONDS
        self._links: tuple[PageLink, ...] = ()
        self._output: CellOutput | None = None
        self._last: tuple[str, Counts] | None = None
        self._stopped = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped = error is not None
        super().__exit__(kind, error, trace)

    def show(self, text: str) -> None:
        """Show a text where the progress will be.

        Args:
            text: The text.
        """
        self._put(text, escape(_shown(text)))

    def show_links(self, links: Sequence[PageLink]) -> None:
        """Show links below the progress, from the next time on that it is drawn.

        Args:
            links: The links.
        """
        self._links = tuple(links)

    def _draw(self, line: ProgressLine) -> None:
        self._last = (line.whole, line.counts)
        self._put(line.whole, progress_html(line.whole, line.counts, self._links))

    def _close(self) -> None:
        if self._last is not None:
            line, counts = self._last
            line += " · stopped" if self._stopped else ""
            lasting = [link for link in self._links if link.lasts]
            self._put(line, progress_html(line, counts, lasting, over=True))
        elif self._output is not None:  # it showed what was being started, which has started
            self._output.hand_back()

    def _put(self, text: str, html: str) -> None:
        if self._output is None:
            self._output = cell_output()
        self._output.show(_shown(text), html)


def progress_html(
    line: str, counts: Counts, links: Sequence[PageLink] = (), *, over: bool = False
) -> str:
    """Return the progress as HTML: a bar, the line, the links.

    Args:
        line: The progress as one line.
        counts: The counts of trials.
        links: Links to show below it.
        over: Whether the experiment has ended, so that there is no bar.
    """
    share = f' value="{counts.done}" max="{counts.total}"' if counts.total else ""
    bar = f'<progress{share} style="vertical-align:middle"></progress> ' if not over else ""
    below = links_html(links)
    return f"<div>{bar}{escape(_shown(line))}</div>" + (f"<div>{below}</div>" if below else "")


def _shown(text: str) -> str:
    return unicode_text(readable(text))
