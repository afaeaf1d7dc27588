"""Find the trial that is running here, for ``tensorboard.logdir()`` and similar functions.

This module does not know how trials run. It finds the trial through a context variable. Threads
that the training function started inherit none; for them it uses the process's only running
trial. Threads that existed before the trial do not belong to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from hopsml_flows.errors import NotInTrialError
from hopsml_flows.execution.report_channel import Reporter
from hopsml_flows.storage import Project
from hopsml_flows.trials import LineageLog, Trial

__all__ = ["TrialContext", "current_trial", "running_trial"]


@dataclass(frozen=True, slots=True)
class TrialContext:
    """The running trial and its surroundings.

    Args:
        project: The project the experiment belongs to.
        experiment_id: The experiment's identifier.
        trial: The trial.
        logdir: Local directory for event files and the trial's other files.
        reporter: Receives the training function's reports.
        checkpoints: Makes the local directory for checkpoints, with the files to go on from.
        lineage: Collects the files that it reads and the models that it exports.
    """

    project: Project
    experiment_id: str
    trial: Trial
    logdir: Path
    reporter: Reporter
    checkpoints: Callable[[], Path]
    lineage: LineageLog = field(default_factory=LineageLog)


_current: ContextVar[TrialContext | None] = ContextVar("hopsml_trial", default=None)
_in_process: list[tuple[TrialContext, set[threading.Thread]]] = []
_lock = threading.Lock()


@contextmanager
def running_trial(context: TrialContext) -> Iterator[TrialContext]:
    """Make a trial the current one, for the block."""
    token = _current.set(context)
    entry = (context, {*threading.enumerate()} - {threading.current_thread()})
    with _lock:
        _in_process.append(entry)
    try:
        yield context
    finally:
        with _lock:
            _in_process.remove(entry)
        _current.reset(token)


def current_trial(caller: str | None = None) -> TrialContext:
    """The trial that the calling code belongs to.

    Args:
        caller: Name of the calling public function, for the error message.

    Raises:
        NotInTrialError: No trial is running here.
    """
    context = _current.get()
    if context is None and len(_in_process) == 1:
        running, earlier = _in_process[0]
        if threading.current_thread() not in earlier:
            context = running
    if context is None:
        raise NotInTrialError(
            f"{caller or 'this'} works only inside a training function that runs as a trial of "
            "hopsml_flows.experiment"
        )
    return context
