from __future__ import annotations

import os
import subprocess
import sys
import time

import httpx
import pytest

from hopsml_flows import experiment

from .training import accuracy


@pytest.fixture(scope="module")
def tensorboard(prefect_server, dask_address, tmp_path_factory):
    """TensorBoard's own server over an experiment of six trials and a failed one."""
    project = tmp_path_factory.mktemp("hparams")
    result = experiment.grid_search(
        accuracy,
        {"learning_rate": [0.1, 0.01, 0.001], "dropout": [0.45, 0.7]},
        optimization_key="accuracy",
        project=str(project),
        cluster=dask_address,
        progress=False,
    )
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tensorboard.main",
            "--logdir",
            result.path,
            "--port",
            "0",
            "--bind_all",
            "--reload_interval",
            "1",
            "--load_fast",
            "false",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    try:
        url = None
        for line in server.stdout:
            if "http://" in line:
                port = line.split(":")[2].split("/")[0]
                url = f"http://127.0.0.1:{port}"
                break
        assert url is not None
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client, result
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def _eventually(read, good):
    deadline = time.monotonic() + 60
    while True:
        value = read()
        if good(value) or time.monotonic() > deadline:
            return value
        time.sleep(0.5)


def _groups(client):
    body = {
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 100,
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
    }
    response = client.post("/data/plugin/hparams/session_groups", json=body)
    return response.json().get("sessionGroups", []) if response.status_code == 200 else []


def test_hparams_tab_compares_all_trials(tensorboard):
    client, result = tensorboard
    groups = _eventually(
        lambda: _groups(client),
        lambda groups: len(groups) == 6 and all(group.get("metricValues") for group in groups),
    )
    shown = {
        group["name"]: (
            group["hparams"],
            {v["name"]["tag"]: v["value"] for v in group["metricValues"]},
            group["sessions"][0]["status"],
        )
        for group in groups
    }
    assert set(shown) == {trial.name for trial in result.trials}
    for trial in result.trials:
        hparams, metrics, status = shown[trial.name]
        assert hparams == trial.params
        assert metrics["outputs/accuracy"] == pytest.approx(trial.metric)
        assert status == "STATUS_SUCCESS"


def test_hparams_tab_knows_the_domains_and_the_metric(tensorboard):
    client, _ = tensorboard
    body = {"includeMetrics": True}
    described = _eventually(
        lambda: client.post("/data/plugin/hparams/experiment", json=body).json(),
        lambda described: described.get("hparamInfos"),
    )
    domains = {info["name"]: info["domainDiscrete"] for info in described["hparamInfos"]}
    assert domains == {"learning_rate": [0.001, 0.01, 0.1], "dropout": [0.45, 0.7]}
    assert [info["displayName"] for info in described["metricInfos"]] == ["accuracy"]


def test_event_files_are_written_without_tensorflow(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"  # importing it now fails
        "from pathlib import Path\n"
        "from hopsml_flows.tracking import end_events, start_events\n"
        "from hopsml_flows.trials import State, Trial, TrialResult\n"
        "here = Path(sys.argv[1])\n"
        "(here / 'a.tfevents').write_bytes(start_events(Trial(1, 'one', {'x': 1, 'flag': True})))\n"
        "result = TrialResult(1, 'one', {}, State.FINISHED, 0.5, {'metric': 0.5})\n"
        "(here / 'b.tfevents').write_bytes(end_events(result))\n"
        "print(sorted(entry.name for entry in here.iterdir()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("tfevents") == 2
