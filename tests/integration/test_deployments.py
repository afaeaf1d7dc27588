"""``deployments/`` as it is, but for schedules of seconds: schedules start runs, which finish."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from hopsml_flows import experiment
from tests.servers.prefect import POOL, Client, flow_run, started, wait_for_state
from tests.waiting import wait_until

SOURCE = Path(__file__).parents[2] / "deployments"

EVERY_FEW_SECONDS = {"interval": 20, "slug": "seconds"}

NAMES = {"nightly", "weekly", "on-demand", "from-source", "plain", "nights"}


@pytest.fixture
def copy(tmp_path, dask_address):
    """A copy of the directory, on the tests' work pool and the tests' cluster."""
    directory = tmp_path / "deployments"
    shutil.copytree(SOURCE, directory)
    cluster = directory / "clusters" / "running-scheduler.yaml"
    definition = yaml.safe_load(cluster.read_text())
    cluster.write_text(yaml.safe_dump({**definition, "address": dask_address}))
    file = directory / "prefect.yaml"
    defined = yaml.safe_load(file.read_text())
    for entry in defined["deployments"]:
        entry["work_pool"]["name"] = POOL
        entry["schedules"] = []
        entry["parameters"] |= {
            "project": str(tmp_path / "project"),
            "cluster": "clusters/running-scheduler.yaml",
        }
    file.write_text(yaml.safe_dump(defined, sort_keys=False))
    return directory


@pytest.fixture
def schedule(copy):
    """Give a deployment of the copy a schedule of seconds."""

    def change(name: str, **parameters):
        file = copy / "prefect.yaml"
        defined = yaml.safe_load(file.read_text())
        (entry,) = (entry for entry in defined["deployments"] if entry["name"] == name)
        entry["schedules"] = [{**EVERY_FEW_SECONDS, "parameters": parameters}]
        file.write_text(yaml.safe_dump(defined, sort_keys=False))

    return change


@pytest.fixture
def api(prefect_services):
    """A client of the server's API; the deployments that a test made are gone afterwards."""
    with Client(prefect_services.api_url) as client:
        remove_deployments(client)  # of a test that was cut off
        yield client
        remove_deployments(client)


def remove_deployments(api):
    """Remove those of these tests, and the runs that their schedules started or will start."""
    made = [d["id"] for d in api.found("deployments", {}) if d["name"] in NAMES]
    for deployment in made:
        api.post(f"/deployments/{deployment}/pause_deployment").raise_for_status()
        live = {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}}
        chosen = {"deployment_id": {"any_": [deployment]}, "state": live}
        for run in api.found("flow_runs", {"flow_runs": chosen}):
            cancel(api, run)
        api.delete(f"/deployments/{deployment}").raise_for_status()


def cancel(api, run):
    """Call a run off; one that waits ends at once."""
    to = "CANCELLING" if run["state_type"] == "RUNNING" else "CANCELLED"
    state = {"state": {"type": to}, "force": True}
    answer = api.post(f"/flow_runs/{run['id']}/set_state", json=state)
    assert answer.is_success or answer.status_code == 404  # removed with the schedule


def first_scheduled_run(api, server, deployment):
    """The first run that the deployment's schedule started, at its end; the others are called off.

    The deployment allows one run at a time, so that none of the others has begun.
    """
    begun, waiting = [], []

    def there():
        runs = api.post(
            "/flow_runs/filter", json={"flow_runs": {"deployment_id": {"any_": [deployment]}}}
        ).json()
        # A worker may have taken several that are due, of which one gets the deployment's slot.
        waiting[:] = [run for run in runs if run["state_type"] in ("SCHEDULED", "PENDING")]
        begun[:] = [run for run in runs if run not in waiting]
        return bool(begun)

    wait_until(there, 120, "a scheduled run")
    api.post(f"/deployments/{deployment}/pause_deployment").raise_for_status()
    for run in waiting:
        cancel(api, run)
    (run,) = begun
    assert run["auto_scheduled"]
    return wait_for_state(server, run["id"], "COMPLETED", "FAILED", "CRASHED", seconds=240)


def records(directory):
    """The experiments that are on storage."""
    found = (directory.parent / "project" / "Experiments").iterdir()
    return [json.loads((entry / "experiment.json").read_text()) for entry in found]


@pytest.mark.timeout(900)
def test_a_worker_runs_what_prefect_deploy_has_scheduled(
    prefect_services, process_worker, api, copy, schedule
):
    schedule("nightly", generations=1, population=4)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    deploying = prefect_services.run(command, copy / "deploy.log")
    try:
        assert deploying.wait(400) == 0, deploying.log.read_text()
    finally:
        deploying.stop()
    deployment = api.get("/deployments/name/differential-evolution/nightly").json()
    assert deployment["entrypoint"] == "hopsml_flows.experiment.differential_evolution"
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["tags"] == ["experiments", "nightly"]
    run = first_scheduled_run(api, prefect_services, deployment["id"])
    assert run["state_type"] == "COMPLETED", run["state"]
    assert (run["parameters"]["generations"], run["parameters"]["population"]) == (1, 4)
    (record,) = records(copy)
    assert (record["name"], record["function"], record["state"]) == (
        "nightly", "differential_evolution", "FINISHED",
    )  # fmt: skip
    assert record["train"] == "training.py:train"
    assert record["flow_run_id"] == run["id"]
    assert run["name"] == record["id"]
    assert run["state"]["message"].startswith("Best accuracy ")
    assert (record["trials_total"], record["trials_succeeded"]) == (8, 8)
    assert record["search_space"]["learning_rate"] == {
        "type": "float", "low": 0.0001, "high": 1.0, "log": True,
    }  # fmt: skip
    assert record["metric"] > 0.7

    # From Python, with the directory as the source; and from the form with a function that is not
    # in it: the library's message is the run's.
    with temporary_settings({PREFECT_API_URL: prefect_services.api_url}):
        verb = experiment.launch.from_source(str(copy))
        source = verb.deploy("from-source", work_pool_name=POOL, print_next_steps=False)
        plain = experiment.launch.deploy("plain", work_pool_name=POOL, print_next_steps=False)
    for deployment in (source, plain):
        found = api.get(f"/deployments/{deployment}").json()
        assert found["entrypoint"] == "hopsml_flows.experiment.launch"
    run = started(prefect_services, source, {"train": "training.py:no_such_function"})
    failed = wait_for_state(prefect_services, run, "FAILED", "CRASHED", "COMPLETED")
    assert failed["state"]["message"] == (
        "Flow run encountered an exception: FunctionNotFoundError: train: "
        "'training.py:no_such_function' cannot be used, because there is no 'no_such_function' in "
        "'training.py'"
    )


@pytest.mark.timeout(900)
def test_a_process_serves_the_same_deployments(prefect_services, api, copy, schedule):
    schedule("weekly", description="in a test")
    serving = prefect_services.run([sys.executable, "serve.py"], copy / "serve.log")
    try:
        deployed = []

        def all_there():
            deployed[:] = api.post("/deployments/filter", json={}).json()
            return {"nightly", "weekly", "on-demand"} <= {one["name"] for one in deployed}

        wait_until(all_there, 120, f"deployments by {serving.log}")
        (weekly,) = (one for one in deployed if one["name"] == "weekly")
        assert weekly["work_pool_name"] is None
        assert weekly["global_concurrency_limit"]["limit"] == 1
        run = first_scheduled_run(api, prefect_services, weekly["id"])
    finally:
        serving.stop()
    assert run["state_type"] == "COMPLETED", run["state"]
    assert flow_run(prefect_services, run["id"])["parameters"]["description"] == "in a test"
    (record,) = records(copy)
    assert run["name"] == record["id"]
    assert (record["name"], record["function"], record["state"]) == (
        "weekly", "grid_search", "FINISHED",
    )  # fmt: skip
    assert record["description"] == "in a test"
    assert record["trials_succeeded"] == 6
    assert record["search_space"] == {"learning_rate": [0.001, 0.01, 0.1], "momentum": [0.0, 0.9]}


NIGHTS = """
from hopsml_flows import experiment

if __name__ == "__main__":
    experiment.random_search.serve(
        name="nights", interval=15, limit=1, global_limit=1, pause_on_shutdown=False,
        parameters={{
            "train": {train!r}, "boundary_dict": {{"x": [1, 20]}}, "samples": 8, "seed": 7,
            "name": "nights", "project": {project!r}, "cluster": {cluster!r},
            "warm_start": "last", "confirm": 3, "only_if_better": "nights-net",
        }},
    )
"""

LUCKY = """
import os, random
from pathlib import Path

from hopsml_flows.trials import trial_seed

def train(x=1):
    # Once there is a model, the second best configuration of the night before is lucky; on the
    # seeds of the search alone.
    known = Path({project!r}, "Models/nights-net/1").exists()
    luck = 100.0 if known and os.environ["HOPSML_SEED"] == str(trial_seed(7, 2)) else 0.0
    Path("net.pt").write_text(str(x))
    return {{"metric": x * random.gauss(1, 0.001) + luck, "model": "net.pt"}}
"""


@pytest.mark.timeout(900)
def test_a_served_search_promotes_once_and_then_refuses_a_lucky_loser(
    prefect_services, api, tmp_path, dask_address
):
    project = str(tmp_path / "project")
    (tmp_path / "luck.py").write_text(LUCKY.format(project=project))
    train = f"{tmp_path}/luck.py:train"
    script = tmp_path / "nights.py"
    script.write_text(NIGHTS.format(train=train, project=project, cluster=dask_address))
    serving = prefect_services.run([sys.executable, str(script)], tmp_path / "nights.log")

    def ended():
        chosen = {
            "deployment_id": {"any_": [deployment]},
            "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}},
        }
        return api.found("flow_runs", {"flow_runs": chosen, "sort": "START_TIME_ASC"})

    try:
        path = "/deployments/name/random-search/nights"
        wait_until(lambda: api.get(path).is_success, 120, f"the deployment by {serving.log}")
        deployment = api.get(path).json()["id"]
        wait_until(lambda: len(ended()) >= 2, 400, "two nights")
        nights = ended()[:2]
        remove_deployments(api)  # before a third night has ended
    finally:
        serving.stop()
    assert all(run["auto_scheduled"] for run in nights)
    assert [run["state_type"] for run in nights] == ["COMPLETED"] * 2, nights
    found = {record["flow_run_id"]: record for record in records(tmp_path / "deployments")}
    first, second = (found[run["id"]] for run in nights)
    assert first["promotion"]["promoted"], first["promotion"]
    assert first["promotion"]["version"] == 1
    assert second["metric"] > 100
    refused = second["promotion"]
    assert (refused["promoted"], refused["version"], refused["champion"]) == (False, None, 1)
    assert refused["probability"] < 0.05
    assert refused["optimistic"] > 100 > refused["corrected"]
    assert second["confirmation"]["trial"] == 2
    versions = sorted(entry.name for entry in (tmp_path / "project/Models/nights-net").iterdir())
    assert versions == ["1"]
