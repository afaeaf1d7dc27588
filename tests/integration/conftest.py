"""What integration tests share: one Prefect server, one Dask cluster of two worker processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from hopsml_flows.cluster.open_cluster import close_local_cluster
from tests.servers import s3
from tests.servers.homes import used_home
from tests.servers.prefect import task_runs

MEMORY = "/dev/shm"


@pytest.fixture(scope="session")
def prefect_server():
    """A real Prefect server for the session; its API URL is configured."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with ExitStack() as stack:
        for last in (False, True):
            try:
                with pytest.MonkeyPatch.context() as patch:
                    # The database lies in memory where it can: while a disk stands still, so does
                    # the server.
                    if Path(MEMORY).is_dir() and shutil.disk_usage(MEMORY).free > 2 << 30:
                        patch.setattr(tempfile, "tempdir", MEMORY)
                    stack.enter_context(prefect_test_harness(server_startup_timeout=120))
                break
            except (httpx.TransportError, RuntimeError):  # silent for 5 s; its port taken meanwhile
                if last:
                    raise
        yield PREFECT_API_URL.value()


@pytest.fixture(scope="session")
def dask_address():
    """Address of a scheduler with two worker processes, one thread each."""
    import distributed

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    try:
        yield cluster.scheduler_address
    finally:
        close_local_cluster(cluster)  # trials of these tests kill workers that have just begun


@pytest.fixture
def project(tmp_path):
    """Path of a project that does not exist yet."""
    return tmp_path / "project"


@pytest.fixture
def url_of(request, monkeypatch, project):
    """URL of a new project on a storage that worker processes reach too."""

    def url(storage):
        if storage == "local":
            return str(project)
        if storage == "s3":
            server = request.getfixturevalue("s3_server")
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            return s3.new_url()
        if storage == "hopsfs":
            request.getfixturevalue("libhdfs")
        return request.getfixturevalue("hdfs_server").url(storage)

    return url


@pytest.fixture
def options(prefect_server, dask_address, project):
    """Options that run an experiment quietly on the shared server and cluster."""
    return {"project": str(project), "cluster": dask_address, "progress": False}


@pytest.fixture
def run_script(tmp_path):
    """Run a Python script as a user would, in a directory of its own; returns what it printed."""

    def run(code: str, *, timeout: float = 180, check: bool = True, **env: str):
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, str(script)],
            cwd=tmp_path,
            env={**os.environ, "PREFECT_HOME": str(used_home(tmp_path / "prefect")), **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            pytest.fail(f"script exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run


@pytest.fixture
def broken_tensorboard(tmp_path, monkeypatch):
    """TensorBoard cannot be imported by processes that are started from now on."""
    broken = tmp_path / "broken" / "tensorboard"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('no such thing here')")
    path = [str(broken.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


@pytest.fixture
def experiments(project):
    """Read the project's experiments: directory name to record."""

    def read() -> dict[str, dict]:
        root = Path(project) / "Experiments"
        if not root.exists():
            return {}
        return {
            entry.name: json.loads((entry / "experiment.json").read_text())
            for entry in sorted(root.iterdir())
        }

    return read


@pytest.fixture
def flow_parameters(prefect_server):
    """Read the parameters of a flow run, as the server has them."""
    from uuid import UUID

    from prefect.client.orchestration import get_client

    def read(flow_run_id: str) -> dict:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(UUID(flow_run_id)).parameters

    return read


@pytest.fixture(scope="session")
def task_run_logs(prefect_server):
    """Read what the server has of so many task runs: their names to levels and messages."""
    from uuid import UUID

    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    def read(flow_run_id: str, count: int) -> dict[str, list[tuple[int, str]]]:
        runs = task_runs(flow_run_id, count)
        logs, page = [], True
        with get_client(sync_client=True) as client:
            wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(flow_run_id)]))
            while page:
                page = client.read_logs(wanted, offset=len(logs), limit=200)
                logs += page
        logs.sort(key=lambda log: log.timestamp)
        return {
            run["name"]: [
                (log.level, log.message) for log in logs if str(log.task_run_id) == run["id"]
            ]
            for run in runs
        }

    return read
