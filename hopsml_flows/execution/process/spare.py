"""A training process that starts with its worker, before there is a trial for it.

It imports while the driver still makes the flow run, and ends with its worker.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from hopsml_flows.execution.process.handle import TrainingProcess
from hopsml_flows.execution.process.messages import Work

__all__ = ["start_process", "start_spare"]

_lock = threading.Lock()
_spare: list[TrainingProcess] = []  # at most one


def start_spare() -> None:
    """Start a process for the first trial of this worker."""
    with _lock:
        if not _spare:
            _spare.append(TrainingProcess(os.environ, None))


def start_process(environment: Mapping[str, str], work: Work) -> TrainingProcess:
    """Return a process for a work: the spare one if it is as a new one would be, or a new one.

    Args:
        environment: Its environment variables.
        work: What it does with orders.
    """
    with _lock:
        spare = _spare.pop() if _spare else None
    if spare is not None:
        if spare.fits(environment):
            spare.load(work)
            return spare
        spare.end(at_once=True)
    return TrainingProcess(environment, work)
