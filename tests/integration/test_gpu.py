from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.execution import visible_gpus
from hopsml_flows.experiment import ClusterConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not visible_gpus(), reason="NVML finds no NVIDIA GPU on this machine"),
]


def where(x):
    import os
    import time

    from hopsml_flows import devices

    time.sleep(1.0)
    return {
        "metric": x,
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "gpus": devices.get_num_gpus(),
        "pid": os.getpid(),
    }


def test_each_trial_has_one_gpu_for_itself(prefect_server, project):
    result = experiment.grid_search(
        where, {"x": [1, 2, 3]}, project=str(project), cluster="cuda", progress=False
    )
    assert {trial.outputs["gpus"] for trial in result.trials} == {1}
    assert all("," not in trial.outputs["visible"] for trial in result.trials)


def test_two_trials_share_a_gpu_in_processes_of_their_own(prefect_server, project):
    result = experiment.grid_search(
        where,
        {"x": [1, 2]},
        project=str(project),
        cluster=ClusterConfig(kind="cuda", n_workers=2, gpus_per_trial=0.5),
        progress=False,
    )
    first, second = (trial.outputs for trial in result.trials)
    assert first["pid"] != second["pid"]
    if len(visible_gpus()) == 1:
        assert first["visible"] == second["visible"]


def test_trials_on_the_cpu_see_no_gpu(prefect_server, project):
    result = experiment.grid_search(
        where,
        {"x": [1]},
        project=str(project),
        cluster=ClusterConfig(gpus_per_trial=0),
        progress=False,
    )
    assert result.outputs["gpus"] == 0
