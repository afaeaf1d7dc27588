"""What experiments that overlap in one process leave of it: all that is global is as before."""

from __future__ import annotations

import copy
import logging
import os
import sys
import threading
import warnings

import cloudpickle
import dask
import distributed
import pytest
from distributed.utils import DequeHandler

from hopsml_flows import experiment
from hopsml_flows.experiment import ClusterConfig
from tests.waiting import wait_until

ONE = ClusterConfig(kind="local", n_workers=1)
NAMES = ("", "distributed", "distributed.scheduler", "distributed.nanny", "prefect", "httpx",
         "prefect.flow_runs", "prefect.task_runs")  # fmt: skip


def handlers(logger):
    """Those that print: Dask's own memories of what its servers said go with these, by and by."""
    return [h for h in logger.handlers if not isinstance(h, DequeHandler)]


def snapshot():
    """All that is one for the process and that an experiment has to do with."""
    loggers = [logging.getLogger(name) for name in NAMES]
    return {
        "dask": copy.deepcopy(dask.config.config),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "loggers": [(log.name, log.level, log.filters[:], handlers(log)) for log in loggers],
        "handlers": [(h.level, h.filters[:]) for log in loggers for h in handlers(log)],
        "streams": (sys.stdout, sys.stderr, sys.excepthook, sys.displayhook),
        "warnings": (warnings.filters[:], warnings.showwarning),
        "by value": set(cloudpickle.list_registry_pickle_by_value()),
        "switch interval": sys.getswitchinterval(),
        "path": sys.path[:],
        "directory": os.getcwd(),
    }


@pytest.fixture
def gates(tmp_path):
    """Two files; each trial waits for the one that it is told."""
    return [str(tmp_path / "first"), str(tmp_path / "second")]


def _overlapping(project, gates, between, verb):
    """Run two experiments: the first to begin is the first to end, while the other one goes on."""

    def train(x, gate):
        import os
        import time

        open(f"{gate}-began", "w").close()
        while not os.path.exists(gate):
            time.sleep(0.05)
        return x

    results: list = []

    def run(gate):
        results.append(verb(train, gate, project))

    threads = [threading.Thread(target=run, args=(gate,)) for gate in gates]
    for thread, gate in zip(threads, gates, strict=True):
        thread.start()
        wait_until(lambda gate=gate: os.path.exists(f"{gate}-began"), 120, "its beginning")
    between()
    for thread, gate in zip(threads, gates, strict=True):
        open(gate, "w").close()
        thread.join(120)
        assert not thread.is_alive()
    assert all(result.best is not None for result in results)
    assert len(results) == 2


def _grid(train, gate, project):
    return experiment.grid_search(
        train, {"x": [1], "gate": [gate]}, project=str(project), cluster=ONE, progress=False
    )


def _evolution(train, gate, project):
    def of_generation(x):
        return train(x, gate)

    return experiment.differential_evolution(
        of_generation, {"x": [0.0, 1.0]}, project=str(project), generations=1, population=4,
        cluster=ONE, progress=False, seed=1,
    )  # fmt: skip


@pytest.mark.parametrize("verb", [_grid, _evolution])
def test_two_that_overlap_leave_the_process_as_it_was(prefect_server, project, gates, verb):
    _grid_once = experiment.grid_search(  # what is set up once for a process
        lambda x: x, {"x": [1]}, project=str(project), cluster=ONE, progress=False
    )
    assert _grid_once.best is not None
    before = snapshot()
    during: list = []
    _overlapping(project, gates, lambda: during.append(snapshot()), verb)
    after = snapshot()
    assert during[0]["dask"] != before["dask"]  # or this would show nothing
    assert during[0]["loggers"] != before["loggers"]
    for name, value in before.items():
        assert after[name] == value, name


def test_what_the_user_changes_meanwhile_stays(prefect_server, project, gates, monkeypatch):
    logger = logging.getLogger("distributed")
    level, allowed = logger.level, dask.config.get("distributed.scheduler.allowed-failures")

    def between():
        logger.setLevel(logging.DEBUG)
        dask.config.set({"distributed.scheduler.allowed-failures": 7})
        os.environ["OMP_NUM_THREADS"] = "3"

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        _overlapping(project, gates, between, _grid)
        assert logger.level == logging.DEBUG
        assert dask.config.get("distributed.scheduler.allowed-failures") == 7
        assert os.environ["OMP_NUM_THREADS"] == "3"
    finally:
        logger.setLevel(level)
        dask.config.set({"distributed.scheduler.allowed-failures": allowed})


def test_a_users_workers_are_left_as_they_were(prefect_server, project):
    def state():
        import logging
        import os
        import sys

        from prefect.logging.handlers import PrefectConsoleHandler

        names = ("", "prefect", "prefect.flow_runs", "prefect.task_runs", "httpx", "httpcore")
        loggers = [logging.getLogger(name) for name in names]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
        return (
            round(sys.getswitchinterval(), 6),
            environment,
            [(log.level, len(log.filters)) for log in loggers],
            [
                (type(handler).__name__, handler.level, len(handler.filters))
                for log in loggers
                for handler in log.handlers
                if isinstance(handler, PrefectConsoleHandler)
            ],
        )

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):

        def run():
            result = experiment.grid_search(
                lambda x: x, {"x": [1, 2]}, project=str(project),
                cluster=cluster.scheduler_address, progress=False,
            )  # fmt: skip
            assert not result.failed

        run()  # what is imported there once sets up its loggers
        before = client.run(state)
        run()
        wait_until(lambda: client.run(state) == before, 30, "that all is as before")
