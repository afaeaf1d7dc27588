"""This project: a whole grid search on local files, and its task runner alone without files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contenders.noop import noop
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from window import Held, Window

from hopsml_flows import experiment
from hopsml_flows.cluster import ClusterConfig, TrialTaskRunner
from hopsml_flows.trials import ExperimentResult

CLUSTER = ClusterConfig(kind="local", n_workers=2)


def fresh(window: Window, directory: Path) -> ExperimentResult:
    """Run a grid search whose trials have a fresh process each."""
    return whole(window, directory, isolation="process")


def whole(window: Window, directory: Path, isolation: str = "worker") -> ExperimentResult:
    """Run a grid search as a user does; the task runner it uses is watched, not changed."""
    with _watched_runner(window):
        result = experiment.grid_search(
            noop,
            {"x": list(range(window.trials))},
            project=str(directory / "project"),
            cluster=CLUSTER,
            progress=False,
            isolation=isolation,
        )
    if len(result.trials) != window.trials or result.failed:
        raise RuntimeError(f"{len(result.trials)} trials, {len(result.failed)} failed")
    return result


def runner_alone(window: Window, directory: Path) -> None:  # noqa: ARG001 - it writes no files
    """Submit Prefect tasks to the runner, with the settings that experiments use it with."""
    if sorted(noop_flow(Held.put(window))) != list(range(window.trials)):
        raise RuntimeError("results are missing")


@task(cache_policy=NO_CACHE)
def noop_task(x):
    return x


@flow(task_runner=TrialTaskRunner(CLUSTER, inherit_tags=False, console_logs=False))
def noop_flow(trials: int) -> list[int]:
    window = Held.window
    runner = FlowRunContext.get().task_runner
    # Opens the cluster and has the workers import Prefect, as an experiment does with its job.
    runner.share("nothing", None)
    window.begin()
    with window.submitting():
        first = runner.submit(noop_task, {"x": 0})
        first.add_done_callback(window.first_done)
        for x in range(1, trials):
            runner.submit(noop_task, {"x": x})
    results: list[int] = []
    while len(results) < trials:
        results.extend(future.result() for future in runner.next_done())
    window.end()
    return results


@contextmanager
def _watched_runner(window: Window) -> Iterator[None]:
    """Note when the runner gets the first trial and gives the last result."""
    submit, next_done = TrialTaskRunner.submit, TrialTaskRunner.next_done
    done = 0

    def watched_submit(self, *args, **kwargs):
        first = not window.began
        if first:
            window.begin()
        started = time.perf_counter()
        future = submit(self, *args, **kwargs)
        window.add_submitting(time.perf_counter() - started)
        if first:
            future.add_done_callback(window.first_done)
        return future

    def watched_next_done(self, *args, **kwargs):
        nonlocal done
        futures = next_done(self, *args, **kwargs)
        if futures:
            done += len(futures)
            if done == window.trials:
                window.end()
        return futures

    TrialTaskRunner.submit, TrialTaskRunner.next_done = watched_submit, watched_next_done
    try:
        yield
    finally:
        TrialTaskRunner.submit, TrialTaskRunner.next_done = submit, next_done
