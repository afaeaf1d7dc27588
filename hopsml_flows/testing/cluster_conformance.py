"""Conformance suites for kinds of cluster."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from hopsml_flows.cluster.config import ClusterConfig
from hopsml_flows.cluster.open_cluster import OpenCluster, check_reachable, open_cluster
from hopsml_flows.storage import Project

if TYPE_CHECKING:
    from hopsml_flows.experiment import SearchResult

__all__ = ["ClusterConformance", "WorkerProcessConformance"]

_GONE_SECONDS = 60.0
"""Longest wait for processes of a closed cluster to end."""


def _triple(x: int) -> int:
    return 3 * x


def _fail_on_two(x: int) -> int:
    if x == 2:
        raise ValueError(f"no training with {x}")
    return x


def _stay(x: int) -> dict[str, float]:
    began = time.time()
    time.sleep(0.3)
    return {"metric": x, "began": began, "ended": time.time()}


def _kill_worker_once(x: int, marker: str) -> int:
    import signal

    if x == 2 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1000)  # the training process ends with its worker
    return x


def _place() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


class ClusterConformance:
    """Tests that every kind of cluster with workers passes.

    A subclass overrides the fixture ``cluster``. A kind whose workers are separate processes passes
    :class:`WorkerProcessConformance`, which includes these tests.
    """

    @pytest.fixture
    def cluster(self) -> object:
        """Return a value of ``cluster=`` that means a cluster of at most two workers."""
        raise NotImplementedError("override the fixture cluster")

    @pytest.fixture(scope="class")
    @classmethod
    def prefect_api_url(cls) -> Iterator[str]:
        """Return the API's URL of the configured Prefect server, or of one for this class."""
        from prefect.settings import PREFECT_API_URL
        from prefect.testing.utilities import prefect_test_harness

        with ExitStack() as stack:
            if not PREFECT_API_URL.value():
                stack.enter_context(prefect_test_harness(server_startup_timeout=120))
            yield str(PREFECT_API_URL.value())

    @pytest.fixture
    def cluster_project(self, tmp_path: Path) -> Project:
        """Return a project that the cluster's workers see; by default on this machine's disk."""
        return Project(tmp_path / "project")

    def test_it_is_reachable_before_it_is_opened(
        self, cluster: object, cluster_project: Project
    ) -> None:
        check_reachable(ClusterConfig.parse(cluster), cluster_project)

    def test_it_opens_with_room_for_trials(self, cluster: object, cluster_project: Project) -> None:
        with open_cluster(ClusterConfig.parse(cluster), project=cluster_project) as opened:
            assert 1 <= opened.slots <= 2
            assert opened.client.submit(sum, [1, 2]).result(timeout=60) == 3

    @pytest.mark.usefixtures("prefect_api_url")
    def test_a_grid_of_trials_runs(self, cluster: object, cluster_project: Project) -> None:
        result = _search(_triple, [1, 2, 3, 4], cluster, cluster_project)
        assert [trial.metric for trial in result.trials] == [3, 6, 9, 12]
        assert [trial.attempt for trial in result.trials] == [1, 1, 1, 1]
        assert result.best is not None
        assert result.best.params == {"x": 4}

    @pytest.mark.usefixtures("prefect_api_url")
    def test_a_failing_trial_fails_alone(self, cluster: object, cluster_project: Project) -> None:
        result = _search(_fail_on_two, [1, 2, 3], cluster, cluster_project)
        assert [trial.params["x"] for trial in result.failed] == [2]
        assert "no training with 2" in str(result.failed[0].failure)
        assert [trial.metric for trial in result.trials if trial.succeeded] == [1, 3]

    @pytest.mark.usefixtures("prefect_api_url")
    def test_no_more_trials_run_at_once_than_there_are_slots(
        self, cluster: object, cluster_project: Project
    ) -> None:
        result = _search(_stay, [1, 2, 3, 4, 5], cluster, cluster_project)
        spans = [(trial.outputs["began"], trial.outputs["ended"]) for trial in result.trials]
        assert len(spans) == 5
        at_once = max(sum(began <= start < ended for began, ended in spans) for start, _ in spans)
        assert at_once <= 2


class WorkerProcessConformance(ClusterConformance):
    """Tests of a kind of cluster whose workers are processes that start again after they died.

    A subclass overrides the fixture ``cluster``, which returns a cluster of two workers.
    """

    def test_workers_are_processes_of_one_thread(
        self, cluster: object, cluster_project: Project
    ) -> None:
        with open_cluster(ClusterConfig.parse(cluster), project=cluster_project) as opened:
            places = _places(opened)
            assert sorted(opened.client.nthreads().values()) == [1, 1]
            assert len(set(places)) == 2
            assert _place() not in places

    def test_there_are_no_more_workers_than_trials(
        self, cluster: object, cluster_project: Project
    ) -> None:
        config = ClusterConfig.parse(cluster)
        with open_cluster(config, trials=1, project=cluster_project) as opened:
            if opened.owned:
                assert list(opened.client.nthreads().values()) == [1]
                assert opened.slots == 1

    def test_what_it_started_ends_with_the_block_and_what_others_started_runs_on(
        self, cluster: object, cluster_project: Project
    ) -> None:
        with open_cluster(ClusterConfig.parse(cluster), project=cluster_project) as opened:
            here = socket.gethostname()
            owned = opened.owned
            workers = [psutil.Process(pid) for host, pid in _places(opened) if host == here]
        if owned:
            _, alive = psutil.wait_procs(workers, timeout=_GONE_SECONDS)
            assert alive == []
        else:
            assert all(worker.is_running() for worker in workers)
            check_reachable(ClusterConfig.parse(cluster), cluster_project)

    @pytest.mark.usefixtures("prefect_api_url")
    def test_a_worker_that_is_killed_costs_one_attempt(
        self, cluster: object, cluster_project: Project, tmp_path: Path
    ) -> None:
        marker = str(tmp_path / "killed")
        result = _search(_kill_worker_once, [1, 2, 3, 4], cluster, cluster_project, marker=[marker])
        assert [trial.metric for trial in result.trials] == [1, 2, 3, 4]
        assert [trial.attempt for trial in result.trials] == [1, 2, 1, 1]


def _search(
    train: Any, values: list[int], cluster: Any, project: Any, **more: list[Any]
) -> SearchResult:
    """Run a grid search, with one retry of a trial."""
    from hopsml_flows import experiment  # takes seconds, and needs Prefect

    return experiment.grid_search(
        train, {"x": values, **more}, project=project, cluster=cluster, retries=1,
        progress=False, tensorboard=False,
    )  # fmt: skip


def _places(opened: OpenCluster) -> list[tuple[str, int]]:
    """Host and process id of each of the two workers."""
    opened.client.wait_for_workers(2, timeout=120)
    return list(opened.client.run(_place).values())
