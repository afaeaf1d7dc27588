"""A worker's part in a group: start one member's training process, watch it and end it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

from hopsml_flows.execution.addressees import addressed
from hopsml_flows.execution.credentials import received
from hopsml_flows.execution.group.guard import KERAS_VARIABLE, lacks
from hopsml_flows.execution.group.member import Process
from hopsml_flows.execution.group.member_files import last_words, tidy
from hopsml_flows.execution.group.member_work import MemberWork
from hopsml_flows.execution.group.seats import Begin, HeldSeat, SeatState, own_seats
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.process.early_end import SWALLOWED, end_early
from hopsml_flows.execution.process.handle import (
    DEAF,
    TrainingProcess,
    Unheeded,
    timeout_failure,
)
from hopsml_flows.execution.process.memory import MEMORY_SECONDS, MORE_MEMORY, MemoryWatch
from hopsml_flows.execution.process.messages import Done, Listener, Ready
from hopsml_flows.execution.trial_run import EventMakers
from hopsml_flows.trials import Phase, ProcessEnd, Trial, TrialResult

__all__ = ["supervise"]

_LOOK_SECONDS = 0.1
"""Seconds between two looks at a seat's orders while the process runs."""


def supervise(
    job: Job,
    trial: Trial,
    process: Process,
    worker: str,
    events: EventMakers,
    *,
    abandoned: Callable[[], bool],
    listener: Listener = DEAF,
    memory_limit: int | None = None,
) -> ProcessEnd:
    """Run one process of a group on the worker's seat, until the process or its group ends.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process.
        worker: Address of the worker.
        events: Makes the trial's event files.
        abandoned: Tells whether the driver has stopped waiting for the process.
        listener: Gets the messages of its log, besides the file, and its reports.
        memory_limit: Bytes that the worker and the process may hold together, or None.

    Returns:
        How the process ended.
    """
    seat = own_seats.take(worker, process.group)
    if seat is None:
        return ProcessEnd(Phase.STOPPED, reason="the group did not wait for this worker")
    try:
        work = MemberWork(
            job,
            trial,
            process,
            worker,
            events,
            tells_lines=listener.lines is not None,
            # In the training process, gettempdir() may return another directory.
            temporary=job.scratch or tempfile.gettempdir(),
        )
        began = time.time()
        memory = MemoryWatch(memory_limit, os.getpid())
        # It loads what it needs while the others arrive.
        child = TrainingProcess(_environment(process), work)
        too_much = ""
        try:
            never_began = _await_begin(child, process, seat, abandoned)
            # Instructions are for the process that reports.
            topic = job.reports if process.leads else None
            with addressed(topic, trial.number, trial.attempt, child.instruct):
                report = never_began or _watch(
                    child, work, seat, abandoned, listener, memory, began
                )
            if isinstance(report, str):
                too_much, report = report, None
        finally:
            by_itself = seat.phase is Phase.RUNNING and not (too_much or child.unheeded)
            child.end(at_once=not by_itself)
        if isinstance(report, Unheeded):
            report = _conclude_stopped(child, work, seat, report, began)
        elif report is None:
            known = memory.describe_ended(child.pid)
            reason = too_much or f"its process {child.how_it_ended(known)}"
            stopped = child.was_ended and not too_much
            report = _conclude(child, work, seat, abandoned, reason, stopped=stopped)
        tidy(job, trial, process)
        return report
    finally:
        own_seats.leave(worker, process.group)


def _await_begin(
    child: TrainingProcess, process: Process, seat: HeldSeat, abandoned: Callable[[], bool]
) -> ProcessEnd | None:
    """Let the process begin with its group; return its end if it is stopped before that."""
    while seat.state is SeatState.WAIT:
        if abandoned():
            return ProcessEnd(Phase.STOPPED, reason="the driver is gone")
        if child.is_over:
            seat.phase = Phase.DIED
            return None
        if seat.phase is Phase.ARRIVED:
            seat.wait(_LOOK_SECONDS)
        elif isinstance(child.next_answer(_LOOK_SECONDS), Ready):
            seat.phase = Phase.ARRIVED
    if seat.state is SeatState.STOP or seat.begin is None:
        return ProcessEnd(Phase.STOPPED, reason="the group was stopped before it began")
    seat.phase = Phase.RUNNING
    child.order(_variables(process, seat.begin))
    return None


def _watch(
    child: TrainingProcess,
    work: MemberWork,
    seat: HeldSeat,
    abandoned: Callable[[], bool],
    listener: Listener,
    memory: MemoryWatch,
    began: float,
) -> ProcessEnd | Unheeded | str | None:
    """Watch the process until the worker must end it.

    Returns:
        How it ended; None if it has not reported that; the request to stop that it swallows; a
        reason if it holds too much memory.
    """
    report: ProcessEnd | None = None
    look_at_memory = time.monotonic()
    while seat.state is not SeatState.STOP and not abandoned():
        if report is not None:  # other members may still need what it serves
            seat.wait(_LOOK_SECONDS)
            continue
        is_over = child.is_over  # before next_answer: it may have answered just before its end
        told = child.next_answer(0.0 if is_over else _LOOK_SECONDS, listener)
        child.lend(received())
        if isinstance(told, Done):
            result: TrialResult = told.value
            phase = Phase.FINISHED if result.succeeded else Phase.FAILED
            report = ProcessEnd(phase, result)
            seat.phase = phase
        elif is_over:
            return None
        elif child.is_overdue(work.job.trial_timeout):
            seat.phase = Phase.FAILED
            failure = timeout_failure(work.job.trial_timeout)
            result = TrialResult.without_report(
                work.trial, failure, started=began, ended=time.time()
            )
            return ProcessEnd(Phase.FAILED, result)
        elif child.unheeded is not None:
            return child.unheeded
        elif time.monotonic() > look_at_memory:
            look_at_memory = time.monotonic() + MEMORY_SECONDS
            if too_much := memory.too_much(child.pid):
                return f"its process was ended: {too_much}; {MORE_MEMORY}"
    return report


def _conclude_stopped(
    child: TrainingProcess, work: MemberWork, seat: HeldSeat, unheeded: Unheeded, began: float
) -> ProcessEnd:
    """Commit what a trial had whose leader swallowed every request to stop, and was ended."""
    words = f"{work.process.member} was ended: {SWALLOWED}"
    if said := child.outside_output:
        words += f"; outside the training, it printed:\n{said}"
    with suppress(Exception):  # each file system has its own errors
        last_words(work.job, work.trial, work.process, words)
    result = end_early(work.job, work.trial, unheeded, began)
    seat.phase = Phase.FINISHED if result.succeeded else Phase.FAILED
    return ProcessEnd(seat.phase, result)


def _conclude(
    child: TrainingProcess,
    work: MemberWork,
    seat: HeldSeat,
    abandoned: Callable[[], bool],
    reason: str,
    *,
    stopped: bool,
) -> ProcessEnd:
    """Write why a process without a result ended into its log; return how it ended."""
    job, trial, process = work.job, work.trial, work.process
    if stopped:
        reason = "the driver is gone" if abandoned() else "stopped with its group"
        with suppress(Exception):  # each file system has its own errors
            last_words(job, trial, process, f"{process.member} was ended: {reason}")
        return ProcessEnd(Phase.STOPPED, reason=reason)
    seat.phase = Phase.DIED
    words = f"{process.member}: {reason}"
    if said := child.outside_output:
        words += f"; outside the training, it printed:\n{said}"
    with suppress(Exception):
        last_words(job, trial, process, words)
    return ProcessEnd(Phase.DIED, reason=reason)


def _environment(process: Process) -> dict[str, str]:
    """The variables that the process starts with; some are read before any Python code runs."""
    environment = dict(os.environ)
    environment.pop("TF_CONFIG", None)  # set for the worker by what started it
    if process.shape.needs_legacy_keras and not lacks("tf_keras"):
        environment.setdefault(KERAS_VARIABLE, "1")
    return {**environment, **process.environment}


def _variables(process: Process, begin: Begin) -> dict[str, str]:
    """The variables that make the process a member of its group, known once all have arrived."""
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(begin.gpus),
        **begin.variables,
        **process.environment,
    }
