"""The one loop that all experiments share: submits trials, takes their results, says so.

What is decided is decided by the search and the trial loop, which are pure; here is the I/O.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from hopsml_flows.cluster.futures import TrialFuture
from hopsml_flows.cluster.open_cluster import OpenCluster
from hopsml_flows.cluster.runner import TrialTaskRunner
from hopsml_flows.cluster.worker import Outcome
from hopsml_flows.driver.generation_subflows import GenerationRuns
from hopsml_flows.driver.process_groups import GroupFuture, GroupRuns
from hopsml_flows.driver.report import generation_line
from hopsml_flows.driver.single_processes import SingleRuns
from hopsml_flows.driver.upkeep import Upkeep
from hopsml_flows.errors import (
    DamagedFileError,
    StorageUnavailableError,
    TrialFailedError,
    WorkerLostError,
)
from hopsml_flows.execution import (
    Damage,
    Earlier,
    Job,
    argument_order,
    read_committed,
    take_kept,
)
from hopsml_flows.execution.current_directory import here
from hopsml_flows.plan.plan import Plan
from hopsml_flows.storage import ExperimentPaths, TrialFiles, is_of_storage
from hopsml_flows.storage.lease import Lease
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.tracking import Progress, Sessions, Summary, text_parameters
from hopsml_flows.tracking.prefect.announcer import Announcer
from hopsml_flows.trials import Failure, Trial, TrialLoop, TrialResult, trials_ahead
from hopsml_flows.values.plain import image_key

__all__ = ["Driver"]

Runs = SingleRuns | GroupRuns

_TICK_SECONDS = 0.5
"""How often progress is redrawn while no trial ends."""


class Driver:
    """Runs the trials of one experiment.

    Args:
        plan: The experiment.
        paths: Its paths.
        progress: Where it is shown.
        earlier: What the run that is resumed left.
        announcer: What tells Prefect of results.
        lease: The lease by which this driver has the experiment.
    """

    def __init__(
        self,
        plan: Plan,
        paths: ExperimentPaths,
        progress: Progress,
        earlier: Earlier,
        announcer: Announcer,
        lease: Lease,
    ) -> None:
        self._plan = plan
        self.paths = paths
        self.progress = progress
        search = plan.search()
        search.recall(earlier.params)
        self.loop = TrialLoop(
            search,
            direction=plan.direction,
            retries=plan.options.retries,
            own_directory=plan.own_directory,
            order=argument_order(plan.train.callable),
            began=_began(earlier),
        )
        self.results: list[TrialResult] = []
        self._earlier = dict(earlier.results)
        self._resumed = plan.options.resume is not None
        self._waiting: list[Trial] = []
        self._trials: dict[Any, Trial] = {}
        self._held: list[tuple[Trial, TrialResult | None]] = []
        summary = Summary(plan.options.project, paths)
        self.upkeep = Upkeep(paths.id, summary, lease, progress.note)
        self._unfinished = list(earlier.unfinished)
        self.damaged = list(earlier.damaged)
        self._texts = text_parameters(plan.hyperparameters)
        self._sessions = Sessions(plan.options.project, paths, self._texts)
        self._announcer = announcer

    def forget_sessions(self) -> None:
        """Let TensorBoard, not started yet, not see how trials that run again ended before."""
        self._sessions.forget(self._unfinished)

    def forget_damaged(self) -> None:
        """Remove what says that trials began and are done whose files cannot be believed."""
        project = self._plan.options.project
        for damage in self.damaged:
            for name in (TrialFiles.OUTPUTS, TrialFiles.HPARAMS):
                path = self.paths.trial(damage.directory, name)
                with suppress(FileNotFoundError):
                    persistently(partial(project.remove, path), limit=answer_limit(project))

    def replay(self) -> None:
        """Go through the results of the run that is resumed, as if they had just come in.

        Nothing is written.
        """
        while self._earlier:
            started = self.loop.start(self.loop.running + 1)
            if not started:
                break
            for trial in started:
                result = self._earlier_result(trial)
                if result is None:
                    self._waiting.append(trial)
                else:
                    self.loop.done(result)
                    self.results.append(result)
                    self.upkeep.add(result)
                    self._announcer.earlier(self.loop.counts, self.loop.best, result)
            self.loop.generations()  # those were reported then

    def run(
        self,
        function: bytes,
        cluster: OpenCluster,
        runner: TrialTaskRunner,
        generations: GenerationRuns,
        scratch: str | None,
    ) -> None:
        """Run all trials that are not done.

        Args:
            function: The packed training function.
            cluster: Where they run.
            runner: What submits them.
            generations: The subflow runs that they belong to, where there are generations.
            scratch: Directory for temporary files of workers on this machine, or None.
        """
        job = Job(
            function=function,
            project=self._plan.options.project,
            experiment_id=self.paths.id,
            optimization_key=self._plan.optimization_key,
            needs_metric=self._plan.needs_metric,
            local_logdir=self._plan.options.local_logdir,
            trial_timeout=self._plan.options.trial_timeout,
            directory=here() or "",  # without one, that of trials begins empty
            scratch=scratch,
            resumed=self._resumed,
            sync_interval=self._plan.options.sync_interval,
            texts=self._texts,
            seed=self._plan.options.seed,
            files=self._plan.options.keep_files,
            isolation=self._plan.isolation,
        )
        runs = self._runs(cluster, runner, job)
        self.upkeep.look()
        while not self.loop.finished:
            if not self.upkeep.is_paused:
                self._settle_held()
                self._submit(runs, generations)
            elif self.upkeep.is_hopeless and not self._trials:
                raise self.upkeep.interruption()
            done = runs.next_done(_TICK_SECONDS)
            self.upkeep.look()  # before anything is written: this process may have been stopped
            for future in done:
                result = self._taken(future)
                if result is not None:
                    self._keep(result)
                    self._announcer.took(self.loop.counts, self.loop.best, result)
            for over in self.loop.generations():
                self.progress.note(generation_line(over))
                generations.close(over)
            self.progress.update(self.loop.counts, self.loop.best)
            self._announcer.stands(self.loop.counts, self.loop.best)
        self.progress.update(self.loop.counts, self.loop.best, force=True)
        runs.close()
        self.upkeep.finish_summary()

    def end_sessions(self) -> None:
        """Let TensorBoard show no trial as running any more; none may run now."""
        if self.upkeep.is_ours:
            self._sessions.stopped(self._trials.values())

    def _submit(self, runs: Runs, generations: GenerationRuns) -> None:
        """Start the trials that may start now."""
        slots = runs.slots
        ahead = trials_ahead(slots, self._mean_seconds())
        started = self._waiting + self.loop.start(slots, ahead)
        self._waiting = []
        for trial in started:
            future = runs.submit(
                trial,
                None
                if trial.generation is None
                else generations.owner(trial.generation, self.loop.population(trial.generation)),
            )
            self._trials[future.task_run_id] = trial

    def _earlier_result(self, trial: Trial) -> TrialResult | None:
        """What came of a trial in the run that is resumed, with the search's own values."""
        result = self._earlier.pop(trial.number, None)
        if result is None:
            return None
        if image_key(result.params) == image_key(trial.params):
            return replace(result, name=trial.name, params=trial.params)
        file = self.paths.trial(result.directory, TrialFiles.HPARAMS)
        error = DamagedFileError(
            self._plan.options.project.full(file),
            f"has other hyperparameters than the search gives trial {trial.number}: "
            f"{result.params!r:.200}, not {trial.params!r:.200}",
        )
        self.damaged.append(Damage(result.directory, error))
        self._unfinished.append(result.directory)
        return None

    def _keep(self, result: TrialResult) -> None:
        self.results.append(result)
        self.upkeep.add(result)

    def _hold(self, trial: Trial, result: TrialResult | None) -> bool:
        """Wait with the judgement of a trial, if storage takes nothing now.

        Args:
            trial: The trial.
            result: What came of it, where that could not be brought; None where it did not run.
        """
        self.upkeep.suspect()
        if self.upkeep.is_paused:
            self._held.append((trial, result))
        return self.upkeep.is_paused

    def _settle_held(self) -> None:
        """Judge the trials that were waited with, now that storage takes files again."""
        held, self._held = self._held, []
        for trial, failed in held:
            if failed is None:
                self.loop.again(trial.number)
                continue
            result = self._taken_in(trial, failed)
            self.loop.done(result)
            self._keep(result)
            self._announcer.took(self.loop.counts, self.loop.best, result)

    def _taken_in(self, trial: Trial, failed: TrialResult) -> TrialResult:
        """The result of a trial whose files were kept: what is on this machine is brought now."""
        project = self._plan.options.project
        try:
            taken = take_kept(project, self.paths, trial.directory)
            result = read_committed(project, self.paths, trial) if taken else None
        except Exception as error:
            if not is_of_storage(error):
                raise
            result = None
        if result is None:
            self._sessions.ended(trial, failed)
            return failed
        self.upkeep.released(failed)
        return result

    def _runs(self, cluster: OpenCluster, runner: TrialTaskRunner, job: Job) -> Runs:
        """What submits the trials: as one process each, or as several."""
        shared = runner.share("job", job)
        if self._plan.group is None:
            by_value = self._plan.options.cluster.elsewhere
            return SingleRuns(cluster, runner, shared, by_value=by_value)
        return GroupRuns(self._plan.group, cluster, runner, job, shared)

    def _taken(self, future: TrialFuture[Any] | GroupFuture) -> TrialResult | None:
        """Tell the loop what came of a submission; None where that is not settled yet."""
        trial = self._trials.pop(future.task_run_id)
        outcome = future.outcome()
        error = outcome.error
        result = _reported(outcome)
        if result is not None:
            if not result.worker:  # a process that was ended has told TensorBoard nothing
                self._sessions.ended(trial, result)
            result = self._brought(trial, replace(result, params=trial.params))
        elif isinstance(error, WorkerLostError):
            return self._lost(trial, error, outcome)
        # Its task failed, not its function: storage may have kept it from beginning.
        elif error is None or not is_of_storage(error) or not self._hold(trial, None):
            result = self._silent(trial, outcome)
        if result is not None:
            self.loop.done(result)
        return result

    def _brought(self, trial: Trial, result: TrialResult) -> TrialResult | None:
        """What a trial reported; None where storage did not take its files, and takes none now."""
        self.upkeep.keeps(result)
        if result.failure is None or result.failure.kind != StorageUnavailableError.__name__:
            return result
        return None if self._hold(trial, result) else self._taken_in(trial, result)

    def _lost(self, trial: Trial, error: WorkerLostError, outcome: Outcome) -> TrialResult | None:
        """What a trial committed whose worker died; None where it is tried again."""
        try:
            result = read_committed(self._plan.options.project, self.paths, trial)
        except Exception as unread:
            if not is_of_storage(unread):
                raise
            if self._hold(trial, None):  # tried again, it finds what it committed
                return None
            result = None
        if result is None:
            given_up = self.loop.lost(
                trial.number, str(error), started=outcome.started, ended=outcome.ended
            )
            if given_up is not None:
                self._sessions.ended(trial, given_up)
            return given_up
        self.loop.done(result)
        return result

    def _silent(self, trial: Trial, outcome: Outcome) -> TrialResult:
        """The failed result of a trial that could not report itself."""
        result = TrialResult.without_report(
            trial, _failure(outcome), started=outcome.started, ended=outcome.ended
        )
        self._sessions.ended(trial, result)
        return result

    def _mean_seconds(self) -> float | None:
        recent = [result.duration for result in self.results[-20:]]
        return sum(recent) / len(recent) if recent else None


def _failure(outcome: Outcome) -> Failure:
    """Why a trial that could not report itself has failed."""
    error = outcome.error
    return Failure(type(error).__name__, str(error or outcome.message))


def _began(earlier: Earlier) -> dict[int, Trial]:
    """The trials that the run that is resumed began."""
    return {
        number: Trial(number, directory.rpartition("/")[2], params, directory=directory)
        for number, params in earlier.params.items()
        if (directory := earlier.directories.get(number)) is not None
    }


def _reported(outcome: Outcome) -> TrialResult | None:
    """The result that a trial reported, good or bad."""
    if isinstance(outcome.value, TrialResult):
        return outcome.value
    if isinstance(outcome.error, TrialFailedError):
        result = outcome.error.result
        return result if isinstance(result, TrialResult) else None
    return None
