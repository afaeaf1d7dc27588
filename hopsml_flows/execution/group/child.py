"""The process that a process of a group trains in: fresh, and gone with the one that started it.

TensorFlow's runtime cannot be set up twice in a process, reads its environment when it is
imported, and a parameter server never returns: so no worker trains in its own process.

It is told what to do through a socket, and waits there, with all but the user's code loaded, until
its group begins. It tells lines of its log and its result through the same socket, and lives on
until it is ended, since others may still need what it serves (the chief's coordination, PyTorch's
store).
When the other end is closed, however that came, it ends itself and what it started.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue

import psutil

from hopsml_flows.execution.carrying import EventMakers, carried_out
from hopsml_flows.execution.excerpt import Excerpt
from hopsml_flows.execution.group.checkpoints import shared_checkpoints
from hopsml_flows.execution.group.files import FollowerFiles, LeaderStaging, working_place
from hopsml_flows.execution.group.guarded import guarded
from hopsml_flows.execution.group.process import (
    Process,
    group_directory,
    make_private,
    run_as,
)
from hopsml_flows.execution.run import Job, Place, evaluate
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["Assignment", "Line", "Ready", "descendants", "kill", "main"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the process is told.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: Which process of the trial's group this is.
        worker: Address of the Dask worker.
        events: Makes the trial's event files.
        temporary: Directory for temporary files, of which the worker removes those of the group.
        tells_lines: Whether it is to tell lines of its log, besides its result.
    """

    job: Job
    trial: Trial
    process: Process
    worker: str
    events: EventMakers
    temporary: str
    tells_lines: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """That the process has loaded what it needs."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the process tells of its log.

    Args:
        level: A level of ``logging``.
        text: The message.
    """

    level: int
    text: str


def main(descriptor: int) -> None:
    """Run one process of a group, until it is ended.

    Args:
        descriptor: The socket to whoever started it.
    """
    connection = Connection(descriptor)
    try:
        # From this run's own worker. Reading the assignment imports what it needs.
        assignment: Assignment = pickle.loads(connection.recv_bytes())
        if assignment.process.leads:
            # For nothing, but that what it imports is there when the training begins.
            assignment.events.start(assignment.job, assignment.trial)
        connection.send_bytes(pickle.dumps(Ready()))
        variables: dict[str, str] = pickle.loads(connection.recv_bytes())
    except (EOFError, OSError):  # the worker is gone
        return
    os.environ.update(variables)
    threading.Thread(target=_end_with, args=(connection,), name="hopsml-end", daemon=True).start()
    # What asks a trial to stop interrupts this thread anywhere, in the middle of a message too.
    outbox: SimpleQueue[bytes] = SimpleQueue()
    sender = threading.Thread(target=_send, args=(connection, outbox), name="hopsml-told")
    sender.daemon = True
    sender.start()
    outbox.put(pickle.dumps(_result(assignment, outbox)))
    while True:
        signal.pause()


def _result(told: Assignment, outbox: SimpleQueue[bytes]) -> TrialResult:
    job, trial, process = told.job, told.trial, told.process
    job.scratch = told.temporary
    make_private(group_directory(job.scratch, job.experiment_id, trial.number))
    run_as(process, shared_checkpoints(job, trial, process))
    place = Place(told.worker, alone=True, scratch=str(working_place(job, trial, process)))
    job.call_instead(guarded(job.function, process), for_outputs=process.leads)
    sink = None
    if told.tells_lines:
        where = job.project.full(job.paths.trial(trial.directory, process.log_name))
        sink = Excerpt(lambda *line: outbox.put(pickle.dumps(Line(*line))), where)
    if process.leads:
        staging = LeaderStaging(job, trial, process)
        return carried_out(job, trial, staging, place, told.events, sink)
    files = FollowerFiles(job, trial, process)
    try:
        return files.commit(evaluate(job, trial, files, place, sink))
    finally:
        files.close()


def _send(connection: Connection, outbox: SimpleQueue[bytes]) -> None:
    """Send what is to be told, in its order."""
    with suppress(OSError):  # nobody listens: this process is about to end
        while True:
            connection.send_bytes(outbox.get())


def _end_with(connection: Connection) -> None:
    """End this process, and all that it started, when the other end says so or is closed."""
    try:
        connection.recv_bytes()
    except (EOFError, OSError):
        pass
    finally:
        kill(descendants(os.getpid()))
        os.killpg(os.getpgrp(), signal.SIGKILL)


def descendants(pid: int) -> list[psutil.Process]:
    """What a process has started, directly or not; also what has left its process group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:  # it is gone
        return []


def kill(processes: list[psutil.Process]) -> None:
    """End processes at once; those that are gone are passed over."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
