"""At most so many lines per second of a trial's log, for a display besides the file.

Knows nothing of who that is. What is left out is counted, and said now and then: the file has it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from hopsml_flows.trials import Rate

__all__ = ["AT_ONCE", "LINES_A_SECOND", "Excerpt"]

LINES_A_SECOND = 10.0
"""Lines of one trial that are passed on, in the long run."""

AT_ONCE = 100
"""Lines of one trial that are passed on however fast they come."""

LONGEST = 10_000
"""Characters of a message that are passed on."""

_HEAD = 2_000
_SAY_SECONDS = 10.0


_of_process = Rate(burst=300, per_second=50.0)
"""Of all logs of a process: short trials that print much would keep the listener busy."""


class Excerpt:
    """Passes on some of a log's lines.

    Args:
        send: Gets a level of ``logging`` and a message; must return at once.
        where: Path or URL of the whole log, for people.
        known: Whether those it is for have got the messages of a logger already.
        shared: What this log shares with others, besides its own budget; by default with all of
            the process.
        clock: Seconds, from whenever.
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
        """Take in lines; those of a message with a level are passed on as one.

        Args:
            lines: The lines.
            level: Their level, or None where they were printed.
            logger: The logger they come from, or "".
        """
        if logger and self._known(logger):
            return
        now = self._clock()
        if now < self._none_until:  # of a million lines, most come this way
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
        """Say what was left out and not said yet."""
        if self._left_out:
            self._say(self._clock())

    def _say(self, now: float) -> None:
        self._send(logging.INFO, f"lines left out here: {self._left_out}; all are in {self._where}")
        self._left_out = 0
        self._silent_until = now + _SAY_SECONDS


def _shortened(text: str) -> str:
    """A message without its middle, where it is too long: tracebacks end with what matters."""
    if len(text) <= LONGEST:
        return text
    tail = LONGEST - _HEAD
    return f"{text[:_HEAD]}\n[{len(text) - LONGEST} characters left out]\n{text[-tail:]}"
