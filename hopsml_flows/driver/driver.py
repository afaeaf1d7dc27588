"""The one loop that all experiments share: submits trials, records and announces their results.

The search and the trial loop decide, and are pure. This module does the I/O.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from hopsml_flows.cluster.open_cluster import OpenCluster
from hopsml_flows.cluster.runner import TrialTaskRunner
from hopsml_flows.cluster.worker import Outcome
from hopsml_flows.driver.confirming import Confirmed, Confirming
from hopsml_flows.driver.debug_runs import DebugRunner, DebugRuns
from hopsml_flows.driver.generation_subflows import GenerationRuns
from hopsml_flows.driver.machine_log import recorder
from hopsml_flows.driver.process_groups import GroupRuns
from hopsml_flows.driver.report import generation_line
from hopsml_flows.driver.report_relay import ReportRelay, new_topic
from hopsml_flows.driver.search_journal import SearchJournal
from hopsml_flows.driver.single_processes import SingleRuns
from hopsml_flows.driver.trial_runs import Submission, TrialRuns
from hopsml_flows.driver.upkeep import Upkeep
from hopsml_flows.driver.version_keeping import VersionKeeping
from hopsml_flows.errors import (
    DamagedFileError,
    HopsmlError,
    StorageUnavailableError,
    TrialFailedError,
    TrialStoppedError,
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
from hopsml_flows.execution.report_link import Instruction
from hopsml_flows.plan.plan import Plan
from hopsml_flows.storage import ExperimentPaths, TrialFiles, is_of_storage
from hopsml_flows.storage.lease import Lease
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.text import one_line
from hopsml_flows.tracking import Progress, Sessions, Summary, text_parameters
from hopsml_flows.tracking.prefect.announcer import Announcer
from hopsml_flows.trials import (
    DEFAULT_KEY,
    BudgetSpent,
    CloseGeneration,
    Counts,
    ExtendTrial,
    Failure,
    GiveUpTrial,
    KeepResult,
    LoopEvent,
    LoopInstruction,
    Recorder,
    RetryTrial,
    SlotsFree,
    StopTrial,
    SubmitTrial,
    Trial,
    TrialDone,
    TrialLoop,
    TrialLost,
    TrialRepeated,
    TrialReplayed,
    TrialResult,
    TrialReturned,
    TrialStopped,
    trials_ahead,
)
from hopsml_flows.trials.journal import Journal
from hopsml_flows.trials.learning_curves import LearningCurves
from hopsml_flows.values.plain import image_key

__all__ = ["Driver"]

_TICK_SECONDS = 0.5
"""Time between two updates of the progress while no trial ends."""


class Driver:
    """Runs the trials of one experiment.

    Args:
        plan: The experiment.
        paths: Its paths.
        progress: Shows how far the experiment is.
        earlier: What the resumed run left.
        announcer: Tells Prefect the results.
        lease: The lease by which this driver owns the experiment.
        journal: The journal of its asynchronous search that earlier runs left, or None.
        versions: Keeps its program and its environment, or None.
        confirmed: What the resumed run left of the confirmation of its winner.
    """

    def __init__(
        self,
        plan: Plan,
        paths: ExperimentPaths,
        progress: Progress,
        earlier: Earlier,
        announcer: Announcer,
        lease: Lease,
        journal: Journal | None = None,
        versions: VersionKeeping | None = None,
        confirmed: Confirmed | None = None,
    ) -> None:
        self._plan = plan
        self.paths = paths
        self.progress = progress
        self._journal = (
            SearchJournal(plan.options.project, paths, journal, plan.making, earlier.params)
            if plan.is_asynchronous
            else None
        )
        search = plan.search()
        search.recall(earlier.params if self._journal is None else self._journal.recalled)
        self.curves = LearningCurves(plan.optimized) if plan.is_asynchronous else None
        if self.curves is not None:
            announcer.follow(self.curves)
        self.loop = TrialLoop(
            search,
            direction=plan.direction,
            retries=plan.options.retries,
            own_directory=plan.own_directory,
            order=argument_order(plan.train.callable),
            began=_began(earlier),
            rule=plan.rule(),
            record=self._recorder(),
        )
        self._loop = self.loop  # the search's; of the trials that confirm its winner, another
        self._told: set[str] = set()  # why such trials failed
        again = confirmed or Confirmed()
        self.confirming = Confirming(plan, paths, again)
        self.results: list[TrialResult] = []
        self._earlier = dict(earlier.results)
        self._resumed = plan.options.resume is not None
        self._waiting: list[Trial] = []
        self._trials: dict[Any, Trial] = {}
        self._held: list[tuple[Trial, TrialResult | None]] = []
        summary = Summary(plan.options.project, paths)
        kept = self._journal.file if self._journal is not None else None
        self.upkeep = Upkeep(paths.id, summary, lease, progress.note, kept, versions)
        self._unfinished = [*earlier.unfinished, *again.trials.unfinished]
        self.damaged = [*earlier.damaged, *again.trials.damaged]
        self._texts = text_parameters(plan.hyperparameters)
        self._sessions = Sessions(plan.options.project, paths, self._texts)
        self._announcer = announcer

    @property
    def counts(self) -> Counts:
        """How far the search is. Trials that confirm its winner count only as running."""
        return replace(self.loop.counts, running=self._loop.counts.running)

    def needs_workers(self) -> bool:
        """Whether trials are left to run: of the search, or such that confirm its winner."""
        if not self.loop.finished:
            return True
        self.confirming.begin(self.loop.best)
        return bool(self.confirming.missing)

    def forget_sessions(self) -> None:
        """Delete the end events of trials that will run again, before TensorBoard starts."""
        self._sessions.forget(self._unfinished)

    def forget_damaged(self) -> None:
        """Remove the files that say that damaged trials have begun and ended."""
        project = self._plan.options.project
        for damage in self.damaged:
            for name in (TrialFiles.OUTPUTS, TrialFiles.HPARAMS):
                path = self.paths.trial(damage.directory, name)
                with suppress(FileNotFoundError):
                    persistently(partial(project.remove, path), limit=answer_limit(project))

    def replay(self) -> None:
        """Tell the loop and Prefect the results of the resumed run.

        Of an asynchronous search, the journal has them in order; then come trials whose results
        it lacks. A trial whose files are gone runs again, and one that failed does not. Nothing
        else is written.
        """
        if self._journal is not None:
            for told in self._journal.replay(self.loop, self._earlier):
                self._earlier.pop(told.number, None)
                self._add_earlier(told)
            ended = {result.directory for result in self.results}
            self._unfinished = [place for place in self._unfinished if place not in ended]
            self._reopen()
            for number in self.loop.gone:
                self.loop.handle(TrialRepeated(number))
            for trial in self.loop.trials:
                found = self._earlier_result(trial)
                if found is None:
                    self.loop.handle(TrialReturned(trial.number))
                else:
                    self.loop.handle(TrialReplayed(found))
                    self._add_earlier(found)
        while self._earlier:
            started = self.loop.handle(SlotsFree(self.loop.running + 1))
            trials = [said.trial for said in started if isinstance(said, SubmitTrial)]
            if not trials:
                break
            for trial in trials:
                result = self._earlier_result(trial)
                if result is None:
                    self._waiting.append(trial)
                else:
                    self.loop.handle(TrialReplayed(result))
                    self._add_earlier(result)

    def _reopen(self) -> None:
        """Let a search propose trials again; one whose winner was being confirmed is over."""
        is_over = self.loop.is_closed and self.confirming.was_interrupted
        self.loop.reopen()
        if is_over:
            self.loop.handle(BudgetSpent())  # the journal has it again: in it, each run begins open

    def _add_earlier(self, result: TrialResult) -> None:
        self.results.append(result)
        self.upkeep.add(result)
        self._announcer.add_earlier(self.loop.counts, self.loop.best, result)

    def _recorder(self) -> Recorder:
        """What records the events of the trial loop: a log, the journal, and the curves."""
        log = recorder("trial loop")
        journal, curves = self._journal, self.curves
        if journal is None or curves is None:
            return log

        def record(event: Any, instructions: Any) -> None:
            journal.record(event, instructions)
            curves.record(event, instructions)
            log(event, instructions)

        return record

    def run(
        self,
        function: bytes,
        cluster: OpenCluster | None,
        runner: TrialTaskRunner | DebugRunner,
        generations: GenerationRuns,
        scratch: str | None,
    ) -> None:
        """Run all trials that have not ended.

        Args:
            function: The packed training function.
            cluster: Runs the trials; None if they run in this process.
            runner: Submits their task runs.
            generations: The subflow runs that trials of generations belong to.
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
            directory=here() or "",  # without one, a trial's begins empty
            scratch=scratch,
            resumed=self._resumed,
            sync_interval=self._plan.options.sync_interval,
            texts=self._texts,
            seed=self._plan.options.seed,
            trial_seeds=self._plan.repeats.seeds if self._plan.repeats else {},
            seeds_libraries=self._plan.options.seed_trials,
            files=self._plan.options.keep_files,
            isolation=self._plan.isolation,
            reports=new_topic(self.paths.id) if self._plan.is_asynchronous else None,
        )
        runs = self._runs(cluster, runner, job, generations)
        try:
            self._run_all(runs, generations)
        except BaseException as error:
            # Where the scheduler may be gone, nothing would be removed, after a long wait.
            if isinstance(error, HopsmlError) or not isinstance(error, OSError):
                with suppress(Exception):  # what ended the run matters more
                    runs.close()
            raise
        runs.close()
        self.upkeep.finish_files()

    def _run_all(self, runs: TrialRuns, generations: GenerationRuns) -> None:
        """Run the search, then the trials that confirm its winner."""
        self.upkeep.look()
        self.progress.begin(self.loop.counts)
        self._run_loop(runs, generations)
        self.begin_confirming()
        self._run_loop(runs, generations)
        self.progress.update(self.counts, self.loop.best, force=True)

    def begin_confirming(self) -> None:
        """Go on with the trials that confirm the winner, if any are left: the search has ended."""
        self.confirming.begin(self.loop.best)
        if self.confirming.missing:
            self.progress.note(self.confirming.intention)
            self._announcer.begin_confirming(self.confirming.intention)
            self._loop = self.confirming.loop(record=recorder("confirmation"))

    def _run_loop(self, runs: TrialRuns, generations: GenerationRuns) -> None:
        """Submit trials and take in what becomes of them, until none is left."""
        began = time.monotonic()
        while not self._loop.finished:
            if not self.upkeep.is_paused:
                for settled in self._settle_held():
                    self._tell(settled, runs, generations)
                self._submit(runs, generations)
            elif self.upkeep.is_hopeless and not self._trials:
                raise self.upkeep.interruption()
            done = runs.next_done(_TICK_SECONDS)
            self.upkeep.look()  # before anything is written: this process may have been stopped
            if self._is_spent(time.monotonic() - began):
                self._tell(BudgetSpent(), runs, generations)
            for reported in runs.reported():  # what came with a trial's end came before it
                self._tell(reported, runs, generations)
            for submission in done:
                event = self._event(submission, runs)
                if event is not None:
                    self._tell(event, runs, generations)
            self.progress.update(self.counts, self.loop.best)
            self._announcer.update(self.counts, self.loop.best)

    def _is_spent(self, seconds: float) -> bool:
        """Whether the time is over in which trials are proposed, for the first time."""
        limit = self._plan.max_seconds
        if limit is None or self._loop is not self.loop:
            return False
        return seconds > limit and not self.loop.is_closed

    def end_sessions(self) -> None:
        """Let TensorBoard show no trial as running. No trial may run now."""
        if self.upkeep.is_ours:
            self._sessions.fail_running(self._trials.values())

    def _submit(self, runs: TrialRuns, generations: GenerationRuns) -> None:
        """Submit the trials that may start now."""
        slots = runs.slots
        ahead = trials_ahead(slots, self._mean_seconds())
        waiting, self._waiting = self._waiting, []
        self._obey(map(SubmitTrial, waiting), runs, generations)
        self._tell(SlotsFree(slots, ahead), runs, generations)

    def _tell(self, event: LoopEvent, runs: TrialRuns, generations: GenerationRuns) -> None:
        """Tell the trial loop an event and do what it says."""
        self._obey(self._loop.handle(event), runs, generations)

    def _obey(
        self,
        instructions: Iterable[LoopInstruction],
        runs: TrialRuns,
        generations: GenerationRuns,
    ) -> None:
        """Do what the trial loop says."""
        for instruction in instructions:
            match instruction:
                case SubmitTrial(trial):
                    self._start(trial, runs, generations)
                case StopTrial(trial, why):
                    runs.instruct(Instruction(trial.number, trial.attempt, stop=why))
                case ExtendTrial(trial):
                    more = Instruction(trial.number, trial.attempt, budget=trial.budget)
                    runs.instruct(more)
                case KeepResult(result):
                    self._keep(result)
                case GiveUpTrial(trial, result):
                    self._sessions.end(trial, result)
                    self._keep(result)
                case CloseGeneration(over):
                    key = self._plan.optimization_key or DEFAULT_KEY
                    self.progress.note(generation_line(over, key))
                    self._announcer.close_generation(over)
                    generations.close(over)
                case RetryTrial(trial):  # its files stay for the next attempt
                    self._announcer.add_retry(trial)

    def _start(self, trial: Trial, runs: TrialRuns, generations: GenerationRuns) -> None:
        """Submit a trial, for the flow run that it belongs to."""
        owner = None
        if self._loop is not self.loop:
            trial = self.confirming.dressed(trial)
        if trial.generation is not None:
            population = self.loop.population(trial.generation)
            owner = generations.owner(trial.generation, population)
        self._trials[runs.submit(trial, owner).task_run_id] = trial

    def _earlier_result(self, trial: Trial) -> TrialResult | None:
        """A trial's result in the resumed run, with the search's own values, or None."""
        result = self._earlier.pop(trial.number, None)
        if result is None:
            return None
        if image_key(result.params) == image_key(trial.params):
            return self.loop.explained(replace(result, name=trial.name, params=trial.params))
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
        """Record a result and announce it."""
        self._announcer.add_exports(result)
        if self._loop is not self.loop:
            self.confirming.add(result)
            self._announcer.add_confirming(result)
            self._note_failure(result)
            return
        self.results.append(result)
        self.upkeep.add(result)
        self._announcer.add(self.loop.counts, self.loop.best, result)

    def _note_failure(self, result: TrialResult) -> None:
        """Say why a trial failed that confirms the winner: each cause once."""
        cause = str(result.failure or "no metric")
        if not result.succeeded and cause not in self._told:
            self._told.add(cause)
            self.progress.note(f"Trial {result.number} failed: {one_line(cause)}")

    def _hold(self, trial: Trial, result: TrialResult | None) -> bool:
        """Hold a trial back from the trial loop if storage takes nothing now.

        Args:
            trial: The trial.
            result: Its result, if storage did not take its files; None if it did not run.

        Returns:
            Whether it is held.
        """
        self.upkeep.suspect()
        if self.upkeep.is_paused:
            self._held.append((trial, result))
        return self.upkeep.is_paused

    def _settle_held(self) -> Iterator[LoopEvent]:
        """Judge the trials that were held, one by one, now that storage takes files again."""
        held, self._held = self._held, []
        for trial, failed in held:
            if failed is None:
                yield TrialReturned(trial.number)
            else:
                yield TrialDone(self._result_with_files(trial, failed))

    def _result_with_files(self, trial: Trial, failed: TrialResult) -> TrialResult:
        """The result of a trial whose files were kept; those on this machine are brought now."""
        project = self._plan.options.project
        try:
            taken = take_kept(project, self.paths, trial.directory)
            result = read_committed(project, self.paths, trial) if taken else None
        except Exception as error:
            if not is_of_storage(error):
                raise
            result = None
        if result is None:
            self._sessions.end(trial, failed)
            return failed
        self.upkeep.released(failed)
        return result

    def _runs(
        self,
        cluster: OpenCluster | None,
        runner: TrialTaskRunner | DebugRunner,
        job: Job,
        generations: GenerationRuns,
    ) -> TrialRuns:
        """What runs the trials: in this process, as one process each, or as several."""
        if isinstance(runner, DebugRunner):
            runs = DebugRuns(runner, job, self._plan.train.callable)
            if self._plan.is_asynchronous:  # it reports while `next_done` runs it
                runs.listen(lambda reported: self._tell(reported, runs, generations))
            return runs
        assert cluster is not None
        shared = runner.share("job", job)
        relay = None if job.reports is None else ReportRelay(runner, job.reports)
        if self._plan.group is None:
            by_value = self._plan.options.cluster.elsewhere
            return SingleRuns(cluster, runner, shared, relay, by_value=by_value)
        return GroupRuns(self._plan.group, self._plan.verb, cluster, runner, job, shared, relay)

    def _event(self, submission: Submission, runs: TrialRuns) -> LoopEvent | None:
        """What the end of a submission is for the trial loop; None if the trial is held."""
        trial = self._trials.pop(submission.task_run_id)
        outcome = submission.outcome()
        error = outcome.error
        result = _reported(outcome)
        if result is not None:
            if not result.worker:  # a process that was ended has told TensorBoard nothing
                self._sessions.end(trial, result)
            return self._reported_event(trial, replace(result, params=trial.params))
        if isinstance(error, TrialStoppedError):
            return self._stop_event(trial, error, outcome)
        if isinstance(error, WorkerLostError):
            event = self._loss_event(trial, error, outcome)
            if isinstance(event, TrialDone):
                runs.confirm(submission, event.result)
            return event
        # Its task failed, not its function: storage may have kept it from beginning.
        if error is not None and is_of_storage(error) and self._hold(trial, None):
            return None
        return TrialDone(self._unreported(trial, outcome))

    def _reported_event(self, trial: Trial, result: TrialResult) -> TrialDone | None:
        """The end of a trial with a result; None if storage takes its files only later."""
        self.upkeep.keeps(result)
        if result.failure is None or result.failure.kind != StorageUnavailableError.__name__:
            return TrialDone(result)
        if self._hold(trial, result):
            return None
        return TrialDone(self._result_with_files(trial, result))

    def _stop_event(
        self, trial: Trial, error: TrialStoppedError, outcome: Outcome
    ) -> TrialDone | TrialStopped:
        """The end of a trial that was stopped: it may have committed a result before."""
        try:
            result = read_committed(self._plan.options.project, self.paths, trial)
        except Exception as unread:
            if not is_of_storage(unread):
                raise
            result = None
        if result is not None:
            return TrialDone(result)
        times = {"started": outcome.started, "ended": outcome.ended}
        return TrialStopped(trial.number, str(error), **times)

    def _loss_event(
        self, trial: Trial, error: WorkerLostError, outcome: Outcome
    ) -> TrialDone | TrialLost | None:
        """The end of a trial whose worker died: it may have committed a result before."""
        try:
            result = read_committed(self._plan.options.project, self.paths, trial)
        except Exception as unread:
            if not is_of_storage(unread):
                raise
            if self._hold(trial, None):  # tried again, it finds what it committed
                return None
            result = None
        if result is not None:
            return TrialDone(result)
        return TrialLost(
            trial.number, str(error), outcome.started, outcome.ended, cut_off=outcome.cut_off
        )

    def _unreported(self, trial: Trial, outcome: Outcome) -> TrialResult:
        """The failed result of a trial that could not report itself."""
        result = TrialResult.without_report(
            trial, _failure(outcome), started=outcome.started, ended=outcome.ended
        )
        self._sessions.end(trial, result)
        return result

    def _mean_seconds(self) -> float | None:
        recent = [result.duration for result in self.results[-20:]]
        return sum(recent) / len(recent) if recent else None


def _failure(outcome: Outcome) -> Failure:
    """Why a trial failed that could not report itself."""
    error = outcome.error
    return Failure(type(error).__name__, str(error or outcome.message))


def _began(earlier: Earlier) -> dict[int, Trial]:
    """The trials that the resumed run began."""
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
