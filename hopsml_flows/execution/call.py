"""Call the training function as one trial: from its hyperparameters to its result.

Runs on a worker, or in the driver for a debugger. It does not know who asked for the trial
(Prefect, Dask, a test). It returns every failure of the user's code as a result; it raises only
what must end the driver.
"""

from __future__ import annotations

import bdb
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution.context import TrialContext, running_trial
from hopsml_flows.execution.crash import stacks_on_crash
from hopsml_flows.execution.deadline import GRACE_SECONDS, call_within
from hopsml_flows.execution.devices import Sampling, banner
from hopsml_flows.execution.fault_place import fault_place
from hopsml_flows.execution.files.attachments import Terms
from hopsml_flows.execution.files.checkpoints import checkpoint_directory
from hopsml_flows.execution.files.leftovers import leave
from hopsml_flows.execution.files.working_directory import WorkingDirectory, own_working_directory
from hopsml_flows.execution.hints import hint_for
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.streams import LineSink, OutputLog, captured
from hopsml_flows.execution.report_channel import Reporter
from hopsml_flows.execution.report_link import (
    InsistentStop,
    ReportLink,
    is_early_stop,
    wraps_early_stop,
)
from hopsml_flows.execution.returned import Returned
from hopsml_flows.execution.scalars import Scalars
from hopsml_flows.execution.signature import call
from hopsml_flows.execution.timers import disarm_timers
from hopsml_flows.execution.trial_seeds import seed_random
from hopsml_flows.storage import scalars_file
from hopsml_flows.text import readable
from hopsml_flows.trials import (
    DEFAULT_KEY,
    Failure,
    State,
    Trial,
    TrialResult,
    checked_outputs,
)
from hopsml_flows.trials.logged_attempts import retry_line

__all__ = ["IN_DRIVER", "Files", "Place", "evaluate"]

IN_DRIVER = "driver"
"""Isolation of trials that run in the driver's own process, for a debugger."""

_PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial runs.

    Args:
        worker: Address of the Dask worker, "driver" in the driver for a debugger, or "".
        alone: Whether the process runs one trial at a time and is not the driver. Only then do
            its file descriptors and its use of the machine belong to the trial alone.
        in_driver: Whether the process is the driver and runs one trial at a time, in the thread
            that called the verb. The driver keeps its file descriptors, the trial's output is also
            shown, and what stops the driver stops the experiment.
        memory_limit: Bytes beyond which Dask ends the process, or None.
        scratch: Parent of the trial's working directory; whoever started the process removes it.
            None for the job's.
        note: A warning to add to the trial's log and result, or "".
        values: Makes the hyperparameters to pass to the training function; None for the trial's.
        calling: Called just before the training function.
        called: Called after the training function has returned or raised.
        checkpoints: Returns the trial's checkpoint directory; None for one of its own.
        reporting: Called when there are reports for the driver to take; None if it takes none.
    """

    worker: str = ""
    alone: bool = False
    in_driver: bool = False
    memory_limit: int | None = None
    scratch: str | None = None
    note: str = ""
    values: Callable[[], Mapping[str, Any]] | None = None
    calling: Callable[[], None] = _nothing
    called: Callable[[], None] = _nothing
    checkpoints: Callable[[], Path] | None = None
    reporting: Callable[[ReportLink], None] | None = None

    @property
    def is_own(self) -> bool:
        """Whether the process runs one trial at a time."""
        return self.alone or self.in_driver


class Files(Protocol):
    """The part of a trial's files that ``evaluate`` uses."""

    @property
    def path(self) -> Path:
        """The local directory for this library's own files."""

    @property
    def log(self) -> Path:
        """The local file that receives the trial's output."""

    @property
    def logdir(self) -> Path:
        """The local directory for the training function's event files."""

    @property
    def is_local(self) -> bool:
        """Whether the project is on a disk of this machine."""

    @property
    def kept(self) -> Path | None:
        """Directory for the kept files of the working directory; None if none are kept."""

    def attach(self, outputs: dict[str, Any], terms: Terms | None = None) -> dict[str, Any]:
        """Copy the files that the outputs name, and return the outputs with their new paths."""

    def sync_also_in(self, seconds: float) -> None:
        """Upload files once more after so many seconds: the process may end soon after."""


def evaluate(
    job: Job, trial: Trial, staging: Files, place: Place, sink: LineSink | None = None
) -> TrialResult:
    """Call the training function as one trial.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        staging: Its files.
        place: Where it runs.
        sink: Also receives the lines of the trial's log, or None.

    Returns:
        The trial's result, also if the function failed.

    Raises:
        BaseException: Only in the driver: Ctrl-C, a signal that ends the driver, or the
            debugger's quit.
    """
    started = time.time()
    log = OutputLog(staging.log, sink)
    if trial.attempt > 1:
        log.note(retry_line(trial.attempt), level=logging.WARNING)
    log.note(banner(place.worker, alone=place.is_own, memory_limit=place.memory_limit))
    again = trial.may_have_begun or job.resumed
    scalars = Scalars(staging.path / scalars_file(started if again else None))
    sampling = Sampling(scalars.write)
    link = ReportLink(trial.number, trial.attempt, trial.budget, place.reporting)
    reporter = Reporter(scalars, log, job.optimization_key, link)
    warnings: list[str] = []

    def warn(text: str) -> None:
        text = readable(text)
        warnings.append(text)
        log.note(text, level=logging.WARNING)

    if place.note:
        warn(place.note)
    working: WorkingDirectory | None = None
    terms = Terms(job.files, warn, params=trial.params)
    checkpoints = place.checkpoints or partial(checkpoint_directory, job, trial, staging.path)
    context = TrialContext(
        job.project, job.experiment_id, trial, staging.logdir, reporter, checkpoints
    )
    with ExitStack() as stack:
        if place.is_own:
            stack.enter_context(sampling)
        stack.enter_context(captured(log, descriptors=place.alone, shown=place.in_driver))
        stack.enter_context(running_trial(context))
        stack.callback(scalars.close)
        if place.alone:
            stack.enter_context(stacks_on_crash(log))
        if place.is_own:
            working = stack.enter_context(_working_directory(job, place, terms, log))
        if job.trial_timeout is not None:  # output after the request to stop may be the last
            staging.sync_also_in(job.trial_timeout + GRACE_SECONDS / 2)
        came = _call(job, trial, place, reporter, log, _Judging(staging, terms, warn))
        if came.failure is None and link.why_stopped is not None:
            log.note(f"stopped early by {link.why_stopped}")
        _leave(staging, working, terms, log)
    return TrialResult(
        number=trial.number,
        name=trial.name,
        params=trial.params,
        state=_state(came.failure, link),
        metric=came.metric,
        outputs=came.outputs,
        directory=trial.directory,
        attempt=trial.attempt,
        started=started,
        ended=time.time(),
        worker=place.worker,
        failure=came.failure,
        generation=trial.generation,
        step=reporter.step,
        devices=sampling.usage,
        warnings=tuple(warnings),
        budget=link.budget,
        why_stopped=None if came.failure else link.why_stopped,
        seed=job.trial_seed(trial),
        lineage=context.lineage.lineage(),
        repeat=trial.repeat,
    )


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of a call of the training function: outputs and a metric, or a failure."""

    outputs: dict[str, Any] = field(default_factory=dict)
    metric: float | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Judging:
    """What judges the value that a training function returned.

    Args:
        files: The trial's files, which take in those that the outputs name.
        terms: How they take them in.
        warn: Gets a line for each possible mistake.
    """

    files: Files
    terms: Terms
    warn: Callable[[str], None]


def _call(
    job: Job, trial: Trial, place: Place, reporter: Reporter, log: OutputLog, judging: _Judging
) -> _Came:
    """Call the training function, and judge what it returned.

    Raises:
        BaseException: Only in the driver; see :func:`evaluate`.
    """
    link = reporter.link
    try:
        place.calling()
        try:
            returned = call_within(
                # Inside, since unpacking function and values may fail like the function itself.
                lambda: _trained(job, trial, place, reporter),
                job.trial_timeout,
                log,
                alone=place.alone,
            )
        finally:
            if place.alone:
                disarm_timers()
            place.called()
        if not isinstance(returned, Returned):
            returned = Returned(returned, {})
        outputs, metric = checked_outputs(
            returned.value,
            key=job.optimization_key,
            required=job.needs_metric,
            warn=judging.warn,
            # A function that was stopped may clean up and return nothing.
            otherwise=link.last_finite if link.why_stopped is not None else None,
        )
        outputs = returned.with_beside(outputs)
        return _Came(judging.files.attach(outputs, judging.terms), metric)
    except BaseException as error:  # also sys.exit() and a cancelled coroutine
        _raise_for_driver(error, place)
        if link.last_finite is not None and is_early_stop(error):
            if not wraps_early_stop(error):
                failure = _failure(error, job)
                judging.warn(f"failed after it was asked to stop: {failure}")
                log.note(failure.traceback, level=logging.ERROR)
            return _Came({job.optimization_key or DEFAULT_KEY: link.last_finite}, link.last_finite)
        failure = _failure(error, job)
        log.note(failure.traceback, level=logging.ERROR)
        return _Came(failure=failure)


def _trained(job: Job, trial: Trial, place: Place, reporter: Reporter) -> Any:
    """Return what the training function returns."""
    function, values = job.function, _values(trial, place)
    if job.seeds_libraries:
        # The modules of both are imported once per process, and may have drawn random numbers.
        seed_random(job.trial_seed(trial))
    return call(function, values, reporter, trial.budget)


def _state(failure: Failure | None, link: ReportLink) -> State:
    if failure is not None:
        return State.FAILED
    return State.FINISHED if link.why_stopped is None else State.STOPPED


def _values(trial: Trial, place: Place) -> Mapping[str, Any]:
    return trial.params if place.values is None else place.values()


@contextmanager
def _working_directory(
    job: Job, place: Place, terms: Terms, log: OutputLog
) -> Iterator[WorkingDirectory]:
    """Give the trial a working directory of its own; the log lists what could not be mirrored."""
    with own_working_directory(job.directory, place.scratch or job.scratch) as working:
        terms.working = working.path
        for line in working.notes:
            log.note(line, level=logging.WARNING)
        yield working


def _leave(files: Files, working: WorkingDirectory | None, terms: Terms, log: OutputLog) -> None:
    """Keep the wanted files of the working directory, and list the rest in the log."""
    if files.kept is None:
        return
    if working is not None:
        leave(working, terms, log.note, into=files.kept, locally=files.is_local)
    elif terms.rules.keep:
        terms.warn("keep_files keeps nothing: the trial has no working directory of its own")


def _raise_for_driver(error: BaseException, place: Place) -> None:
    """Raise an error that ends the experiment: Ctrl-C, a signal, or a debugger's quit."""
    if not place.in_driver:
        return
    if isinstance(error, bdb.BdbQuit):
        raise KeyboardInterrupt("the debugger was quit") from error
    import asyncio  # a training process need not have it

    of_function = (Exception, SystemExit, GeneratorExit, InsistentStop, asyncio.CancelledError)
    if not isinstance(error, of_function):
        raise error


def _failure(error: BaseException, job: Job) -> Failure:
    """Describe an exception. Its traceback begins at the user's code."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.tb_next
    text = "".join(traceback.format_exception(type(error), error, frame))
    try:
        message = str(error)
    except Exception as failed:  # the error's own __str__ is the user's code too
        message = f"its message cannot be read ({type(failed).__name__})"
    hint = hint_for(error, job.project)
    if hint is not None:
        message, text = f"{message}; {hint}", f"{text}{hint}\n"
    # A time limit is met on any line. What was returned has no line any more.
    place = "" if isinstance(error, TrialTimeoutError) else fault_place(error)
    return Failure(type(error).__name__, message, text, place=place or job.definition)
