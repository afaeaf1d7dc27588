"""Slurm's cluster: real job scripts, which a stand-in for ``sbatch`` starts on this machine."""

from __future__ import annotations

import os
import time

import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import slurm as slurm_cluster
from hopsml_flows.errors import ResourceUnavailableError
from hopsml_flows.experiment import ClusterConfig
from tests.servers.slurm import Slurm
from tests.waiting import wait_until

from .training import product


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Slurm's commands on the path."""
    (tmp_path / "slurm").mkdir()
    found = Slurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{found.bin}{os.pathsep}{os.environ['PATH']}")
    yield found
    found.stop()


def config(**more):
    return ClusterConfig(
        kind="slurm", start_timeout=120, gpus_per_trial=0.5,
        options={"memory": "1GiB", "cores": 2, "queue": "short", "interface": "lo"},
        **{"n_workers": 2, **more},
    )  # fmt: skip


def where(x):
    import os

    import psutil
    from dask import config

    time.sleep(0.5)
    # The trial's process is a child of its worker, and that one of a nanny, which is the job's.
    worker = psutil.Process(os.getppid())
    return {
        "metric": x,
        "group": os.getpgid(worker.pid),
        "nanny": worker.parent().cmdline(),
        "daemon": config.get("distributed.worker.daemon"),
    }


def test_trials_run_in_jobs_and_the_jobs_end_with_the_experiment(prefect_server, project, slurm):
    result = experiment.grid_search(
        where, {"x": [1, 2, 3, 4]}, project=str(project), cluster=config(), progress=False
    )
    outputs = [trial.outputs for trial in result.trials]
    assert {output["group"] for output in outputs} <= set(slurm.submitted)
    assert len(slurm.submitted) == 2
    for output in outputs:
        nanny = " ".join(output["nanny"])
        assert "dask_worker" in nanny
        assert "--nthreads 1" in nanny
        assert "GPU=0.5" in nanny
        assert output["daemon"] is False
    script = slurm.script()
    assert "#SBATCH -p short" in script
    assert "#SBATCH --cpus-per-task=2" in script
    wait_until(lambda: not slurm.running, 30, "end of the jobs")


def ends_its_job(x, jobs):
    import os
    import signal
    from pathlib import Path

    group = os.getpgid(os.getppid())
    marker = Path(jobs, "marker")
    if x == 2 and Path(jobs, f"job.{group}").exists() and not marker.exists():
        marker.touch()
        os.killpg(group, signal.SIGKILL)
        time.sleep(1000)  # ended with its worker
    return x


def test_a_job_that_is_killed_costs_one_attempt_and_is_submitted_again(
    prefect_server, project, slurm, monkeypatch
):
    monkeypatch.setattr(slurm_cluster, "LOOK_SECONDS", 1)
    result = experiment.grid_search(
        ends_its_job, {"x": [1, 2, 3], "jobs": [str(slurm.jobs)]},
        project=str(project), cluster=config(n_workers=1), progress=False,
    )  # fmt: skip
    assert [trial.attempt for trial in result.trials] == [1, 2, 1]
    assert len(slurm.submitted) == 2


def test_a_job_that_slurm_refuses_is_an_error_at_once(prefect_server, project, slurm):
    (slurm.bin / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    with pytest.raises(ResourceUnavailableError, match="invalid partition"):
        experiment.grid_search(
            product, {"x": [1]}, project=str(project), cluster=config(), progress=False
        )


def test_jobs_that_never_start_are_given_up_after_the_start_timeout(
    prefect_server, project, slurm, experiments
):
    (slurm.bin / "sbatch").write_text("#!/bin/sh\necho 'Submitted batch job 4294967295'\n")
    waiting = ClusterConfig(
        kind="slurm", n_workers=1, start_timeout=1, options={"memory": "1GiB", "interface": "lo"}
    )
    with pytest.raises(ResourceUnavailableError, match="start_timeout"):
        experiment.grid_search(
            product, {"x": [1]}, project=str(project), cluster=waiting, progress=False
        )
    (record,) = experiments().values()
    assert record["state"] == "FAILED"
