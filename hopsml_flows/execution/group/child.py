"""The process that a process of a group trains in: fresh, and gone with the one that started it.

TensorFlow's runtime cannot be set up twice in a process, reads its environment when it is
imported, and a parameter server never returns: so no worker trains in its own process.

It is told what to do through a socket, tells its result through it, and lives on until it is
ended, since others may still need what it serves (the chief's coordination, PyTorch's store).
When the other end is closed, however that came, it ends itself and what it started.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection

from hopsml_flows.execution.carrying import EventMakers, carried_out
from hopsml_flows.execution.group.checkpoints import shared_checkpoints
from hopsml_flows.execution.group.files import FollowerFiles, LeaderStaging
from hopsml_flows.execution.group.guarded import guarded
from hopsml_flows.execution.group.process import (
    Process,
    group_directory,
    make_private,
    run_as,
)
from hopsml_flows.execution.run import Job, Place, evaluate
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["Assignment", "main"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the process is told.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: Which process of the trial's group this is.
        worker: Address of the Dask worker.
        events: Makes the trial's event files.
    """

    job: Job
    trial: Trial
    process: Process
    worker: str
    events: EventMakers


def main(descriptor: int) -> None:
    """Run one process of a group; never returns.

    Args:
        descriptor: The socket to whoever started it.
    """
    connection = Connection(descriptor)
    assignment: Assignment = pickle.loads(connection.recv_bytes())  # from this run's own worker
    threading.Thread(target=_end_with, args=(connection,), name="hopsml-end", daemon=True).start()
    connection.send_bytes(pickle.dumps(_result(assignment)))
    while True:
        signal.pause()


def _result(told: Assignment) -> TrialResult:
    job, trial, process = told.job, told.trial, told.process
    make_private(group_directory(job.scratch, job.experiment_id, trial.number))
    run_as(process, shared_checkpoints(job, trial, process))
    place = Place(told.worker, alone=True)
    job.call_instead(guarded(job.function, process), for_outputs=process.leads)
    if process.leads:
        return carried_out(job, trial, LeaderStaging(job, trial, process), place, told.events)
    files = FollowerFiles(job, trial, process)
    try:
        return files.commit(evaluate(job, trial, files, place))
    finally:
        files.close()


def _end_with(connection: Connection) -> None:
    """End this process, and all that it started, when the other end says so or is closed."""
    try:
        connection.recv_bytes()
    except (EOFError, OSError):
        pass
    finally:
        os.killpg(os.getpgrp(), signal.SIGKILL)
