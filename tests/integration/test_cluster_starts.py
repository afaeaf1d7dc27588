"""Starts of a cluster that go wrong, and places that are no good place to start."""

from __future__ import annotations

import os
import signal
import threading

import distributed
import pytest

from hopsml_flows.cluster import project_visibility
from hopsml_flows.cluster.config import ClusterConfig
from hopsml_flows.cluster.open_cluster import open_cluster
from hopsml_flows.errors import ResourceUnavailableError
from hopsml_flows.storage import Project
from tests.waiting import wait_until
from tests.workers import workers_of


def test_workers_that_hang_while_they_start_are_given_up_after_start_timeout():
    hang = ClusterConfig(
        kind="local",
        n_workers=2,
        start_timeout=5,
        options={"preload": ["import time; time.sleep(1000)"]},
    )
    before, threads = workers_of(), set(threading.enumerate())
    with (
        pytest.raises(ResourceUnavailableError, match=r"did not start within 5 s.*start_timeout"),
        open_cluster(hang),
    ):
        pass
    wait_until(lambda: workers_of() == before, 30, "the workers' end")
    wait_until(
        lambda: not [t for t in set(threading.enumerate()) - threads if t.name == "IO loop"],
        30,
        "the end of the cluster's thread",
    )


def test_a_worker_that_does_not_answer_is_said_before_the_experiment(monkeypatch, tmp_path):
    monkeypatch.setattr(project_visibility, "_ANSWER_SECONDS", 3)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        [pid] = client.run(os.getpid).values()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(ResourceUnavailableError, match="worker did not answer within 3 s"):
                project_visibility.check_visible(client, Project(str(tmp_path / "project")))
        finally:
            os.kill(pid, signal.SIGCONT)


REMOVED = """
import os, shutil, tempfile
directory = tempfile.mkdtemp()
os.chdir(directory)
if {at_start}:
    shutil.rmtree(directory)
from hopsml_flows import experiment

def train(x):
    import os, shutil, signal
    if os.path.isdir(directory):  # and the worker, which must start once more
        shutil.rmtree(directory)
        os.kill(os.getppid(), signal.SIGKILL)
    return x

result = experiment.grid_search(train, {{"x": [1, 2, 3]}}, name="removed", tensorboard=True,
    cluster=experiment.ClusterConfig(kind="local", n_workers=1), project={project!r})
print("RESULT", sorted(trial.metric for trial in result.trials))
"""


@pytest.mark.parametrize("when", ["before the start", "during the run"])
def test_a_working_directory_that_is_removed_ends_nothing(run_script, tmp_path, when):
    at_start = when == "before the start"
    done = run_script(
        REMOVED.format(at_start=at_start, project=str(tmp_path / "project")),
        HOPSML_TENSORBOARD="true",
    )
    assert "RESULT [1.0, 2.0, 3.0]" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "TensorBoard cannot run" not in done.stderr, done.stderr
