from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys

import psutil
import pytest

from hopsml_flows.errors import PrefectServerError
from tests.servers.homes import used_home
from tests.servers.prefect import Client, answers
from tests.servers.processes import free_ports, gone
from tests.waiting import wait_until
from tests.workers import running

# No main guard, as in the programs written for HopsML.
SCRIPT = """
import contextlib, json, os, time
import httpx
import psutil
from prefect.settings import PREFECT_API_URL
from hopsml_flows import experiment

def servers():
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "hopsml_flows.server.embedded_program" in " ".join(process.info["cmdline"] or []):
            with contextlib.suppress(psutil.Error):  # another test's, which has just ended
                if process.environ().get("PREFECT_HOME") == os.environ["PREFECT_HOME"]:
                    found.append(process.pid)
    return found

def children():
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            yield child.pid, " ".join(child.cmdline())

def train(x):
    api = PREFECT_API_URL.value().rstrip("/")
    page = httpx.get(api.removesuffix("/api") + "/ui-settings", timeout=60).json()
    return {"metric": x, "servers": servers(), "pid": os.getpid(),
            "page_finds_api": page["api_url"] == api}

result = experiment.grid_search(train, {"x": [1, 2, 3, 4]}, name="embedded",
                                cluster=experiment.ClusterConfig(kind="local", n_workers=2))
print("RESULT", json.dumps({
    "flow_run": result.flow_run_id,
    "servers": [trial.outputs["servers"] for trial in result.trials],
    "pids": sorted({trial.outputs["pid"] for trial in result.trials}),
    "page_finds_api": [trial.outputs["page_finds_api"] for trial in result.trials],
    "left": servers(),
    "children": list(children()),
    "trials": [trial.name for trial in result.trials],
}))
"""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A script without a server, run once; what it printed, and its Prefect home."""
    directory = tmp_path_factory.mktemp("embedded")
    script = directory / "program.py"
    script.write_text(SCRIPT)
    home = directory / "prefect"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=directory,
        env={**os.environ, "PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)[1])
    return told, done.stdout, home, directory


def test_exactly_one_server_serves_the_run_and_its_workers(embedded):
    told, _, _, _ = embedded
    assert len({tuple(servers) for servers in told["servers"]}) == 1
    assert len(told["servers"][0]) == 1
    assert len(told["pids"]) == 2
    assert all(told["page_finds_api"])


def test_server_and_workers_are_gone_afterwards(embedded):
    told, _, _, _ = embedded
    assert told["left"] == []
    kept = ("resource_tracker", "fork_program")  # for the script's next experiment
    for _, command in told["children"]:
        assert any(name in command for name in kept)
    for pid in [*told["servers"][0], *told["pids"], *(pid for pid, _ in told["children"])]:
        assert gone(pid)


def test_a_server_started_later_shows_the_finished_run_with_its_task_runs(embedded):
    told, _, home, _ = embedded
    (port,) = free_ports(1)
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-services"],
        env={**os.environ, "PREFECT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}/api"
        wait_until(lambda: answers(url), 120, "the start of the server")
        with Client(url) as client:
            flow_run = client.get(f"/flow_runs/{told['flow_run']}").raise_for_status().json()
            body = {"flow_runs": {"id": {"any_": [told["flow_run"]]}}}
            task_runs = client.found("task_runs", body)
    finally:
        server.terminate()
        server.wait(30)
    assert flow_run["state_type"] == "COMPLETED"
    assert sorted(run["name"] for run in task_runs) == sorted(told["trials"])
    assert {run["state_type"] for run in task_runs} == {"COMPLETED"}


def test_output_ends_with_a_table_and_where_to_look_next(embedded):
    _, printed, _, directory = embedded
    lines = printed.splitlines()
    assert any(re.search(r"4/4 trials · 0 running · best metric 4", line) for line in lines)
    assert any("grid_search: trials of embedded" in line for line in lines)
    assert any(line.startswith("Finished Experiment embedded-") for line in lines)
    assert any(line.startswith("BEST  metric 4 with x=4") for line in lines)
    assert any(line.startswith(f"Files:       {directory}/hopsml_project/Exp") for line in lines)
    assert any(
        re.fullmatch(r"TensorBoard: hopsml tensorboard embedded-\S+", line) for line in lines
    )
    assert any(line.startswith("Prefect:     prefect server start") for line in lines)


def test_program_is_versioned_with_the_experiment(embedded):
    _, _, _, directory = embedded
    (experiment,) = (directory / "hopsml_project" / "Experiments").iterdir()
    assert (experiment / "program.py").read_text() == SCRIPT
    assert re.search(r"(?m)^prefect==\d", (experiment / "environment.txt").read_text())


def test_a_server_that_is_too_slow_is_an_error_and_is_stopped():
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from hopsml_flows.server.embedded import embedded_server

    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(PrefectServerError, match=r"did not answer within 0\.01 s"),
        embedded_server(start_seconds=0.01),
    ):
        pass
    assert running("hopsml_flows.server.embedded_program", psutil.Process().children()) == []


def test_a_server_that_cannot_start_is_an_error_with_its_output():
    from prefect.settings import (
        PREFECT_API_DATABASE_CONNECTION_URL,
        PREFECT_API_URL,
        temporary_settings,
    )

    from hopsml_flows.server.embedded import embedded_server

    with (
        temporary_settings(
            {PREFECT_API_DATABASE_CONNECTION_URL: "nonsense://nowhere"},
            restore_defaults={PREFECT_API_URL},
        ),
        pytest.raises(PrefectServerError, match="exited with code"),
        embedded_server(),
    ):
        pass


QUICK = """
from hopsml_flows import experiment

def train(x):
    print("line of", x)
    return x

result = experiment.grid_search(train, {"x": list(range(40))}, name="quick", progress=False,
                                cluster=experiment.ClusterConfig(kind="local", n_workers=2))
print("FLOW_RUN", result.flow_run_id)
"""


def test_a_server_that_outlives_the_script_has_all_task_runs_in_the_end(tmp_path):
    home = used_home(tmp_path / "prefect")
    done = subprocess.run(
        [sys.executable, "-c", QUICK],
        cwd=tmp_path,
        env={**os.environ, "PREFECT_HOME": str(home), "HOPSML_SERVER_IDLE_SECONDS": "3"},
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    flow_run = re.search(r"^FLOW_RUN (.*)$", done.stdout, re.MULTILINE)[1]
    wait_until(lambda: not list(home.glob("hopsml-server-*/*.json")), 120, "the server's end")
    with sqlite3.connect(home / "prefect.db") as database:
        rows = database.execute(
            "SELECT name, state_type, start_time, end_time, task_inputs FROM task_run "
            "WHERE replace(flow_run_id, '-', '') = ?",
            [flow_run.replace("-", "")],
        ).fetchall()
        logs = database.execute("SELECT message FROM log").fetchall()
    assert len({name for name, *_ in rows}) == len(rows) == 40
    assert {state for _, state, *_ in rows} == {"COMPLETED"}
    assert all(started and ended for _, _, started, ended, _ in rows)
    assert all("job" in json.loads(inputs) for *_, inputs in rows)
    said = {line for (line,) in logs if line.startswith("line of")}
    assert said == {f"line of {x}" for x in range(40)}


KILLED = """
import sys
from hopsml_flows import experiment

def train(x):
    with open(runs, "a") as file:
        file.write(f"{x}\\n")
    return 2 * x

project, runs, resume = sys.argv[1], sys.argv[2], sys.argv[3:]
result = experiment.grid_search(train, {"x": list(range(30))}, name="killed", progress=False,
                                project=project, resume=resume[0] if resume else None,
                                cluster=experiment.ClusterConfig(kind="local", n_workers=2))
print("RESULT", result.flow_run_id, sorted(trial.metric for trial in result.trials))
"""


@pytest.mark.slow
def test_a_driver_killed_after_its_last_trial_loses_nothing_that_was_committed(tmp_path):
    """Nothing is run again when it is resumed, and no server stays behind."""
    home = used_home(tmp_path / "prefect")
    project, runs = tmp_path / "project", tmp_path / "runs"
    arguments = [sys.executable, "-c", KILLED, str(project), str(runs)]
    environment = {**os.environ, "PREFECT_HOME": str(home), "HOPSML_SERVER_IDLE_SECONDS": "5"}

    def committed():
        return len(list(project.glob("Experiments/*/*/.outputs.json"))) == 30

    with open(tmp_path / "log", "w") as log:
        driver = subprocess.Popen(
            arguments, cwd=tmp_path, env=environment, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    wait_until(lambda: committed() or driver.poll() is not None, 240, "the last trial's end")
    driver.kill()
    driver.wait()
    (experiment,) = (path.name for path in (project / "Experiments").iterdir())
    done = subprocess.run(
        [*arguments, experiment],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    flow_run, metrics = re.search(r"^RESULT (\S+) (.*)$", done.stdout, re.MULTILINE).groups()
    assert json.loads(metrics) == [2.0 * x for x in range(30)]
    assert sorted(runs.read_text().splitlines(), key=int) == [str(x) for x in range(30)]
    wait_until(lambda: not list(home.glob("hopsml-server-*/*.json")), 120, "the server's end")
    with sqlite3.connect(home / "prefect.db") as database:
        states = database.execute("SELECT id, state_type FROM flow_run").fetchall()
        trials = database.execute("SELECT DISTINCT state_type FROM task_run").fetchall()
    assert {run.replace("-", ""): state for run, state in states}[
        flow_run.replace("-", "")
    ] == "COMPLETED"
    assert "RUNNING" not in {state for _, state in states}
    assert set(trials) <= {("COMPLETED",), ("CRASHED",)}


def test_experiments_that_start_at_once_on_a_new_home_all_end_well(tmp_path):
    home = tmp_path / "prefect"
    environment = {**os.environ, "PREFECT_HOME": str(home), "HOPSML_SERVER_IDLE_SECONDS": "5"}
    processes = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", QUICK.replace("range(40)", "range(4)")],
                cwd=tmp_path / str(number),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        )
    printed = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, printed
    wait_until(lambda: not list(home.glob("hopsml-server-*/*.json")), 120, "the server's end")
    with sqlite3.connect(home / "prefect.db") as database:
        (runs,) = database.execute("SELECT count(*) FROM flow_run").fetchone()
        trials = database.execute("SELECT state_type FROM task_run").fetchall()
    assert (runs, trials) == (4, [("COMPLETED",)] * 16)
