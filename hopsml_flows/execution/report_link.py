"""Connects the reporter of a running trial with its driver, through whatever runs the trial.

Reports leave at their own pace: the reporter adds them, and another thread takes all that are there
together. What the driver says comes back the same way, and waits for the next report.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hopsml_flows.errors import EarlyStopError
from hopsml_flows.search.decisions import Why
from hopsml_flows.trials import Report

__all__ = [
    "HEED_SECONDS",
    "InsistentStop",
    "Instruction",
    "ReportLink",
    "is_early_stop",
    "wraps_early_stop",
]

HEED_SECONDS = 10.0
"""Seconds after the first request to stop in which a training function may finish by itself; if it
still reports then, it is stopped by an exception that ``except Exception`` does not catch."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the driver tells a running trial.

    Args:
        number: The trial's number.
        attempt: The attempt that it is for.
        stop: Why it is to stop; None if it goes on.
        budget: The budget that it has now; None if that is as before.
    """

    number: int
    attempt: int
    stop: Why | None = None
    budget: float | None = None


class InsistentStop(BaseException):
    """Stops a training function that went on after :class:`EarlyStopError`."""


class ReportLink:
    """The reports of one attempt of one trial on their way, and the driver's instructions.

    Args:
        number: The trial's number.
        attempt: The attempt.
        budget: The budget that the trial begins with, or None.
        wake: Called when there are reports to take; they are taken in any thread. None if none
            takes them.
    """

    def __init__(
        self,
        number: int,
        attempt: int,
        budget: float | None,
        wake: Callable[[ReportLink], None] | None,
    ) -> None:
        self.number = number
        self.attempt = attempt
        self.budget = budget
        self._wake = wake
        self._lock = threading.RLock()  # a signal handler may report, too
        self._pending: list[Report] = []
        self._stop: Why | None = None
        self._asked_at: float | None = None
        self.last_finite: float | None = None

    @property
    def why_stopped(self) -> Why | None:
        """Why the training function was asked to stop; None if it was not."""
        return self._stop if self._asked_at is not None else None

    def add(self, report: Report) -> None:
        """Send a report; then stop the training function, if the driver has asked for that.

        Args:
            report: The report.

        Raises:
            EarlyStopError: The trial is to stop.
        """
        if report.metric - report.metric == 0:  # finite, at a third of the price of isfinite
            self.last_finite = report.metric
        if self._wake is not None:
            with self._lock:
                self._pending.append(report)
                is_first = len(self._pending) == 1
            if is_first:
                self._wake(self)
        if self._stop is not None:
            self._ask(self._stop)

    def take(self) -> tuple[Report, ...]:
        """Take the reports that were added since the last call."""
        with self._lock:
            taken, self._pending = self._pending, []
        return tuple(taken)

    def instruct(self, instruction: Instruction) -> None:
        """Take in what the driver says; one for another trial or attempt has no effect.

        Args:
            instruction: It.
        """
        if (instruction.number, instruction.attempt) != (self.number, self.attempt):
            return
        if instruction.budget is not None:
            self.budget = instruction.budget
        if instruction.stop is not None:
            self._stop = instruction.stop

    def _ask(self, why: Why) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        if now - self._asked_at > HEED_SECONDS:
            raise InsistentStop(str(why))
        raise EarlyStopError(str(why))


def is_early_stop(error: BaseException) -> bool:
    """Whether an exception is a request to stop, or was raised because or in the course of one.

    Args:
        error: What the training function raised.
    """
    return _leads_to_stop(error, lambda each: each.__cause__ or each.__context__)


def wraps_early_stop(error: BaseException) -> bool:
    """Whether an exception is a request to stop, or says that one is its cause.

    Libraries wrap exceptions of callbacks. Another exception comes from code that cleans up.

    Args:
        error: What the training function raised.
    """
    return _leads_to_stop(error, lambda each: each.__cause__)


def _leads_to_stop(
    error: BaseException, before: Callable[[BaseException], BaseException | None]
) -> bool:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        if isinstance(each, (EarlyStopError, InsistentStop)):
            return True
        seen.add(id(each))
        each = before(each)
    return False
