"""``hopsml setup-prefect`` on a real server, run several times."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from hopsml_flows.cli import main
from hopsml_flows.experiment import HopsFSProject
from hopsml_flows.server.setup import AUTOMATION, Wish, intake_advice, page_advice, set_up
from tests.servers.prefect import Client, PrefectServer, flow_run
from tests.waiting import wait_until

BATCHES = {
    f"PREFECT_SERVER_SERVICES_{service}_{setting}": value
    for service in ("TASK_RUN_RECORDER", "EVENT_PERSISTER")
    for setting, value in (("BATCH_SIZE", "200"), ("FLUSH_INTERVAL", "1"))
}


@pytest.fixture
def server(prefect_services):
    """The server, configured; without automations afterwards, which would watch other tests."""
    with (
        temporary_settings({PREFECT_API_URL: prefect_services.api_url}),
        Client(prefect_services.api_url) as client,
    ):
        yield prefect_services
        for automation in automations(client):
            client.delete(f"/automations/{automation['id']}").raise_for_status()


@pytest.fixture
def client(server):
    with Client(server.api_url) as client:
        yield client


@pytest.fixture
def setup_prefect(capsys):
    """Run the command; the words that its lines begin with."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main(["setup-prefect", *arguments])
        assert left.value.code in (0, None)
        return [line.split()[0] for line in capsys.readouterr().out.splitlines()]

    return run


def automations(client):
    body = {"automations": {"name": {"any_": [AUTOMATION]}}}
    return client.post("/automations/filter", json=body).raise_for_status().json()


def test_a_second_run_changes_nothing_and_a_change_is_made_once(
    server, client, setup_prefect, tmp_path
):
    pool = f"pool-{uuid4().hex[:6]}"
    options = ["--pool", pool, "--limit", f"{pool}=2", "--block", pool, "--project"]
    first = setup_prefect(*options, str(tmp_path))
    assert first[1:] == ["created"] * 4
    assert setup_prefect(*options, str(tmp_path)) == ["unchanged"] * 5
    (automation,) = automations(client)
    assert automation["trigger"]["within"] == 540
    assert client.get(f"/work_pools/{pool}").json()["concurrency_limit"] == 1
    block = HopsFSProject.load(pool)
    assert block.project().local_root == tmp_path

    # What others changed and nobody asks for stays.
    block.storage_options = {"auto_mkdir": True}
    block.save(pool, overwrite=True)
    client.patch(f"/work_pools/{pool}", json={"concurrency_limit": 3}).raise_for_status()
    client.patch(f"/automations/{automation['id']}", json={"enabled": False}).raise_for_status()
    changed = [*options[:3], f"{pool}=5", *options[4:], str(tmp_path / "other")]
    assert setup_prefect(*changed, "--dead-after", "700") == [
        "unchanged",
        "updated",
        "unchanged",
        "updated",
        "updated",
    ]
    (after,) = automations(client)
    assert (after["id"], after["enabled"]) == (automation["id"], False)
    assert after["trigger"]["within"] == 700
    assert setup_prefect(*changed) == ["unchanged"] * 5
    assert client.get(f"/work_pools/{pool}").json()["concurrency_limit"] == 3
    assert client.get(f"/v2/concurrency_limits/{pool}").json()["limit"] == 5
    block = HopsFSProject.load(pool)
    assert block.url == str(tmp_path / "other")
    assert block.storage_options.get_secret_value() == {"auto_mkdir": True}
    found = client.post("/block_documents/filter", json={"include_secrets": True}).json()
    assert [entry["name"] for entry in found].count(pool) == 1


def test_doubles_are_removed(server, client):
    list(set_up(Wish()))
    (there,) = automations(client)
    copy = {name: there[name] for name in ("name", "description", "trigger", "actions")}
    client.post("/automations/", json=copy).raise_for_status()
    assert len(automations(client)) == 2
    assert [done.change for done in set_up(Wish())][-1] == "updated"
    assert len(automations(client)) == 1
    assert [done.change for done in set_up(Wish())][-1] == "unchanged"


def test_a_server_that_takes_events_one_by_one_is_advised_and_keeps_its_settings(
    server, client, capsys
):
    before = client.get("/admin/settings").json()
    with pytest.raises(SystemExit) as left:
        main(["setup-prefect"])
    assert left.value.code in (0, None)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hopsml: the server takes events of trials in one by one")
    assert set(BATCHES) == set(re.findall(r"(PREFECT_\w+)=", line))
    assert set(BATCHES.items()) == set(re.findall(r"(PREFECT_\w+)=(\d+)", line))
    assert client.get("/admin/settings").json() == before


@pytest.mark.parametrize("advised", [False, True])
def test_a_server_with_the_advised_settings_is_left_in_peace(tmp_path, advised):
    interval = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL"
    unsuitable = {
        interval: "0.3",
        "PREFECT_SERVER_UI_API_URL": "http://127.0.0.1:4200/api",  # Prefect's default
    }
    server = PrefectServer(tmp_path, **{**BATCHES, **(unsuitable if advised else {})})
    try:
        with temporary_settings({PREFECT_API_URL: server.wait().api_url}):
            advice, of_page = intake_advice(), page_advice()
    finally:
        server.stop()
    if advised:
        assert "below one second" in advice
        assert of_page.endswith(f"PREFECT_SERVER_UI_API_URL={server.api_url}")
    else:
        assert (advice, of_page) == (None, None)


@pytest.mark.parametrize("status", [401, 403, 404, 200])
def test_a_server_that_does_not_tell_its_settings_gets_no_advice(status):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as web:
        Thread(target=web.serve_forever, daemon=True).start()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{web.server_port}/api"}):
            assert intake_advice() is None
            assert page_advice() is None
        web.shutdown()


HANGS = """
import time
from hopsml_flows import experiment

def train(x):
    time.sleep(1000)

experiment.grid_search(train, {"x": [1]}, name="killed",
                       cluster=experiment.ClusterConfig(kind="local", n_workers=1))
"""


def wait_until_triggers_have_read_all(client):
    """Wait until an automation has acted on two events that are sent now.

    Two, since the server reads two events at once.
    """
    name = f"test.marker.{uuid4()}"
    resource = {"prefect.resource.id": name}
    automation = client.post(
        "/automations/",
        json={
            "name": name,
            "trigger": {
                "type": "event",
                "posture": "Reactive",
                "match": resource,
                "expect": [name],
                "threshold": 2,
                "within": 600,
            },
            "actions": [{"type": "do-nothing"}],
        },
    ).raise_for_status()
    acted = {
        "filter": {
            "event": {"name": ["prefect.automation.triggered"]},
            "resource": {"id": [f"prefect.automation.{automation.json()['id']}"]},
        }
    }

    def seen():
        # The reader learns of a new automation a moment later, so the events are sent again.
        events = [
            {
                "id": str(uuid4()),
                "event": name,
                "occurred": datetime.now(UTC).isoformat(),
                "resource": resource,
            }
            for _ in range(2)
        ]
        client.post("/events", json=events).raise_for_status()
        return bool(client.post("/events/filter", json=acted).json()["events"])

    wait_until(seen, 60, "the automation")


def test_a_flow_run_whose_process_was_killed_is_marked_crashed(
    server, client, setup_prefect, tmp_path
):
    setup_prefect("--dead-after", "20")
    script = tmp_path / "program.py"
    script.write_text(HANGS)
    driver = server.run([sys.executable, str(script)], tmp_path / "log")
    began = datetime.now(UTC).isoformat()
    heartbeats = {
        "filter": {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "occurred": {"since": began},
        }
    }

    def heard():
        return client.post("/events/filter", json=heartbeats).json()["events"]

    # The first one comes when the run begins: it was started from Python, without a deployment.
    wait_until(lambda: bool(heard()), 120, "a heartbeat")
    killed = heard()[0]["resource"]["prefect.resource.id"].removeprefix("prefect.flow-run.")
    assert flow_run(server, killed)["state_type"] == "RUNNING"
    driver.stop(kill=True)

    # A run that goes on saying so, one that is over, and one that is paused.
    flow = client.post("/flows/", json={"name": "others"}).json()["id"]
    lives, over, paused = (
        client.post("/flow_runs/", json={"flow_id": flow, "state": {"type": "RUNNING"}}).json()[
            "id"
        ]
        for _ in range(3)
    )

    def beat(*runs):
        events = [
            {
                "id": str(uuid4()),
                "event": "prefect.flow-run.heartbeat",
                "occurred": datetime.now(UTC).isoformat(),
                "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
            }
            for run in runs
        ]
        client.post("/events", json=events).raise_for_status()

    beat(lives, over, paused)
    wait_until(
        lambda: len({e["resource"]["prefect.resource.id"] for e in heard()}) == 4, 60, "them"
    )
    # What triggers automations reads events apart from what stores them: a heartbeat that it read
    # after the pause would be one without a successor. It has read those when it reads a later one.
    wait_until_triggers_have_read_all(client)
    for run, kind in ((over, "COMPLETED"), (paused, "PAUSED")):
        state = {"state": {"type": kind}, "force": True}
        client.post(f"/flow_runs/{run}/set_state", json=state).raise_for_status()
    due = 0.0

    def crashed():
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + 2
            beat(lives)
        return flow_run(server, killed)["state_type"] == "CRASHED"

    wait_until(crashed, 120, "the end of the killed run")
    shown = flow_run(server, killed)
    assert shown["state"]["message"] == "no heartbeat for 20 s: its process is gone"
    states = [flow_run(server, run)["state_type"] for run in (lives, over, paused)]
    assert states == ["RUNNING", "COMPLETED", "PAUSED"]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        (None, "no Prefect server is configured: set PREFECT_API_URL"),
        ("http://127.0.0.1:1/api", "does not answer: http://127.0.0.1:1/api"),
        ("{ui}/nowhere", "/nowhere answers, but is no Prefect API"),
    ],
    ids=["missing", "away", "refuses"],
)
def test_a_server_that_cannot_be_used_is_an_error(prefect_services, capsys, url, part):
    url = url and url.format(ui=prefect_services.ui_url)
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(SystemExit) as left:
        main(["setup-prefect"])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("hopsml: ")
    assert part in error


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--limit", "gpu"], "--limit: must be NAME=SLOTS"),
        (["--limit", "gpu=0"], "--limit gpu: must be at least 1"),
        (["--limit", "data/reads=1"], "--limit: must have names without / % & < >"),
        (["--pool", "a/b"], "--pool: must be a name without / % & < >"),
        (["--pool", ""], "--pool: must be a name"),
        (
            ["--project", "here", "--block", "My Block"],
            "--block: must consist of lowercase letters",
        ),
        (["--pool-limit", "0"], "--pool-limit: must be at least 1"),
        (["--dead-after", "9"], "--dead-after: must be at least 10 s"),
        (["--dead-after", "nan"], "--dead-after: must be at least 10 s"),
        (["--project", "s3://key:secret@bucket/x"], "--project: must have no password"),
        (["--project", "nosuch://x"], "--project: "),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(capsys, arguments, part):
    with pytest.raises(SystemExit) as left:
        main(["setup-prefect", *arguments])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert part in error
    assert "secret" not in error
