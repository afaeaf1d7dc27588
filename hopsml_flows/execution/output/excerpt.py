"""An excerpt of a trial's log, for a display that takes a limited number of lines per second.

The log file has all lines. Those that the excerpt leaves out are counted, and a message tells the
count at most every 10 seconds. The display itself is unknown here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from hopsml_flows.trials import Rate

__all__ = ["AT_ONCE", "LINES_A_SECOND", "Excerpt"]

LINES_A_SECOND = 10.0
"""Lines per second of one trial that are passed on, in the long run."""

AT_ONCE = 100
"""Lines of one trial that are passed on at any speed, before the limit per second holds."""

LONGEST = 10_000
"""Most characters of a message that are passed on."""

_HEAD = 2_000
_SAY_SECONDS = 10.0


_of_process = Rate(burst=300, per_second=50.0)
"""The budget of all logs of a process: many short trials that print much would flood it."""


class Excerpt:
    """Passes on some of a log's lines.

    Args:
        send: Gets a level of ``logging`` and a message; must return at once.
        where: Path or URL of the whole log, for the message about lines left out.
        known: Tells whether the display gets a logger's messages by another way.
        shared: A budget that this log shares with others, besides its own; by default with all
            logs of the process.
        clock: Returns seconds since any fixed moment.
    """

    def __init__(
        self,
        send: Callable[[int, str], None],
        where: str,
        *,
        known: Callable[[str], bool] = lambda _: False,
        shared: Rate = _of_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._where = where
        self._shared = shared
        self._known = known
        self._clock = clock
        self._own = Rate(burst=AT_ONCE, per_second=LINES_A_SECOND)
        self._left_out = 0
        self._none_until = self._silent_until = float("-inf")

    def take(self, lines: Sequence[str], level: int | None, logger: str) -> None:
        """Take in lines; with a level they are one message, and are passed on as one.

        Args:
            lines: The lines.
            level: Their level of ``logging``, or None if they were printed.
            logger: Name of the logger that they come from, or "".
        """
        if logger and self._known(logger):
            return
        now = self._clock()
        if now < self._none_until:  # the fast path: of a million lines, most end here
            self._left_out += len(lines) - lines.count("") if level is None else 1
            return
        for text in lines if level is None else ["\n".join(lines)]:
            if not text:
                continue
            spent = next((b for b in (self._own, self._shared) if not b.take(now)), None)
            if spent is not None:
                self._left_out += 1
                self._none_until = spent.again
                continue
            if self._left_out and now >= self._silent_until:
                self._say(now)
            self._send(logging.INFO if level is None else level, _shortened(text))

    def close(self) -> None:
        """Tell how many lines were left out since the last message about that."""
        if self._left_out:
            self._say(self._clock())

    def _say(self, now: float) -> None:
        self._send(logging.INFO, f"lines left out here: {self._left_out}; all are in {self._where}")
        self._left_out = 0
        self._silent_until = now + _SAY_SECONDS


def _shortened(text: str) -> str:
    """A message, without its middle if it is too long: tracebacks end with what matters."""
    if len(text) <= LONGEST:
        return text
    tail = LONGEST - _HEAD
    return f"{text[:_HEAD]}\n[{len(text) - LONGEST} characters left out]\n{text[-tail:]}"
