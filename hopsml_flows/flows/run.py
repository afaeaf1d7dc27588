"""Carrying out a plan inside a Prefect flow run: directory, record, cluster, trials, report."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from prefect.logging import get_run_logger

from hopsml_flows.cluster.opened import open_cluster
from hopsml_flows.cluster.runner import TrialTaskRunner
from hopsml_flows.errors import ExperimentFailedError, HopsmlWarning
from hopsml_flows.execution import Damage, Earlier, earlier_trials, packed
from hopsml_flows.flows.dead_runs import declare_crashed
from hopsml_flows.flows.driver import Driver
from hopsml_flows.flows.earlier import earlier_record
from hopsml_flows.flows.generation import GenerationRuns
from hopsml_flows.flows.pictured import draw_pictures
from hopsml_flows.flows.plan import Plan
from hopsml_flows.flows.records import Ending, record_file, write_start
from hopsml_flows.flows.report import print_report
from hopsml_flows.flows.resume import check_budget
from hopsml_flows.flows.retry import Attempt, gone_on
from hopsml_flows.flows.server import server_is_embedded
from hopsml_flows.flows.shown import ShownExperiment
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.tracking import ExperimentRecord, open_progress
from hopsml_flows.tracking.announcer import Announcer
from hopsml_flows.trials import ExperimentResult, State, experiment_id

__all__ = ["run"]


def run(plan: Plan, attempt: Attempt) -> ExperimentResult:
    """Run an experiment to its end.

    Args:
        plan: The checked experiment.
        attempt: Which attempt of Prefect's this is; another one goes on with its experiment.

    Returns:
        Its result.

    Raises:
        ExperimentFailedError: All trials failed.
    """
    plan = gone_on(plan, attempt)
    for notice in plan.notices:
        get_run_logger().info("Experiment %s %s", plan.options.name, notice)
    earlier: ExperimentRecord | None = None
    dead: str | None = None
    left = Earlier({}, {})
    if plan.options.resume is not None:
        paths = ExperimentPaths(plan.options.resume)
        earlier = earlier_record(plan.options.project, paths.id)
        left = earlier_trials(plan.options.project, paths, needs_metric=plan.needs_metric)
        check_budget(plan, left)
        dead = earlier.flow_run_id if earlier.state is State.RUNNING else None
    else:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        paths = ExperimentPaths(experiment_id(plan.options.name, stamp, attempt.suffix))
    function = packed(plan.train.callable, by_value=plan.options.cluster.elsewhere)
    with ExitStack() as stack:
        shown = stack.enter_context(ShownExperiment(plan, paths))
        record = record_file(plan, paths, earlier, origin=attempt.origin, tensorboard=shown.url)
        progress = open_progress(show=plan.options.progress)
        announcer = Announcer(
            record,
            directory=plan.options.project.full(paths.root),
            direction=plan.direction,
            tensorboard=shown.url,
        )
        driver = Driver(plan, paths, progress, left, announcer)
        stack.enter_context(announcer)
        driver.replay()  # before anything of the experiment is changed
        _warn_of_damage(driver.damaged)
        # From the record's first word on: a run may be stopped at any time.
        with Ending(record, paths, driver.loop) as ending:
            write_start(plan, paths, record)
            if dead is not None and dead != record.record.flow_run_id:
                declare_crashed(dead, f"flow run {record.record.flow_run_id}")
            driver.forget_damaged()
            driver.forget_sessions()
            shown.start(progress)  # it keeps the first status that it reads of a trial
            if not driver.loop.finished:
                _run_trials(plan, driver, function, ending)
            driver.write_summary()
        announcer.show(draw_pictures(plan, paths, driver.results))
    failure = driver.loop.failure
    result = ExperimentResult(
        id=paths.id,
        function=plan.verb,
        path=plan.options.project.full(paths.root),
        state=record.record.state,
        direction=plan.direction,
        best=driver.loop.best,
        trials=tuple(sorted(driver.results, key=lambda trial: trial.number)),
        duration=record.record.duration or 0.0,
        flow_run_id=record.record.flow_run_id,
    )
    if (early := driver.loop.notice) is not None:
        said = f"{paths.id} ended before its budget was spent: {early}"
        get_run_logger().warning(said)
        warnings.warn(HopsmlWarning(said), stacklevel=2)
    if plan.options.progress:
        print_report(plan, result)
    first = driver.loop.first_failure
    if result.state is State.FAILED and first is not None:
        log = plan.options.project.full(paths.trial(first.directory))
        raise ExperimentFailedError(f"{result.id}: {failure} (log: {log})", result)
    return result


def _warn_of_damage(damaged: Sequence[Damage]) -> None:
    for damage in damaged:
        text = f"a trial that was done is run again: {damage.error}"
        get_run_logger().warning(text)
        warnings.warn(HopsmlWarning(text), stacklevel=3)


def _run_trials(plan: Plan, driver: Driver, function: bytes, ending: Ending) -> None:
    with ExitStack() as stack:
        stack.callback(driver.end_sessions)  # when no worker writes any more
        scratch = None
        if not plan.options.cluster.elsewhere:
            # Removed by this process: a worker that is killed cleans up nothing.
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hopsml-"))
        size = plan.group.size if plan.group else None
        options = plan.options
        cluster = stack.enter_context(
            open_cluster(options.cluster, trials=plan.trials, group=size, project=options.project)
        )
        stack.enter_context(driver.progress)
        runner = stack.enter_context(
            TrialTaskRunner(
                cluster,
                inherit_tags=False,
                console_logs=False,
                wait_for_server=server_is_embedded(),
            )
        )
        generations = stack.enter_context(GenerationRuns(runner, driver.paths.id))
        # The end is written at once, either way: closing runner and cluster may take a while.
        try:
            with cluster.telling_its_end():
                driver.run(function, cluster, runner, generations, scratch)
        except BaseException as error:
            ending.write(error)
            raise
        finally:
            driver.write_summary()
        ending.write(None)
