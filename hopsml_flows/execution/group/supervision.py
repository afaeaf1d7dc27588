"""Starting the process that trains, watching it, and ending it: a worker's part in a group."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress

from hopsml_flows.execution.carrying import EventMakers
from hopsml_flows.execution.group.files import last_words, tidied
from hopsml_flows.execution.group.guarded import KERAS_VARIABLE, lacks
from hopsml_flows.execution.group.process import Process
from hopsml_flows.execution.group.seats import Begin, HeldSeat, SeatState, own_seats
from hopsml_flows.execution.group.work import MemberWork
from hopsml_flows.execution.process.launch import TrainingProcess, overdue
from hopsml_flows.execution.process.messages import Done, Ready
from hopsml_flows.execution.run import Job
from hopsml_flows.trials import Phase, ProcessEnd, Trial, TrialResult

__all__ = ["supervised"]

_LOOK_SECONDS = 0.1
"""How often a seat's orders are looked for while the process runs."""


def supervised(
    job: Job,
    trial: Trial,
    process: Process,
    worker: str,
    events: EventMakers,
    *,
    abandoned: Callable[[], bool],
    lines: Callable[[int, str], None] | None = None,
) -> ProcessEnd:
    """Run one process of a group on the worker's seat, until it or its group is over.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process.
        worker: Address of the worker.
        events: Makes the trial's event files.
        abandoned: Says whether nobody waits for the process any more.
        lines: Gets levels and messages of its log, besides the file; or None.

    Returns:
        How it ended.
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
            tells_lines=lines is not None,
            # The process may have another idea of it.
            temporary=job.scratch or tempfile.gettempdir(),
        )
        # It loads what it needs while the others arrive.
        child = TrainingProcess(work, _environment(process))
        try:
            never_began = _waited(child, process, seat, abandoned)
            report = never_began or _watched(child, work, seat, abandoned, lines)
        finally:
            child.end(at_once=seat.phase is not Phase.RUNNING)
        if report is None:
            report = _unreported(child, work, seat, abandoned)
        tidied(job, trial, process)
        return report
    finally:
        own_seats.leave(worker, process.group)


def _waited(
    child: TrainingProcess, process: Process, seat: HeldSeat, abandoned: Callable[[], bool]
) -> ProcessEnd | None:
    """Wait until the group begins, and let the process begin; what came of it where it did not."""
    while seat.state is SeatState.WAIT:
        if abandoned():
            return ProcessEnd(Phase.STOPPED, reason="the driver is gone")
        if child.is_over:
            seat.phase = Phase.DIED
            return None
        if seat.phase is Phase.ARRIVED:
            seat.wait(_LOOK_SECONDS)
        elif isinstance(child.told(_LOOK_SECONDS, None), Ready):
            seat.phase = Phase.ARRIVED
    if seat.state is SeatState.STOP or seat.begin is None:
        return ProcessEnd(Phase.STOPPED, reason="the group was stopped before it began")
    seat.phase = Phase.RUNNING
    child.order(_variables(process, seat.begin))
    return None


def _watched(
    child: TrainingProcess,
    work: MemberWork,
    seat: HeldSeat,
    abandoned: Callable[[], bool],
    lines: Callable[[int, str], None] | None,
) -> ProcessEnd | None:
    """Watch the process until it is to be ended; None where it has not said how it went."""
    report: ProcessEnd | None = None
    while seat.state is not SeatState.STOP and not abandoned():
        if report is not None:  # others may need what it serves
            seat.wait(_LOOK_SECONDS)
            continue
        is_over = child.is_over  # its last answer may have come just before
        told = child.told(0.0 if is_over else _LOOK_SECONDS, lines)
        if isinstance(told, Done):
            result: TrialResult = told.value
            phase = Phase.FINISHED if result.succeeded else Phase.FAILED
            report = ProcessEnd(phase, result)
            seat.phase = phase
        elif is_over:
            return None
        elif child.is_overdue(work.job.trial_timeout):
            seat.phase = Phase.FAILED
            failure = overdue(work.job.trial_timeout)
            return ProcessEnd(Phase.FAILED, TrialResult.without_report(work.trial, failure))
    return report


def _unreported(
    child: TrainingProcess, work: MemberWork, seat: HeldSeat, abandoned: Callable[[], bool]
) -> ProcessEnd:
    job, trial, process = work.job, work.trial, work.process
    if child.was_ended:
        reason = "the driver is gone" if abandoned() else "stopped with its group"
        with suppress(Exception):  # each file system has errors of its own
            last_words(job, trial, process, f"{process.member} was ended: {reason}")
        return ProcessEnd(Phase.STOPPED, reason=reason)
    seat.phase = Phase.DIED
    reason = f"its process {child.how_it_ended}"
    words = f"{process.member}: {reason}"
    if said := child.said_outside:
        words += f", having said, outside of its training:\n{said}"
    with suppress(Exception):
        last_words(job, trial, process, words)
    return ProcessEnd(Phase.DIED, reason=reason)


def _environment(process: Process) -> dict[str, str]:
    """The variables that the process starts with: some are read before any line of Python."""
    environment = dict(os.environ)
    environment.pop("TF_CONFIG", None)  # of whatever the worker itself was started by
    if process.shape.needs_legacy_keras and not lacks("tf_keras"):
        environment.setdefault(KERAS_VARIABLE, "1")
    return {**environment, **process.environment}


def _variables(process: Process, begin: Begin) -> dict[str, str]:
    """The variables that make it one of its group, which are known when all are there."""
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(begin.gpus),
        **begin.variables,
        **process.environment,
    }
