"""TensorBoard's own server over an experiment that runs: its HPARAMS tab by its HTTP API."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import httpx
import pytest

from hopsml_flows import experiment
from hopsml_flows.experiment import ClusterConfig
from tests.waiting import eventually

SERVER = """
import sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")  # TensorFlow takes long to import
from tensorboard.main import run_main
run_main()
"""

WAYS = ["ends", "raises", "dies", "waits", 5]
"""How a trial goes; text and a number, which TensorBoard has no common type for."""

LIVE = {
    "ends": ("STATUS_SUCCESS", (0.75, 20)),
    "raises": ("STATUS_FAILURE", (0.5, 20)),
    "dies": ("STATUS_FAILURE", (0.5, 20)),
    "waits": ("STATUS_UNKNOWN", (0.5, 20)),
    "5": ("STATUS_SUCCESS", (0.75, 20)),
}
"""Each trial's status and last metric with its step, while one still runs."""


@pytest.fixture(scope="module")
def tensorboard(tmp_path_factory):
    """A client of TensorBoard over a project that is empty yet."""
    project = tmp_path_factory.mktemp("hparams")
    server = subprocess.Popen(
        [
            sys.executable, "-c", SERVER, "--logdir", str(project / "Experiments"),
            "--port", "0", "--bind_all", "--load_fast", "false",
            "--reload_interval", "1", "--reload_multifile", "true",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    try:
        address = next(line for line in server.stdout if "http://" in line)
        port = address.split(":")[2].split("/")[0]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client, project
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()


@pytest.fixture(scope="module")
def running(prefect_server, tensorboard):
    """An experiment whose fourth trial waits; what TensorBoard shows then, and in the end."""
    client, project = tensorboard
    gate = project / "gate"

    def train(way, rate, reporter):
        import os
        import signal
        import time

        for epoch in range(3):
            reporter.broadcast(rate * epoch, 10 * epoch)
        if way == "raises":
            raise ValueError("no")
        if way == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        while way == "waits" and not gate.exists():
            time.sleep(0.05)
        return {"accuracy": 0.75, "loss": 2}

    results = []
    run = threading.Thread(
        target=lambda: results.append(
            experiment.grid_search(
                train,
                {"way": WAYS, "rate": [0.25]},
                optimization_key="accuracy",
                project=str(project),
                cluster=ClusterConfig(kind="local", n_workers=2),
                retries=0,
                tensorboard=False,
                progress=False,
            )
        )
    )
    run.start()
    try:
        # TensorBoard reads a trial's metric and its status at different times.
        live = eventually(lambda: _groups(client), lambda groups: _shown(groups) == LIVE, 90)
    finally:
        gate.touch()
        run.join()
    (result,) = results
    over = eventually(
        lambda: _groups(client),
        lambda groups: _shown(groups) == LIVE | {"waits": ("STATUS_SUCCESS", (0.75, 20))},
        90,
    )
    return result, live, over


def _groups(client):
    """The table's lines by how their trials go; TensorBoard calls what runs unknown."""
    body = {
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 100,
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
    }
    response = client.post("/data/plugin/hparams/session_groups", json=body)
    found = response.json().get("sessionGroups", []) if response.status_code == 200 else []
    return {group["hparams"]["way"]: group for group in found}


def _metrics(group):
    return {
        value["name"]["tag"]: (value["value"], value["trainingStep"])
        for value in group["metricValues"]
    }


def _shown(groups):
    return {
        way: (group["sessions"][0]["status"], _metrics(group).get("outputs/accuracy"))
        for way, group in groups.items()
    }


def test_every_trial_is_shown_with_its_status_and_metric_while_one_still_runs(running):
    result, live, _ = running
    assert _shown(live) == LIVE
    lines = {f"{result.id}/{trial.directory}" for trial in result.trials}
    assert {group["name"] for group in live.values()} == lines
    assert {group["hparams"]["rate"] for group in live.values()} == {0.25}


def test_in_the_end_a_trial_has_its_final_metric(running):
    result, _, over = running
    assert [trial.state.value for trial in result.trials] == [
        "FINISHED", "FAILED", "FAILED", "FINISHED", "FINISHED",
    ]  # fmt: skip
    assert over["waits"]["sessions"][0]["status"] == "STATUS_SUCCESS"
    assert _metrics(over["waits"]) == {"outputs/accuracy": (0.75, 20)}


def test_the_curve_of_what_was_reported_ends_with_the_final_metric(running, tensorboard):
    client, _ = tensorboard
    result, *_ = running
    run = f"{result.id}/{result.trials[3].directory}"
    points = client.get(
        "/data/plugin/scalars/scalars", params={"run": run, "tag": "outputs/accuracy"}
    ).json()
    assert [point[1:] for point in points] == [[0, 0.0], [10, 0.25], [20, 0.5], [20, 0.75]]


def test_the_table_knows_the_type_and_domain_of_each_hyperparameter_and_the_goal(
    running, tensorboard
):
    client, _ = tensorboard
    described = client.post("/data/plugin/hparams/experiment", json={"includeMetrics": True}).json()
    domains = {info["name"]: info["domainDiscrete"] for info in described["hparamInfos"]}
    assert domains == {"way": sorted(map(str, WAYS)), "rate": [0.25]}
    (metric,) = described["metricInfos"]
    assert (metric["displayName"], metric["description"]) == ("accuracy", "maximized")


def test_event_files_are_written_without_tensorflow(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"  # importing it now fails
        "from pathlib import Path\n"
        "from hopsml_flows.execution import Scalars\n"
        "from hopsml_flows.tracking import end_events, start_events\n"
        "from hopsml_flows.trials import State, Trial, TrialResult\n"
        "here = Path(sys.argv[1])\n"
        "(here / 'a.tfevents').write_bytes(start_events(Trial(1, 'one', {'x': 1, 'flag': True})))\n"
        "result = TrialResult(1, 'one', {}, State.FINISHED, 0.5, {'metric': 0.5})\n"
        "(here / 'b.tfevents').write_bytes(end_events(result))\n"
        "scalars = Scalars(here / 'c.tfevents')\n"
        "scalars.write('loss', 0.5, 0)\n"
        "scalars.close()\n"
        "print(sorted(entry.name for entry in here.iterdir()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("tfevents") == 3
