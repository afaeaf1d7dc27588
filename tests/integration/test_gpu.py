from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.execution import visible_gpus
from hopsml_flows.experiment import ClusterConfig
from tests import events
from tests.logs import printed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not visible_gpus(), reason="NVML finds no NVIDIA GPU on this machine"),
]


FRAMEWORK = next((name for name in ("torch", "cupy") if importlib.util.find_spec(name)), None)


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


def multiply(gib):
    """Take memory on the GPU and keep it busy, for as long as four samples take."""
    import time

    from hopsml_flows import devices

    if FRAMEWORK == "torch":
        import torch

        ballast = torch.ones(gib << 28, device="cuda")
        matrix = torch.rand(4096, 4096, device="cuda")
        until = time.monotonic() + 9
        while time.monotonic() < until:
            for _ in range(20):
                product = matrix @ matrix
            torch.cuda.synchronize()
    else:
        import cupy

        ballast = cupy.ones(gib << 28, dtype="float32")
        matrix = cupy.random.rand(4096, 4096, dtype="float32")
        until = time.monotonic() + 9
        while time.monotonic() < until:
            for _ in range(20):
                product = matrix @ matrix
            cupy.cuda.Device().synchronize()
    [gpu] = devices.gpus()
    return {"metric": float(product[0, 0]), "sum": float(ballast.sum()), "gpu": gpu.name}


@pytest.mark.skipif(FRAMEWORK is None, reason="neither PyTorch nor CuPy is installed")
def test_what_two_trials_do_to_their_gpus_is_in_their_curves_and_records(prefect_server, project):
    result = experiment.grid_search(
        multiply, {"gib": [1, 2]}, project=str(project), cluster="cuda", progress=False
    )
    if len(visible_gpus()) > 1:
        assert len({trial.devices.gpus[0].uuid for trial in result.trials}) == 2
    for trial in result.trials:
        directory = Path(result.path) / trial.directory
        size = trial.params["gib"] << 30
        [gpu] = trial.devices.gpus
        assert gpu.name == trial.outputs["gpu"]
        assert size < gpu.memory.peak <= gpu.memory_total
        curves = events.scalars(directory)
        memory = [value * (1 << 30) for _, value in curves["devices/gpu0_memory_gib"]]
        assert max(memory) == pytest.approx(gpu.memory.peak)
        if gpu.utilization is None:  # a MIG slice
            assert "devices/gpu0_percent" not in curves
        else:
            assert 50 < gpu.utilization.peak <= 100
            assert 0 < gpu.utilization.mean <= gpu.utilization.peak
            busy = [value for _, value in curves["devices/gpu0_percent"]]
            assert max(busy) == pytest.approx(gpu.utilization.peak)
            assert len(busy) >= 3
        log = (directory / "output.log").read_text()
        assert f"GPUs: {gpu.name}, " in log
        assert printed(log) == []
        commit = json.loads((directory / ".outputs.json").read_text())["_commit"]
        assert commit["devices"] == trial.devices.as_json()


def test_the_definition_of_a_machine_with_gpus(prefect_server, project):
    definition = Path(__file__).parents[2] / "deployments" / "clusters" / "gpu-machine.yaml"
    result = experiment.grid_search(
        where, {"x": [1, 2]}, project=str(project), cluster=str(definition), progress=False
    )
    assert {trial.outputs["gpus"] for trial in result.trials} == {1}
