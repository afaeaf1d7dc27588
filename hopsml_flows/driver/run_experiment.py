"""Runs a plan inside a Prefect flow run: directory, record, cluster, trials, report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext

from prefect.logging import get_run_logger

from hopsml_flows.cluster.config_fields import DEBUG
from hopsml_flows.cluster.early_cluster import EarlyCluster
from hopsml_flows.cluster.open_cluster import OpenCluster
from hopsml_flows.cluster.runner import TrialTaskRunner
from hopsml_flows.driver.conclusion import Conclusion
from hopsml_flows.driver.confirming import Confirmed
from hopsml_flows.driver.debug_runs import DebugRunner
from hopsml_flows.driver.driver import Driver
from hopsml_flows.driver.experiment_cluster import experiment_cluster
from hopsml_flows.driver.experiment_result import experiment_result
from hopsml_flows.driver.generation_subflows import GenerationRuns
from hopsml_flows.driver.interruption import experiment_begins
from hopsml_flows.driver.live_tensorboard import ShownExperiment
from hopsml_flows.driver.page_links import page_links
from hopsml_flows.driver.picture_files import draw_pictures
from hopsml_flows.driver.record_keeping import Ending, record_file, unwritable, write_start
from hopsml_flows.driver.report import FinalState, failure_text, final_state, print_report
from hopsml_flows.driver.search_journal import read_journal
from hopsml_flows.driver.version_keeping import VersionKeeping
from hopsml_flows.errors import ExperimentFailedError
from hopsml_flows.execution import (
    Damage,
    Earlier,
    earlier_confirmations,
    earlier_trials,
    packed,
    take_kept,
)
from hopsml_flows.plan.earlier_record import earlier_record
from hopsml_flows.plan.plan import Plan
from hopsml_flows.plan.resume import check_budget
from hopsml_flows.plan.retry import Attempt, continue_attempt
from hopsml_flows.server.dead_runs import declare_crashed
from hopsml_flows.server.embedded import server_keeps_all
from hopsml_flows.storage import (
    ExperimentPaths,
    is_of_storage,
    process_lives,
    reach_loopback_directly,
)
from hopsml_flows.storage.lease import Lease, take_lease
from hopsml_flows.tracking import ExperimentRecord, open_progress, show_start
from hopsml_flows.tracking.prefect.announcer import Announcer
from hopsml_flows.trials import ExperimentResult, State, run_name
from hopsml_flows.trials.journal import Journal
from hopsml_flows.user_warnings import warn

__all__ = ["run"]


def run(
    plan: Plan, attempt: Attempt, early: EarlyCluster[OpenCluster] | None = None
) -> tuple[ExperimentResult, FinalState]:
    """Run an experiment to its end.

    Args:
        plan: The checked experiment.
        attempt: Which attempt of the Prefect run this is; a later one resumes its experiment.
        early: The experiment's cluster, if it is being started already.

    Returns:
        Its result, and the final state of its flow run.

    Raises:
        ExperimentFailedError: All trials failed.
        ExperimentRunningError: Another driver runs the experiment to resume.
        ExperimentInterruptedError: Storage takes nothing any more; `resume` continues it.
        ExperimentTakenOverError: Another driver took the experiment over.
    """
    reach_loopback_directly()
    plan = continue_attempt(plan, attempt)
    for notice in plan.notices:
        get_run_logger().info("Experiment %s %s", plan.options.name, notice)
    paths = ExperimentPaths(attempt.experiment(plan))
    versions = VersionKeeping(
        plan.options.project,
        paths,
        plan.train.source_file,
        repeats=ExperimentPaths(plan.repeats.experiment) if plan.repeats else None,
    )
    function = packed(plan.train.callable, by_value=plan.options.cluster.elsewhere)
    # A line that is redrawn would cover what a debugger shows.
    live = plan.options.cluster.kind != DEBUG
    progress = open_progress(
        show=plan.options.progress, live=live, metric=plan.optimization_key or "metric"
    )
    if plan.points is not None and (shortage := plan.points.shortage):
        progress.note(shortage)
    with ExitStack() as stack:
        stack.enter_context(versions)
        # Held from before the first read of the experiment until after the last write.
        lease = stack.enter_context(_take_lease(plan, paths, progress.note))
        earlier, left, confirmed = _read_earlier(plan, paths, progress.note)
        journal = _earlier_journal(plan, paths, left)
        dead = earlier.flow_run_id if earlier and _left_its_run(earlier) else None
        shown = stack.enter_context(ShownExperiment(plan, paths))
        record = record_file(plan, paths, earlier, origin=attempt.origin, tensorboard=shown.url)
        announcer = Announcer(
            record,
            directory=plan.options.project.full(paths.root),
            direction=plan.direction,
            tensorboard=shown.url,
            run_name=run_name(paths.id, record.record.attempt),
        )
        again = Confirmed.of(confirmed, earlier)
        driver = Driver(plan, paths, progress, left, announcer, lease, journal, versions, again)
        stack.enter_context(announcer)
        driver.replay()  # before anything of the experiment is changed
        _warn_of_damage(driver.damaged)
        # Around the first write of the record too: a run may be stopped at any time.
        with Ending(record, paths, driver.loop, driver.upkeep, versions) as ending:
            experiment_begins(paths.id)
            write_start(plan, paths, record, versions)
            if dead is not None and dead != record.record.flow_run_id:
                declare_crashed(dead, f"flow run {record.record.flow_run_id}")
            driver.forget_damaged()
            driver.forget_sessions()
            shown.start(progress)  # it keeps the first status that it reads of a trial
            links = page_links(plan, paths, shown.url)
            progress.show_links(links)
            conclusion = Conclusion(plan, driver, record, announcer)
            if driver.needs_workers():
                number = record.record.attempt
                _run_trials(plan, driver, function, ending, conclusion, early, number)
            else:
                driver.upkeep.finish_files()
            if not ending.is_written:  # no worker is held while a person is asked
                conclusion.draw()
                ending.write(None)
        found = plan.judge(driver.results) if plan.judge is not None else None
        pictures = draw_pictures(plan, paths, driver.results, [*(driver.curves or ())], found)
        announcer.show(pictures, found)
    failure = driver.loop.failure
    result = experiment_result(plan, driver, record.record, pictures, links, conclusion, found)
    if (cause := driver.loop.notice) is not None:
        said = f"{paths.id} ended before its budget was spent: {cause}"
        get_run_logger().warning(said)
        warn(said)
    if plan.points is not None and (shortfall := plan.points.shortfall(len(result.trials))):
        progress.note(shortfall)
    if plan.options.progress:
        print_report(plan, result)
    first = driver.loop.first_failure
    if result.state is State.FAILED and first is not None:
        raise ExperimentFailedError(failure_text(result.id, failure or "", first), result)
    return result, final_state(plan, result, driver.loop.notice)


def _left_its_run(earlier: ExperimentRecord) -> bool:
    """Whether an earlier driver may not have told Prefect its end.

    It writes the record before that, and may have been killed in between.
    """
    return earlier.state is State.RUNNING or process_lives(earlier.driver) is False


def _warn_of_damage(damaged: Sequence[Damage]) -> None:
    for damage in damaged:
        text = f"a trial that was done is run again: {damage.error}"
        get_run_logger().warning(text)
        warn(text)


def _take_lease(plan: Plan, paths: ExperimentPaths, note: Callable[[str], None]) -> Lease:
    """Make the experiment's directory and take its lease.

    Raises:
        ExperimentRunningError: Another driver holds it.
        InvalidProjectError: The project cannot be written.
    """
    project = plan.options.project
    try:
        project.make_directory(paths.root)
        return take_lease(project, paths, note, new=plan.options.resume is None)
    except Exception as error:
        if not is_of_storage(error):
            raise
        raise unwritable(plan, error) from error


def _read_earlier(
    plan: Plan, paths: ExperimentPaths, note: Callable[[str], None]
) -> tuple[ExperimentRecord | None, Earlier, Earlier]:
    """Bring trials that this machine keeps; read what earlier runs of the experiment left."""
    if plan.options.resume is None:
        return None, Earlier({}, {}), Earlier({}, {})
    project = plan.options.project
    try:
        taken = take_kept(project, paths)
    except Exception as error:
        if not is_of_storage(error):
            raise
        raise unwritable(plan, error) from error
    if taken:
        note(f"{len(taken)} trials were kept on this machine, and are in the project now")
    earlier = earlier_record(project, paths.id)
    left = earlier_trials(project, paths, needs_metric=plan.needs_metric)
    confirmed = Earlier({}, {})
    if plan.options.confirm is not None:
        confirmed = earlier_confirmations(project, paths, needs_metric=plan.needs_metric)
    return earlier, left, confirmed


def _earlier_journal(plan: Plan, paths: ExperimentPaths, left: Earlier) -> Journal | None:
    """Read the journal that the search goes on from; None if it begins, or has none.

    Raises:
        InvalidArgumentError: There are more trials than the plan has.
    """
    journal = None
    if plan.is_asynchronous and plan.options.resume is not None:
        journal = read_journal(plan.options.project, paths)
    check_budget(plan, left, journal)
    # Where none succeeded, nothing was learned: as with other verbs, failed trials run again.
    return journal if left.results else None


def _run_trials(
    plan: Plan,
    driver: Driver,
    function: bytes,
    ending: Ending,
    conclusion: Conclusion,
    early: EarlyCluster[OpenCluster] | None,
    attempt: int,
) -> None:
    with ExitStack() as stack:
        stack.callback(driver.end_sessions)  # when no worker writes any more
        scratch = None
        if not plan.options.cluster.elsewhere:
            # The driver removes it: a worker that is killed cleans up nothing.
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hopsml-"))
        cluster: OpenCluster | None = None
        opening: AbstractContextManager[OpenCluster]
        runner: TrialTaskRunner | DebugRunner
        if plan.options.cluster.kind == DEBUG:
            stack.enter_context(driver.progress)
            runner = stack.enter_context(
                DebugRunner(server_keeps_all=server_keeps_all, all_states=plan.options.all_states)
            )
        else:
            if early is not None and not early.is_taken:
                opening = early.taken()
            else:
                opening = experiment_cluster(plan)
            with show_start("the workers", show=plan.options.progress):
                cluster = stack.enter_context(opening)
            stack.enter_context(cluster.lending())
            stack.enter_context(driver.progress)
            runner = stack.enter_context(
                TrialTaskRunner(
                    cluster,
                    inherit_tags=False,
                    console_logs=False,
                    server_keeps_all=server_keeps_all,
                    all_states=plan.options.all_states,
                )
            )
        generations = stack.enter_context(GenerationRuns(runner, driver.paths.id, attempt))
        # Write the end now: closing runner and cluster may take a while.
        try:
            with cluster.telling_its_end() if cluster else nullcontext():
                driver.run(function, cluster, runner, generations, scratch)
                if conclusion.asks:
                    return
                conclusion.draw()
        except BaseException as error:
            ending.write(error)
            driver.upkeep.last_words()
            raise
        ending.write(None)
        conclusion.announcer.finish()
