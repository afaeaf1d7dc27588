"""One trial, from its parameters to its result: find, call, capture, judge.

Runs on a worker. It does not know who asked for the trial (Prefect, Dask, a test) and reports
every failure of the user's code as a result, never as an exception.
"""

from __future__ import annotations

import asyncio
import bdb
import hashlib
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from hopsml_flows.execution.context import TrialContext, running_trial
from hopsml_flows.execution.crash import stacks_on_crash
from hopsml_flows.execution.deadline import GRACE_SECONDS, limited
from hopsml_flows.execution.devices import Sampling, banner
from hopsml_flows.execution.files.attachments import Terms
from hopsml_flows.execution.files.keep_rules import FileRules
from hopsml_flows.execution.files.leftovers import leave
from hopsml_flows.execution.files.sync import SYNC_SECONDS
from hopsml_flows.execution.files.working_directory import WorkingDirectory, own_working_directory
from hopsml_flows.execution.hints import hint_for
from hopsml_flows.execution.output.streams import LineSink, OutputLog, captured
from hopsml_flows.execution.payload import live_in_this_process, unpacked
from hopsml_flows.execution.report_channel import Reporter
from hopsml_flows.execution.scalars import Scalars
from hopsml_flows.execution.signature import call
from hopsml_flows.execution.timers import disarm_timers
from hopsml_flows.storage import ExperimentPaths, Project, scalars_file
from hopsml_flows.text import readable
from hopsml_flows.trials import (
    ISOLATIONS,
    Failure,
    State,
    Trial,
    TrialResult,
    checked_outputs,
)

__all__ = ["IN_DRIVER", "Closable", "Files", "Job", "Place", "evaluate"]

T = TypeVar("T", bound="Closable")

IN_DRIVER = "driver"
"""The isolation of trials that run in the driver's own process, for a debugger."""

_PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"


class Closable(Protocol):
    """Something that is closed at the end."""

    def close(self) -> None:
        """End it."""


class Job:
    """What all trials of one experiment share; sent to each worker once.

    A plain class on purpose: Prefect walks through the fields of dataclasses and models among a
    task's parameters, and there may be much behind the function.

    Args:
        function: The packed training function.
        project: The project.
        experiment_id: The experiment's identifier.
        optimization_key: Key of the metric in a returned dict, or None.
        needs_metric: Whether a trial without a metric has failed.
        local_logdir: Keep event files local until the trial ends.
        trial_timeout: Seconds after which a trial is stopped, or None.
        directory: Absolute working directory of the experiment's driver.
        scratch: Directory on the workers' machine that the driver removes at the end, or None
            where the driver sees none of theirs.
        resumed: Whether an earlier run may have left files of trials that it did not finish.
        sync_interval: Seconds between two times that a running trial's files are brought to the
            project.
        texts: Hyperparameters whose values TensorBoard shows as text.
        seed: The experiment's seed, or None where nothing is drawn.
        files: Which files of a trial are kept, and how many.
        isolation: What a trial of one process runs in: "worker", "process", or "driver".
    """

    __slots__ = (
        "_function",
        "_lock",
        "_own_process",
        "_packed",
        "_supervisor",
        "directory",
        "experiment_id",
        "files",
        "isolation",
        "local_logdir",
        "needs_metric",
        "optimization_key",
        "project",
        "resumed",
        "scratch",
        "seed",
        "sync_interval",
        "texts",
        "trial_timeout",
    )

    def __init__(
        self,
        *,
        function: bytes,
        project: Project,
        experiment_id: str,
        optimization_key: str | None,
        needs_metric: bool,
        local_logdir: bool,
        directory: str,
        trial_timeout: float | None = None,
        scratch: str | None = None,
        resumed: bool = False,
        sync_interval: float = SYNC_SECONDS,
        texts: frozenset[str] = frozenset(),
        seed: int | None = None,
        files: FileRules = FileRules(),  # noqa: B008 - it is frozen
        isolation: str = ISOLATIONS[0],
    ) -> None:
        self._packed = function
        self._function: Callable[..., Any] | None = None
        self._own_process = False
        self._lock = threading.Lock()
        self._supervisor: Any = None
        self.project = project
        self.experiment_id = experiment_id
        self.optimization_key = optimization_key
        self.needs_metric = needs_metric
        self.local_logdir = local_logdir
        self.trial_timeout = trial_timeout
        self.directory = directory
        self.scratch = scratch
        self.resumed = resumed
        self.sync_interval = sync_interval
        self.texts = texts
        self.seed = seed
        self.files = files
        self.isolation = isolation

    def __getstate__(self) -> dict[str, Any]:
        own = ("_function", "_lock", "_supervisor")
        return {name: getattr(self, name) for name in self.__slots__ if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._function = None
        self._lock = threading.Lock()
        self._supervisor = None

    @property
    def function(self) -> Callable[..., Any]:
        """The training function; unpacked once per process."""
        if self._function is None:
            self._function = unpacked(self._packed, own_process=self._own_process)
        return self._function

    def supervisor(self, make: Callable[[], T]) -> T:
        """What looks after the job's processes on this worker; the job closes it.

        Args:
            make: Makes it, when it is first asked for.
        """
        with self._lock:
            if self._supervisor is None:
                self._supervisor = make()
            return cast("T", self._supervisor)

    def close(self) -> None:
        """End what looks after the job's processes: no trial of it will come any more."""
        with self._lock:
            supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.close()

    def live_in_this_process(self, home: Path) -> None:
        """Let this process, which exists for the job, stand in for the user's script.

        Args:
            home: A directory that lives as long as the process.
        """
        self._own_process = True
        live_in_this_process(self._packed, home)

    def trial_seed(self, number: int) -> int:
        """The seed of a trial: the same in every attempt, another one in every other trial.

        Args:
            number: The trial's number.

        Returns:
            32 bits.
        """
        root = self.experiment_id if self.seed is None else self.seed
        digest = hashlib.sha256(f"{root}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    @property
    def paths(self) -> ExperimentPaths:
        """The experiment's paths."""
        return ExperimentPaths(self.experiment_id)

    @property
    def is_staged(self) -> bool:
        """Whether trials write to a local directory first, and not to their own."""
        return self.project.local_root is None or self.local_logdir

    def call_instead(self, function: Callable[..., Any], *, for_outputs: bool) -> None:
        """Call another function from now on, in this process.

        Args:
            function: What is called.
            for_outputs: Whether its outputs are the trial's; else nothing is asked of them.
        """
        self._function = function
        if not for_outputs:
            self.needs_metric = False
            self.optimization_key = None


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial runs.

    Args:
        worker: Address of the Dask worker, or "".
        alone: Whether the process runs one trial at a time, and is not the driver's: only then
            are its descriptors, its working directory and what it takes of the machine the
            trial's.
        in_driver: Whether the process is the driver's and runs one trial at a time, in its main
            thread: descriptors stay the driver's, what the trial prints is shown as well, and what
            stops the driver stops the experiment.
        memory_limit: Bytes beyond which Dask ends the process, or None.
        scratch: Directory for its working directory, which whoever started the process removes;
            None for the job's.
        note: What the trial's log should say besides, or "".
        values: Makes the hyperparameters as the training function gets them; None for the trial's.
        calling: Called just before the training function is.
        called: Called when the training function has returned or raised.
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

    @property
    def is_own(self) -> bool:
        """Whether the process runs one trial at a time."""
        return self.alone or self.in_driver


class Files(Protocol):
    """The files of a trial, as far as the call of its function has to do with them."""

    @property
    def path(self) -> Path:
        """The local directory for files of the project's own."""

    @property
    def log(self) -> Path:
        """The local file that takes what the trial prints."""

    @property
    def logdir(self) -> Path:
        """The local directory for the training function's event files."""

    @property
    def is_local(self) -> bool:
        """Whether the project is on a disk of this machine."""

    @property
    def kept(self) -> Path | None:
        """Where files of the working directory go that are kept; None where none are."""

    def attach(self, outputs: dict[str, Any], terms: Terms | None = None) -> dict[str, Any]:
        """Copy files that the outputs name; the outputs with paths in place of files."""

    def sync_also_in(self, seconds: float) -> None:
        """Bring files once more after so many seconds, since the process may end soon after."""


def evaluate(
    job: Job, trial: Trial, staging: Files, place: Place, sink: LineSink | None = None
) -> TrialResult:
    """Call the training function as one trial.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        staging: Its files.
        place: Where it runs.
        sink: Who gets the lines of its log besides the file, or None.

    Returns:
        Its result, also where the function failed.
    """
    started = time.time()
    outputs: dict[str, Any] = {}
    metric: float | None = None
    failure: Failure | None = None
    log = OutputLog(staging.log, sink)
    if trial.attempt > 1:
        lost = f"attempt {trial.attempt}: the worker of the attempt before was lost"
        log.note(lost, level=logging.WARNING)
    log.note(banner(place.worker, alone=place.is_own, memory_limit=place.memory_limit))
    again = trial.may_have_begun or job.resumed
    scalars = Scalars(staging.path / scalars_file(started if again else None))
    sampling = Sampling(scalars.write)
    reporter = Reporter(scalars, log, job.optimization_key)
    warnings: list[str] = []

    def warn(text: str) -> None:
        text = readable(text)
        warnings.append(text)
        log.note(text, level=logging.WARNING)

    if place.note:
        warn(place.note)
    working: WorkingDirectory | None = None
    terms = Terms(job.files, warn, params=trial.params)
    context = TrialContext(job.project, job.experiment_id, trial, staging.logdir, reporter)
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
        if job.trial_timeout is not None:  # what it says when it is asked to stop may be the last
            staging.sync_also_in(job.trial_timeout + GRACE_SECONDS / 2)
        try:
            place.calling()
            try:
                returned = limited(
                    # Where the function is unpacked, its values can be, too.
                    lambda: call(job.function, _values(trial, place), reporter),
                    job.trial_timeout,
                    log,
                    alone=place.alone,
                )
            finally:
                if place.alone:
                    disarm_timers()
                place.called()
            outputs, metric = checked_outputs(
                returned, key=job.optimization_key, required=job.needs_metric, warn=warn
            )
            outputs = staging.attach(outputs, terms)
        except BaseException as error:  # sys.exit(), a cancelled coroutine: the function's own end
            _raise_for_driver(error, place)
            failure = _failure(error, job.project)
            log.note(failure.traceback, level=logging.ERROR)
        _leave(staging, working, terms, log)
    return TrialResult(
        number=trial.number,
        name=trial.name,
        params=trial.params,
        state=State.FAILED if failure else State.FINISHED,
        metric=None if failure else metric,
        outputs={} if failure else outputs,
        directory=trial.directory,
        attempt=trial.attempt,
        started=started,
        ended=time.time(),
        worker=place.worker,
        failure=failure,
        generation=trial.generation,
        step=reporter.step,
        devices=sampling.usage,
        warnings=tuple(warnings),
    )


def _values(trial: Trial, place: Place) -> Mapping[str, Any]:
    return trial.params if place.values is None else place.values()


@contextmanager
def _working_directory(
    job: Job, place: Place, terms: Terms, log: OutputLog
) -> Iterator[WorkingDirectory]:
    """A working directory of the trial's own, for the block; its log has what is not there."""
    with own_working_directory(job.directory, place.scratch or job.scratch) as working:
        terms.working = working.path
        for line in working.notes:
            log.note(line, level=logging.WARNING)
        yield working


def _leave(files: Files, working: WorkingDirectory | None, terms: Terms, log: OutputLog) -> None:
    """Keep what is to be kept of the working directory, and list the rest."""
    if files.kept is None:
        return
    if working is not None:
        leave(working, terms, log.note, into=files.kept, locally=files.is_local)
    elif terms.rules.keep:
        terms.warn("keep_files keeps nothing: the trial has no working directory of its own")


def _raise_for_driver(error: BaseException, place: Place) -> None:
    """Raise what ends the experiment: Ctrl-C, a signal that ends the driver, a debugger's quit."""
    if not place.in_driver:
        return
    if isinstance(error, bdb.BdbQuit):
        raise KeyboardInterrupt("the debugger was quit") from error
    of_function = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)
    if not isinstance(error, of_function):
        raise error


def _failure(error: BaseException, project: Project) -> Failure:
    """Describe an exception; its traceback begins where the user's code does."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.tb_next
    text = "".join(traceback.format_exception(type(error), error, frame))
    try:
        message = str(error)
    except Exception as failed:  # the error's own __str__ is the user's code too
        message = f"its message cannot be had ({type(failed).__name__})"
    hint = hint_for(error, project)
    if hint is not None:
        message, text = f"{message}; {hint}", f"{text}{hint}\n"
    return Failure(type(error).__name__, message, text)
