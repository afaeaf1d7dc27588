"""Carrying out a plan inside a Prefect flow run: the one loop that all searches share.

What is decided is decided by the search and the trial loop, which are pure; here is the I/O
around them: directory, record, cluster, task runs, progress, artifacts.
"""

from __future__ import annotations

import os
import pickle
import secrets
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prefect.context import FlowRunContext

from hopsml_flows.cluster.futures import TrialFuture
from hopsml_flows.cluster.opened import OpenCluster, open_cluster
from hopsml_flows.cluster.runner import TrialTaskRunner
from hopsml_flows.errors import (
    ExperimentFailedError,
    InvalidProjectError,
    TrialFailedError,
    TrialTimeoutError,
    WorkerLostError,
)
from hopsml_flows.execution import Job, argument_order, committed, packed
from hopsml_flows.execution.deadline import ENDED, GRACE_SECONDS
from hopsml_flows.flows.plan import Plan
from hopsml_flows.flows.report import print_report
from hopsml_flows.flows.server import server_is_embedded
from hopsml_flows.storage import ExperimentPaths, TrialFiles
from hopsml_flows.storage.patience import answer_limit, persistently
from hopsml_flows.tracking import (
    ExperimentRecord,
    Progress,
    RecordFile,
    Summary,
    environment_text,
    experiment_events,
    find_program,
    open_progress,
)
from hopsml_flows.tracking.artifacts import ArtifactWriter
from hopsml_flows.trials import (
    Counts,
    ExperimentResult,
    Failure,
    State,
    Trial,
    TrialLoop,
    TrialResult,
    experiment_id,
    json_value,
    trials_ahead,
)
from hopsml_tasks import trial as trial_task

__all__ = ["run"]

_TICK_SECONDS = 0.5
"""How often progress is redrawn while no trial ends."""


def run(plan: Plan) -> ExperimentResult:
    """Run an experiment to its end.

    Args:
        plan: The checked experiment.

    Returns:
        Its result.

    Raises:
        ExperimentFailedError: All trials failed.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    paths = ExperimentPaths(experiment_id(plan.options.name, stamp, secrets.token_hex(3)))
    function = packed(plan.train.callable, by_value=plan.options.cluster.kind == "address")
    record = _record(plan, paths)
    _write_start(plan, paths, record)
    progress = open_progress(show=plan.options.progress)
    ending = _Ending(record, paths)
    with ending, ExitStack() as stack:
        scratch = None
        if plan.options.cluster.kind != "address":
            # Removed by this process: a worker that is killed cleans up nothing.
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hopsml-"))
        cluster = stack.enter_context(open_cluster(plan.options.cluster, trials=plan.trials))
        stack.enter_context(progress)
        runner = stack.enter_context(
            TrialTaskRunner(
                cluster,
                inherit_tags=False,
                console_logs=False,
                wait_for_server=server_is_embedded(),
            )
        )
        experiment = _Experiment(plan, paths, record, runner, cluster, progress, scratch)
        ending.loop = experiment.loop
        # At once, either way: closing the runner and the cluster may take a while.
        try:
            experiment.run(function)
        except BaseException as error:
            ending.write(error)
            raise
        ending.write(None)
    result = experiment.result()
    if plan.options.progress:
        print_report(plan, result)
    first = experiment.loop.first_failure
    if first is not None and result.state is State.FAILED:
        raise ExperimentFailedError(
            f"all {len(result.trials)} trials of {result.id} failed; the first one with "
            f"{first.failure} (log: {plan.options.project.full(paths.trial(first.directory))})",
            result,
        )
    return result


@dataclass
class _Experiment:
    """The running experiment: the loop, and everything that follows it."""

    plan: Plan
    paths: ExperimentPaths
    record: RecordFile
    runner: TrialTaskRunner
    cluster: OpenCluster
    progress: Progress
    scratch: str | None

    def __post_init__(self) -> None:
        self.loop = TrialLoop(
            self.plan.search(),
            direction=self.plan.direction,
            retries=self.plan.options.retries,
            own_directory=self.plan.own_directory,
            order=argument_order(self.plan.train.callable),
        )
        self.results: list[TrialResult] = []
        self._trials: dict[Any, Trial] = {}
        self._summary = Summary(self.plan.options.project, self.paths)

    def run(self, function: bytes) -> None:
        """Run all trials, and write the end."""
        job = self.runner.share(
            "job",
            Job(
                function=function,
                project=self.plan.options.project,
                experiment_id=self.paths.id,
                optimization_key=self.plan.optimization_key,
                needs_metric=self.plan.needs_metric,
                local_logdir=self.plan.options.local_logdir,
                trial_timeout=self.plan.options.trial_timeout,
                directory=os.getcwd(),
                scratch=self.scratch,
                sync_interval=self.plan.options.sync_interval,
            ),
        )
        artifacts = ArtifactWriter(
            self.plan.options.name, f"{self.plan.verb} {self.paths.id}", self.plan.direction
        )
        try:
            while not self.loop.finished:
                slots = self.cluster.slots
                for trial in self.loop.start(slots, trials_ahead(slots, self._mean_seconds())):
                    future = self.runner.submit(
                        trial_task,
                        {"job": job, "name": trial.name, "packed": pickle.dumps(trial)},
                        name=trial.name,
                    )
                    self._trials[future.task_run_id] = trial
                for future in self.runner.next_done(_TICK_SECONDS):
                    result = self._taken(future)
                    if result is not None:
                        self.results.append(result)
                        self._summary.add(result)
                        artifacts.update(self.loop.counts, result)
                self.progress.update(self.loop.counts, self.loop.best)
            self.progress.update(self.loop.counts, self.loop.best, force=True)
        finally:
            self._summary.write()
            artifacts.close()

    def result(self) -> ExperimentResult:
        """The experiment as its caller gets it."""
        record = self.record.record
        return ExperimentResult(
            id=self.paths.id,
            function=self.plan.verb,
            path=self.plan.options.project.full(self.paths.root),
            state=record.state,
            direction=self.plan.direction,
            best=self.loop.best,
            trials=tuple(sorted(self.results, key=lambda result: result.number)),
            duration=record.duration or 0.0,
            flow_run_id=record.flow_run_id,
        )

    def _taken(self, future: TrialFuture[Any]) -> TrialResult | None:
        """Feed what came of a submission to the loop; None where the trial is tried again."""
        trial = self._trials.pop(future.task_run_id)
        outcome = future.outcome()
        if isinstance(outcome.value, TrialResult):
            self.loop.done(outcome.value)
            return outcome.value
        error = outcome.error
        if isinstance(error, TrialFailedError) and isinstance(error.result, TrialResult):
            self.loop.done(error.result)
            return error.result
        if isinstance(error, WorkerLostError):
            done = committed(self.plan.options.project, self.paths, trial)
            if done is not None:
                self.loop.done(done)
                return done
            if not self._timed_out(trial, error):
                return self.loop.lost(trial.number, str(error))
            limit = self.plan.options.trial_timeout
            message = f"stopped after trial_timeout of {limit:g} s, and its process with it"
            failure = Failure(TrialTimeoutError.__name__, message)
        else:
            failure = Failure(type(error).__name__, str(error or outcome.message))
        result = TrialResult.without_report(trial, failure)
        self.loop.done(result)
        return result

    def _timed_out(self, trial: Trial, error: WorkerLostError) -> bool:
        """Whether a trial's process ended itself because the trial did not listen."""
        limit = self.plan.options.trial_timeout
        if limit is None:
            return False
        options = self.plan.options
        if options.project.local_root is None or options.local_logdir:
            # The log's last words lay with the worker; what is left is how long that had time.
            return error.elapsed >= limit + GRACE_SECONDS
        try:
            log = options.project.read(self.paths.trial(trial.directory, TrialFiles.LOG))
        except OSError:
            return error.elapsed >= limit + GRACE_SECONDS
        return ENDED.encode() in log

    def _mean_seconds(self) -> float | None:
        recent = [result.duration for result in self.results[-20:]]
        return sum(recent) / len(recent) if recent else None


class _Ending:
    """Writes the record's end, whichever way the run ends.

    Args:
        record: The record.
        paths: The experiment's paths.
    """

    def __init__(self, record: RecordFile, paths: ExperimentPaths) -> None:
        self._record = record
        self._paths = paths
        self.loop: TrialLoop | None = None
        self._written = False

    def __enter__(self) -> None:
        """Nothing: the record was written before."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._written:
            self.write(error)

    def write(self, error: BaseException | None) -> None:
        """Write the end.

        Args:
            error: What ended the run, or None where it came to its own end.
        """
        self._written = True
        counts = self.loop.counts if self.loop else Counts(None, 0, 0, 0)
        best = self.loop.best if self.loop else None
        first = self.loop.first_failure if self.loop else None
        reason = None
        if error is not None:
            # Ctrl-C, SIGTERM and Prefect's Cancel are no Exceptions.
            state = State.FAILED if isinstance(error, Exception) else State.KILLED
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        elif counts.succeeded == 0:
            state = State.FAILED
            reason = f"all trials failed; the first one with {first.failure}" if first else None
        else:
            state = State.FINISHED
        self._record.finish(
            state,
            metric=best.metric if best else None,
            best_trial=best.name if best else None,
            best_dir=self._paths.trial(best.directory) if best else None,
            trials_succeeded=counts.succeeded,
            trials_failed=counts.failed,
            error=reason,
        )


def _record(plan: Plan, paths: ExperimentPaths) -> RecordFile:
    options = plan.options
    run_context = FlowRunContext.get()
    flow_run = run_context.flow_run if run_context else None
    return RecordFile(
        options.project,
        paths,
        ExperimentRecord(
            id=paths.id,
            name=options.name,
            project=options.project.name,
            function=plan.verb,
            experiment_type=plan.experiment_type,
            train=str(plan.train),
            description=options.description,
            direction=plan.direction.value if plan.direction else None,
            optimization_key=plan.optimization_key,
            search_space=json_value("search_space", plan.space),
            options={
                "seed": options.seed,
                "retries": options.retries,
                "trial_timeout": options.trial_timeout,
                "local_logdir": options.local_logdir,
                "cluster": options.cluster.address or options.cluster.kind,
            },
            trials_total=plan.trials,
            flow_run_id=str(flow_run.id) if flow_run else None,
            tags=options.tags,
        ),
    )


def _write_start(plan: Plan, paths: ExperimentPaths, record: RecordFile) -> None:
    """Make the directory and write the record first; then what is versioned with it."""
    project = plan.options.project
    try:
        project.make_directory(paths.root)
        record.write()
    except OSError as error:
        raise InvalidProjectError(
            "project", project.url, f"cannot be written ({type(error).__name__}: {error})"
        ) from error
    texts: dict[str, bytes | str] = {paths.environment: environment_text()}
    program = find_program(plan.train.source_file)
    if program is not None:
        content, suffix = program
        texts[paths.program(suffix)] = content
        record.write(program=paths.program(suffix))
    if plan.own_directory:
        texts[paths.events] = experiment_events(plan.domains, plan.optimization_key)
    for path, text in texts.items():
        limit = answer_limit(project, len(text))
        persistently(partial(project.replace, path, text), limit=limit)
    record.write(environment=paths.environment)
