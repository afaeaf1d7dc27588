"""A worker's part in a trial of one process: start the process, watch it, say how it ended."""

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

from hopsml_flows.execution.addressees import addressed
from hopsml_flows.execution.call import Place
from hopsml_flows.execution.credentials import received
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.streams import OutputLog
from hopsml_flows.execution.process.early_end import SWALLOWED, end_early
from hopsml_flows.execution.process.handle import LEAVE_SECONDS, timeout_failure
from hopsml_flows.execution.process.memory import MEMORY_SECONDS, MORE_MEMORY, MemoryWatch
from hopsml_flows.execution.process.messages import Done, Listener, Ready
from hopsml_flows.execution.process.spare import start_process
from hopsml_flows.execution.process.work import Order, TrialWork
from hopsml_flows.execution.trial_run import EventMakers
from hopsml_flows.storage import TrialFiles
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["Lost", "Supervisor"]

_LOOK_SECONDS = 0.1
"""Seconds between two looks of the worker whether its driver still waits."""

_READY_SECONDS = 300.0
"""Longest time in which a process must load what it needs before it trains."""

IDLE_SECONDS = 300.0
"""Longest idle time of a process: it holds memory and a GPU, and its driver may be gone."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A trial whose process ended before it had a result.

    Args:
        reason: How the process ended, as far as the worker knows.
        abandoned: Whether the driver had stopped waiting for the trial.
    """

    reason: str
    abandoned: bool = False


class Supervisor:
    """Runs the trials of one job on one worker; a process runs one trial at a time.

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
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()
        self._note = ""
        self._reaper: threading.Timer | None = None

    def run(
        self,
        order: Order,
        *,
        abandoned: Callable[[], bool],
        listener: Listener,
    ) -> TrialResult | Lost:
        """Run a trial.

        Args:
            order: The trial.
            abandoned: Tells whether the driver has stopped waiting for the trial.
            listener: Gets the messages of the trial's log, besides the file, and its reports.

        Returns:
            The trial's result, or :class:`Lost` if its process ended without one.

        Raises:
            Exception: The code of hopsml-flows itself failed, for example at storage.
        """
        child = self._take()
        began = time.time()
        note, self._note = self._note, ""
        try:
            child.process.lend(received())
            child.process.order(replace(order, tells_lines=listener.lines is not None, note=note))
            trial = order.trial
            reach = child.process.instruct
            with addressed(self._job.reports, trial.number, trial.attempt, reach):
                end = self._watch(child, abandoned, listener)
        except BaseException:
            self._end(child, at_once=True)
            child.remove()
            raise
        if isinstance(end, Done):
            self._give_back(child, end)
            if end.error is not None:
                raise end.error
            result: TrialResult = end.value
            return result
        # At once: a training function that returned while it is stopped might count as done.
        self._end(child, at_once=True)
        memory = self._memory.describe_ended(child.process.pid)
        reason = end or f"its process {child.process.how_it_ended(memory)}"
        return self._conclude(order.trial, child, reason, abandoned(), began)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            idle, self._idle = self._idle, []
            children, self._children = self._children, set()
            if self._reaper is not None:
                self._reaper.cancel()
        _leave_together(idle)
        for child in children - set(idle):
            child.process.end(at_once=True)
            child.remove()

    def _take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if not child.process.is_over:
                    return child
                self._children.discard(child)
                child.process.end(at_once=True)
                child.remove()
        child = _Child(self._job, self._place, self._events)
        with self._lock:
            self._children.add(child)
        return child

    def _give_back(self, child: _Child, end: Done) -> None:
        """Keep a process for the next trial, or let it exit."""
        if self._must_replace(child, end):
            self._end(child, at_once=False)
            child.remove()
            return
        with self._lock:
            if self._job.isolation != "process" and child in self._children:  # not closed meanwhile
                child.idle_since = time.monotonic()
                self._idle.append(child)
                if self._reaper is None:
                    self._watch_idle()
                return
            self._children.discard(child)
        # The next trial need not wait for its exit.
        threading.Thread(target=child.leave, name="hopsml-leaving").start()

    def _watch_idle(self) -> None:
        """Start a timer to look for idle processes; call this while holding the lock."""
        self._reaper = threading.Timer(IDLE_SECONDS, self._reap)
        self._reaper.daemon = True
        self._reaper.start()

    def _reap(self) -> None:
        """Let processes exit that were idle for too long; the next trial gets a fresh one."""
        with self._lock:
            oldest = time.monotonic() - IDLE_SECONDS
            due = [child for child in self._idle if child.idle_since <= oldest]
            self._idle = [child for child in self._idle if child not in due]
            self._children.difference_update(due)
            self._reaper = None
            if self._idle:
                self._watch_idle()
        _leave_together(due)

    def _end(self, child: _Child, *, at_once: bool) -> None:
        with self._lock:
            self._children.discard(child)
        child.process.end(at_once=at_once)

    def _must_replace(self, child: _Child, end: Done) -> bool:
        """Whether to replace a process after a trial; if so, note why for the next trial's log."""
        why = end.unfit or self._memory.too_much_for_next(child.process.pid)
        if why:
            self._note = f"this trial has a fresh process; the previous one was replaced: {why}"
        return bool(why)

    def _watch(
        self,
        child: _Child,
        abandoned: Callable[[], bool],
        listener: Listener,
    ) -> Done | str:
        """Wait for the process: its answer, or why to end it, or "" if it ended by itself."""
        process = child.process
        look_at_memory = time.monotonic() + MEMORY_SECONDS
        while True:
            told = process.next_answer(_LOOK_SECONDS, listener)
            process.lend(received())
            if isinstance(told, Done):
                return told
            if isinstance(told, Ready):
                child.is_ready = True
            elif not child.is_ready and time.monotonic() - child.began > _READY_SECONDS:
                return f"its process did not load what it needs within {_READY_SECONDS:g} s"
            if process.is_over:  # it may have answered just before its end
                told = process.next_answer(0.0, listener)
                return told if isinstance(told, Done) else ""
            if reason := self._reason_to_end(child, abandoned):
                return reason
            if time.monotonic() > look_at_memory:
                look_at_memory = time.monotonic() + MEMORY_SECONDS
                if too_much := self._memory.too_much(process.pid):
                    return f"its process was ended: {too_much}; {MORE_MEMORY}"

    def _reason_to_end(self, child: _Child, abandoned: Callable[[], bool]) -> str:
        """Why the process must not go on; "" if it may."""
        limit = self._job.trial_timeout
        if abandoned():
            return "the driver no longer waits for it"
        if child.process.unheeded is not None:
            return SWALLOWED
        if child.process.is_overdue(limit):
            child.timed_out = True
            return timeout_failure(limit).message
        return ""

    def _conclude(
        self, trial: Trial, child: _Child, reason: str, was_abandoned: bool, began: float
    ) -> TrialResult | Lost:
        """Write the reason into the log of a trial whose process is gone; return its result."""
        if outside := child.process.outside_output:
            reason_and_more = f"{reason}; outside the training, it printed:\n{outside}"
        else:
            reason_and_more = reason
        with suppress(Exception):  # each file system has its own errors
            child.last_words(trial, reason_and_more)
        child.remove()
        said = child.process.unheeded
        if said is not None and not was_abandoned:
            return end_early(self._job, trial, said, began)
        if child.timed_out:
            failure = timeout_failure(self._job.trial_timeout)
            return TrialResult.without_report(trial, failure, started=began, ended=time.time())
        return Lost(reason, abandoned=was_abandoned)


def _leave_together(children: Iterable[_Child]) -> None:
    """Let processes exit by themselves, all at once, and remove their temporary files."""
    until = time.monotonic() + LEAVE_SECONDS
    leaving = list(children)
    for child in leaving:
        child.process.dismiss()
    for child in leaving:
        child.process.await_exit(until)
        child.remove()


class _Child:
    """A training process of the supervisor, and the directory for its temporary files."""

    def __init__(self, job: Job, place: Place, events: EventMakers) -> None:
        self._job = job
        self.timed_out = False
        self.is_ready = False
        self.began = self.idle_since = time.monotonic()
        self._home = Path(tempfile.mkdtemp(prefix="hopsml-process-", dir=job.scratch))
        work = TrialWork(job, replace(place, scratch=str(self._home)), events, str(self._home))
        try:
            self.process = start_process(os.environ, work)
        except BaseException:
            self.remove()
            raise

    def leave(self) -> None:
        """Let the process exit by itself, and remove its temporary files."""
        self.process.leave()
        self.remove()

    def remove(self) -> None:
        """Remove the process's temporary files."""
        shutil.rmtree(self._home, ignore_errors=True)

    def last_words(self, trial: Trial, text: str) -> None:
        """Write the last lines of a trial's log, and copy the log to the project."""
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
