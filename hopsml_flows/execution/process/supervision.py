"""A worker's part in a single trial: give it a process, watch that, and say how it ended."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hopsml_flows.execution.call import Place
from hopsml_flows.execution.credentials import received
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.execution.process.handle import LEAVE_SECONDS, TrainingProcess, overdue
from hopsml_flows.execution.process.memory import MEMORY_SECONDS, MORE_MEMORY, MemoryWatch
from hopsml_flows.execution.process.messages import Done, Ready
from hopsml_flows.execution.process.work import Order, TrialWork
from hopsml_flows.execution.trial_run import EventMakers
from hopsml_flows.storage import TrialFiles
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["Lost", "Supervisor"]

_LOOK_SECONDS = 0.1
"""How often the worker looks whether its driver still waits."""

_READY_SECONDS = 300.0
"""How long a process may take to load what it needs before it trains."""

IDLE_SECONDS = 300.0
"""How long a process waits for a trial; its driver may be gone, and it holds memory and a GPU."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A trial whose process ended before it had a result.

    Args:
        reason: What is known of the end.
        abandoned: Whether it was ended because its driver waits no more.
    """

    reason: str
    abandoned: bool = False


class Supervisor:
    """Runs trials of one job on one worker, each in a process that is its alone meanwhile.

    Args:
        job: What the trials share.
        worker: Address of the worker.
        memory_limit: Bytes that the worker may hold, or None.
        events: Makes event files.
    """

    def __init__(
        self, job: Job, worker: str, memory_limit: int | None, events: EventMakers
    ) -> None:
        self._job = job
        self._place = Place(worker, alone=True, memory_limit=memory_limit)
        self._memory = MemoryWatch(memory_limit, os.getpid())
        self._events = events
        self._lock = threading.Lock()
        self._idle: list[_Member] = []
        self._members: set[_Member] = set()
        self._note = ""
        self._reaper: threading.Timer | None = None

    def run(
        self,
        order: Order,
        *,
        abandoned: Callable[[], bool],
        lines: Callable[[int, str], None] | None,
    ) -> TrialResult | Lost:
        """Run a trial.

        Args:
            order: The trial.
            abandoned: Says whether nothing waits for the trial any more.
            lines: Gets level and text of messages of its log, besides the file; or None.

        Returns:
            Its result, or that its process was lost.

        Raises:
            Exception: What the project's own code raised, such as an error of storage.
        """
        member = self._taken()
        began = time.time()
        note, self._note = self._note, ""
        try:
            member.process.lend(received())
            member.process.order(replace(order, tells_lines=lines is not None, note=note))
            end = self._watched(member, abandoned, lines)
        except BaseException:
            self._end(member, at_once=True)
            member.remove()
            raise
        if isinstance(end, Done):
            self._give_back(member, end)
            if end.error is not None:
                raise end.error
            result: TrialResult = end.value
            return result
        # With no time for an end of its own: what returned in that might count as done.
        self._end(member, at_once=True)
        memory = self._memory.known(member.process.pid)
        reason = end or f"its process {member.process.how_it_ended(memory)}"
        return self._said(order.trial, member, reason, abandoned(), began)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            idle, self._idle = self._idle, []
            members, self._members = self._members, set()
            if self._reaper is not None:
                self._reaper.cancel()
        _leave_together(idle)
        for member in members - set(idle):
            member.process.end(at_once=True)
            member.remove()

    def _taken(self) -> _Member:
        with self._lock:
            while self._idle:
                member = self._idle.pop()
                if not member.process.is_over:
                    return member
                self._members.discard(member)
                member.process.end(at_once=True)
                member.remove()
        member = _Member(self._job, self._place, self._events)
        with self._lock:
            self._members.add(member)
        return member

    def _give_back(self, member: _Member, end: Done) -> None:
        """Keep a process for the next trial, or let it go."""
        if self._worn(member, end):
            self._end(member, at_once=False)
            member.remove()
            return
        with self._lock:
            if self._job.isolation != "process" and member in self._members:  # not closed meanwhile
                member.idle_since = time.monotonic()
                self._idle.append(member)
                if self._reaper is None:
                    self._watch_idle()
                return
            self._members.discard(member)
        # The next trial need not wait for its exit.
        threading.Thread(target=member.leave, name="hopsml-leaving").start()

    def _watch_idle(self) -> None:
        """Look again later for processes that nothing needs; called with the lock."""
        self._reaper = threading.Timer(IDLE_SECONDS, self._reap)
        self._reaper.daemon = True
        self._reaper.start()

    def _reap(self) -> None:
        """Let processes leave that had no trial for long; the next trial gets a fresh one."""
        with self._lock:
            oldest = time.monotonic() - IDLE_SECONDS
            due = [member for member in self._idle if member.idle_since <= oldest]
            self._idle = [member for member in self._idle if member not in due]
            self._members.difference_update(due)
            self._reaper = None
            if self._idle:
                self._watch_idle()
        _leave_together(due)

    def _end(self, member: _Member, *, at_once: bool) -> None:
        with self._lock:
            self._members.discard(member)
        member.process.end(at_once=at_once)

    def _worn(self, member: _Member, end: Done) -> bool:
        """Whether a process should not get another trial; the next trial's log says why."""
        why = end.unfit or self._memory.worn(member.process.pid)
        if why:
            self._note = f"this trial has a fresh process; of the one before, {why}"
        return bool(why)

    def _watched(
        self,
        member: _Member,
        abandoned: Callable[[], bool],
        lines: Callable[[int, str], None] | None,
    ) -> Done | str:
        """Wait for the process; what it said, or why it was ended, or "" where it ended itself."""
        process, limit = member.process, self._job.trial_timeout
        look_at_memory = time.monotonic() + MEMORY_SECONDS
        while True:
            told = process.told(_LOOK_SECONDS, lines)
            process.lend(received())
            if isinstance(told, Done):
                return told
            if isinstance(told, Ready):
                member.is_ready = True
            elif not member.is_ready and time.monotonic() - member.began > _READY_SECONDS:
                return f"its process did not load what it needs within {_READY_SECONDS:g} s"
            if process.is_over:
                told = process.told(0.0, lines)  # its last answer may have come just before
                return told if isinstance(told, Done) else ""
            if abandoned():
                return "the driver does not wait for it any more"
            if process.is_overdue(limit):
                member.timed_out = True
                return overdue(limit).message
            if time.monotonic() > look_at_memory:
                look_at_memory = time.monotonic() + MEMORY_SECONDS
                if too_much := self._memory.too_much(process.pid):
                    return f"its process was ended: {too_much}; {MORE_MEMORY}"

    def _said(
        self, trial: Trial, member: _Member, reason: str, was_abandoned: bool, began: float
    ) -> TrialResult | Lost:
        """What came of a trial whose process is gone; its log says so, too."""
        if outside := member.process.said_outside:
            reason_and_more = f"{reason}, having said, outside of the training:\n{outside}"
        else:
            reason_and_more = reason
        with suppress(Exception):  # each file system has errors of its own
            member.last_words(trial, reason_and_more)
        member.remove()
        if member.timed_out:
            failure = overdue(self._job.trial_timeout)
            return TrialResult.without_report(trial, failure, started=began, ended=time.time())
        return Lost(reason, abandoned=was_abandoned)


def _leave_together(members: Iterable[_Member]) -> None:
    """Let processes exit by themselves, at the same time, and remove their temporary files."""
    until = time.monotonic() + LEAVE_SECONDS
    leaving = list(members)
    for member in leaving:
        member.process.dismiss()
    for member in leaving:
        member.process.await_exit(until)
        member.remove()


class _Member:
    """A process of a worker, and the directory for its temporary files."""

    def __init__(self, job: Job, place: Place, events: EventMakers) -> None:
        self._job = job
        self.timed_out = False
        self.is_ready = False
        self.began = self.idle_since = time.monotonic()
        self._home = Path(tempfile.mkdtemp(prefix="hopsml-process-", dir=job.scratch))
        work = TrialWork(job, replace(place, scratch=str(self._home)), events, str(self._home))
        try:
            self.process = TrainingProcess(work, os.environ)
        except BaseException:
            self.remove()
            raise

    def leave(self) -> None:
        """Let the process exit by itself, and remove its temporary files."""
        self.process.leave()
        self.remove()

    def remove(self) -> None:
        """Remove its temporary files."""
        shutil.rmtree(self._home, ignore_errors=True)

    def last_words(self, trial: Trial, text: str) -> None:
        """Write the end of a trial's log, and bring that to the project."""
        project, target = self._job.project, self._job.paths.trial(trial.directory, TrialFiles.LOG)
        staged = next(self._home.glob(f"*/{TrialFiles.LOG}"), None)
        if staged is None and project.local_root is not None:
            staged = project.local_root / target
        if staged is None or not staged.exists():
            return
        log = OutputLog(staged)
        log.note(text)
        log.close()
        if self._job.is_staged:
            content = staged.read_bytes()
            limit = answer_limit(project, len(content))
            persistently(lambda: project.replace(target, content), limit=limit)
