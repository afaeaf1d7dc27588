from __future__ import annotations

import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import distributed
import psutil
import pytest
from distributed.core import Status

from hopsml_flows import experiment
from hopsml_flows.cluster import open_cluster as opened
from hopsml_flows.cluster.open_cluster import close_local_cluster, open_cluster
from hopsml_flows.cluster.orphans import MARK
from hopsml_flows.errors import InvalidClusterError, ResourceUnavailableError
from hopsml_flows.experiment import ClusterConfig
from hopsml_flows.testing import WorkerProcessConformance
from tests.logs import printed
from tests.waiting import eventually

from .training import product


class TestLocalCluster(WorkerProcessConformance):
    @pytest.fixture
    def prefect_api_url(self, prefect_server):
        return prefect_server

    @pytest.fixture
    def cluster(self):
        return ClusterConfig(kind="local", n_workers=2)


class TestRunningCluster(WorkerProcessConformance):
    @pytest.fixture
    def prefect_api_url(self, prefect_server):
        return prefect_server

    @pytest.fixture
    def cluster(self, dask_address):
        return dask_address


def test_workers_carry_a_mark_of_their_own_and_the_driver_none(monkeypatch):
    monkeypatch.setenv(MARK, "of another driver")
    with open_cluster(ClusterConfig(kind="local", n_workers=2)) as cluster:
        pids = cluster.client.run(lambda: __import__("os").getpid()).values()
        marks = {psutil.Process(pid).environ()[MARK] for pid in pids}
        assert marks == {cluster.mark}
        assert MARK not in os.environ


def test_idle_workers_are_given_back_and_come_again():
    config = ClusterConfig(kind="local", n_workers=2, idle_timeout=2)
    with open_cluster(config) as cluster:
        assert len(cluster.client.nthreads()) == 2
        deadline = time.monotonic() + 40
        while cluster.client.nthreads() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert cluster.client.nthreads() == {}
        assert cluster.client.submit(sum, [1, 2]).result(timeout=60) == 3


def test_a_running_cluster_is_used_and_left_running(options):
    experiment.grid_search(product, {"x": [1, 2]}, **options)
    with distributed.Client(options["cluster"], set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        plugins = client.run(lambda dask_worker: list(dask_worker.plugins))
        assert not any("hopsml" in name for names in plugins.values() for name in names)


RUNNING = """
import sys, time, distributed
with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("verb", [experiment.launch, experiment.mirrored])
def test_a_scheduler_that_dies_is_an_error_that_says_so(project, prefect_server, verb):
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as cluster:  # fmt: skip
        pid = cluster.pid
        try:
            address = cluster.stdout.readline().strip()

            def train():
                import os
                import signal
                import time

                os.kill(pid, signal.SIGKILL)
                time.sleep(1000)

            with pytest.raises(ResourceUnavailableError, match="scheduler is gone"):
                verb(train, project=str(project), cluster=address, progress=False)
        finally:
            cluster.kill()


def test_a_scheduler_that_does_not_answer_is_an_error_in_time(project, prefect_server, monkeypatch):
    assert opened.CONNECT_SECONDS == 10
    monkeypatch.setattr(opened, "CONNECT_SECONDS", 2)
    with socket.socket() as silent:  # accepts connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        said = f"{address}.* because no scheduler answered there within 2 s"
        with pytest.raises(InvalidClusterError, match=said):
            experiment.grid_search(product, {"x": [1]}, project=str(project), cluster=address)
    assert not project.exists()


def test_cuda_without_a_gpu_is_an_error(project, prefect_server):
    from hopsml_flows.execution import visible_gpus

    if visible_gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InvalidClusterError, match="NVML finds no NVIDIA GPU"):
        experiment.grid_search(product, {"x": [1]}, project=str(project), cluster="cuda")
    assert not project.exists()


def test_a_worker_of_several_threads_keeps_trials_apart(prefect_server, project):
    def train(x):
        import time

        for step in range(5):
            print(f"trial {x} step {step}")
            time.sleep(0.05)
        return x

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        result = experiment.grid_search(
            train,
            {"x": [1, 2]},
            project=str(project),
            cluster=cluster.scheduler_address,
            progress=False,
        )
    for trial in result.trials:
        log = (project / "Experiments" / result.id / trial.directory / "output.log").read_text()
        assert trial.devices is not None  # each has a process of its own
        assert printed(log) == [f"trial {trial.params['x']} step {step}" for step in range(5)]


def test_a_cluster_closes_though_a_nanny_never_heard_of_its_worker(monkeypatch):
    """When this fails since no nanny waits any more, Dask has mended it: close without force."""
    monkeypatch.setattr(opened, "CLOSE_SECONDS", 3)
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    )
    nanny = cluster.workers[0]

    def knows():
        return nanny.process.status is Status.running

    try:
        for _ in range(60):  # about every second one is enough
            _kill_twice(nanny)
            if (
                not eventually(knows, bool, 5)
                and eventually(lambda: knows() or cluster.scheduler.workers, bool)
                and not eventually(knows, bool, 5)
            ):
                break
        else:
            pytest.fail("no nanny lost the start of its worker")
        worker = psutil.Process(nanny.pid)
    finally:
        close_local_cluster(cluster)
    _, alive = psutil.wait_procs([worker], timeout=10)
    assert alive == []


def _kill_twice(nanny):
    """Kill a worker process, and the next one while it starts."""
    for wait in (0, 0.2 + random.random() / 10):  # at any point between two looks of the nanny
        time.sleep(wait)
        killed = nanny.pid
        os.kill(killed, signal.SIGKILL)
        old = (None, killed)
        assert eventually(lambda: _pid(nanny), lambda pid, old=old: pid not in old, 30, 0.01)


def _pid(nanny) -> int | None:
    with suppress(AttributeError, ValueError):  # its event loop lets go of the process meanwhile
        return nanny.pid
