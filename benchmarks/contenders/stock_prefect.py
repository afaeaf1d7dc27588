"""Prefect on Dask as it comes: prefect-dask's task runner, the same cluster shape."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect_dask import DaskTaskRunner
from window import Held, Window

RUNNER = DaskTaskRunner(
    cluster_kwargs={
        "n_workers": 2,
        "threads_per_worker": 1,
        "processes": True,
        "dashboard_address": None,
    }
)


def run(window: Window, directory: Path) -> None:  # noqa: ARG001 - it writes no files
    if noop_flow(Held.put(window)) != list(range(window.trials)):
        raise RuntimeError("results are missing")


def import_prefect():
    """Do nothing: to find this function, a worker imports this module."""


@task(cache_policy=NO_CACHE)
def noop_task(x):
    return x


@flow(task_runner=RUNNER)
def noop_flow(trials: int) -> list[int]:
    window = Held.window
    # Starts the cluster and has the workers import Prefect, as this project's are by then.
    FlowRunContext.get().task_runner.client.run(import_prefect)
    window.begin()
    with window.submitting():
        futures = [noop_task.submit(0)]
        futures[0].wrapped_future.add_done_callback(window.first_done)
        futures += [noop_task.submit(x) for x in range(1, trials)]
    results = [future.result() for future in futures]
    window.end()
    return results
