"""The text of an experiment's progress, in as much room as there is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from hopsml_flows.text import number_text, one_line

if TYPE_CHECKING:
    from hopsml_flows.trials import Counts, TrialResult

__all__ = ["ProgressLine", "clock", "time_left"]

_BARS = (24, 12)
"""Widths of the bar, where there is room for it."""


def time_left(counts: Counts, elapsed: float, earlier: int = 0) -> float | None:
    """Return the seconds that the remaining trials will take at the pace so far; None if unknown.

    Args:
        counts: How far the experiment is.
        elapsed: Seconds since the first trial was submitted.
        earlier: Trials that had ended before, in a run that is resumed.

    Example:
        >>> from hopsml_flows.trials import Counts
        >>> time_left(Counts(total=10, running=2, succeeded=4, failed=1), 10.0)
        10.0
    """
    here = counts.done - earlier
    if counts.total is None or here <= 0:
        return None
    return elapsed / here * (counts.total - counts.done)


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours from one hour on.

    Args:
        seconds: The duration.

    Example:
        >>> clock(61.4), clock(3600)
        ('1:01', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """How far an experiment is, as one line.

    Args:
        counts: The counts of trials.
        best: The best trial so far, or None.
        elapsed: Seconds since the first trial was submitted.
        metric: Name of the metric.
        earlier: Trials that had ended before, in a run that is resumed.
    """

    counts: Counts
    best: TrialResult | None
    elapsed: float
    metric: str = "metric"
    earlier: int = 0

    @property
    def whole(self) -> str:
        """The line, however long."""
        return self._text()

    def fitted(self, width: int) -> tuple[int, str]:
        """The width of the bar, or 0 for none, and the text beside it.

        The number of trials and the times are never left out. What is left out first, is said
        elsewhere too: the bar's length, the number of running trials, the metric's name, the best
        trial's number, the time saved by stopping trials.

        Args:
            width: Columns there are.
        """
        forms = list(self._forms())
        fitting = (
            (bar, text) for bar, text in forms if cell_len(text) + (bar + 1 if bar else 0) <= width
        )
        return next(fitting, forms[-1])

    def _forms(self) -> Iterator[tuple[int, str]]:
        for bar in _BARS:
            yield bar, self._text()
        for less in (
            {"running": False},
            {"running": False, "name": False},
            {"running": False, "name": False, "trial": False},
            {"running": False, "name": False, "trial": False, "saved": False},
        ):
            yield _BARS[-1], self._text(**less)
            yield 0, self._text(**less)
        yield 0, self._text(running=False, name=False, trial=False, saved=False, best=False)

    def _text(
        self,
        *,
        running: bool = True,
        name: bool = True,
        trial: bool = True,
        saved: bool = True,
        best: bool = True,
    ) -> str:
        counts = self.counts
        parts = [f"{counts.done}/{'?' if counts.total is None else counts.total} trials"]
        if running:
            parts.append(f"{counts.running} running")
        if counts.stopped:
            gain = f" ({clock(counts.saved)} saved)" if saved and counts.saved >= 1 else ""
            parts.append(f"{counts.stopped} stopped{gain}")
        if counts.failed:
            parts.append(f"{counts.failed} failed")
        if best and self.best is not None and self.best.metric is not None:
            words = ["best", one_line(self.metric) if name else "", number_text(self.best.metric)]
            if trial:
                words.append(f"(trial {self.best.number})")
            parts.append(" ".join(filter(None, words)))
        parts.append(f"{clock(self.elapsed)} elapsed")
        left = time_left(counts, self.elapsed, self.earlier)
        if left is not None and counts.done != counts.total:
            parts.append(f"{clock(left)} left")
        return " · ".join(parts)
