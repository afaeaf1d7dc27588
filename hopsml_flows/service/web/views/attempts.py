"""The attempts at a trial: who ran each, from when to when, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hopsml_flows.service.web.views.words import took
from hopsml_flows.trials import State, TrialResult
from hopsml_flows.trials.logged_attempts import LoggedAttempt

__all__ = ["ShownAttempt", "losses_told", "shown_attempts"]


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """An attempt.

    Args:
        number: Its number, from 1; also attempts of earlier runs of the experiment count.
        worker: Its worker, and the machine, as far as they are known.
        started: When it began, in seconds since 1970; None if that is not known.
        ended: When it ended; None if it runs, or if that is not known.
        how: How it ended, in words.
        stack: Python's stack when native code ended it, or "".
    """

    number: int
    worker: str
    started: float | None
    ended: float | None
    how: str
    stack: str = ""

    @property
    def duration(self) -> str:
        """How long it took."""
        known = self.started is not None and self.ended is not None
        return took(self.ended - self.started) if known else ""  # type: ignore[operator]


def shown_attempts(
    result: TrialResult, logged: Sequence[LoggedAttempt], losses: Sequence[str] = ()
) -> list[ShownAttempt]:
    """Return the attempts at a trial.

    Args:
        result: The trial.
        logged: The attempts that its log tells of.
        losses: Why attempts were lost, in order, where a journal says so.

    Example:
        >>> trial = TrialResult(1, "0001", {}, State.FINISHED, started=5.0, ended=7.5, worker="w")
        >>> (attempt,) = shown_attempts(trial, [])
        >>> attempt.worker, attempt.duration, attempt.how
        ('w', '2.5 s', 'finished')
    """
    reasons = list(losses)
    shown = []
    for number, (attempt, following) in enumerate(pairwise(logged), 1):
        told = ""
        if following.is_retry:
            told = reasons.pop(0) if reasons else "its worker was lost"
        how = attempt.end or told or "the experiment's run ended"
        where, stack = _where(attempt.worker, attempt.host), attempt.stack
        times = (attempt.started or None, attempt.ended or None)
        shown.append(ShownAttempt(number, where, *times, how, stack))
    last = logged[-1] if logged else None
    if not logged and not result.worker and not result.started:
        return []
    runs = result.state is State.RUNNING
    started, ended = result.started, result.ended
    if last is not None:
        started = last.started or started
        # The times of a trial whose worker died are those that Prefect knows.
        ended = 0.0 if runs else ended if ended >= started else last.ended
    shown.append(
        ShownAttempt(
            len(logged) or result.attempt,
            _where(result.worker or (last.worker if last else ""), last.host if last else ""),
            started or None,
            ended or None,
            _end(result, last),
            last.stack if last else "",
        )
    )
    return shown


def losses_told(entries: Iterable[Mapping[str, Any]], number: int) -> list[str]:
    """Return why attempts at a trial were lost, as a journal says, in order.

    Args:
        entries: The journal's entries.
        number: The trial's number.

    Example:
        >>> losses_told([{"event": "lost", "trial": 3, "reason": "it was killed"}], 3)
        ['it was killed']
    """
    return [
        str(entry.get("reason") or "its worker was lost")
        for entry in entries
        if entry.get("event") == "lost" and entry.get("trial") == number
    ]


def _end(result: TrialResult, last: LoggedAttempt | None) -> str:
    match result.state:
        case State.RUNNING:
            return "it runs"
        case State.FAILED:
            told = last.end if last else ""
            kind = result.failure.kind if result.failure else ""
            return told or (f"failed with {kind}" if kind else "failed")
        case State.STOPPED:
            return "stopped early"
        case State.FINISHED:
            return "finished"
    return (last.end if last else "") or "it ended with its driver"


def _where(worker: str, host: str) -> str:
    return " on ".join(part for part in (worker, host) if part)
