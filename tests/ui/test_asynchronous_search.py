"""What a user sees of a search in Prefect and TensorBoard while trials are stopped."""

from __future__ import annotations

import json
import sys

import pytest

from tests.boards import Page
from tests.servers.homes import used_home
from tests.servers.prefect import PrefectServer, wait_for_state
from tests.waiting import eventually, wait_until

SCRIPT = """
import pathlib, sys, time
from hopsml_flows import experiment
from hopsml_flows.search import Stop, Why

class BelowThree:
    def judge(self, trial, curve):
        value, step = curve.values[-1], curve.steps[-1]
        if step >= 2 and value < 3:
            return Stop(Why("floor", value, "its {value} is below {threshold}", step, 3.0))

    def end(self, trial, curve):
        pass

def training(layers, reporter):
    for step in range(20):
        reporter.broadcast(layers + step / 100, step)
        time.sleep(0.05)
    while layers == 6 and not pathlib.Path(sys.argv[2]).exists():
        reporter.broadcast(layers + step / 100, step)
        time.sleep(0.2)
    return {"accuracy": layers + step / 100}

experiment.optimize(
    training,
    {"layers": [1, 6]},
    optimizer="grid",
    early_stop=BelowThree,
    name="layers",
    optimization_key="accuracy",
    project=sys.argv[1],
    cluster={"kind": "local", "n_workers": 2},
    tensorboard=True,
)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Server, record and end of a search that runs: two of its trials were stopped."""
    directory = tmp_path_factory.mktemp("asynchronous")
    (directory / "script.py").write_text(SCRIPT)
    end = directory / "end"
    server = PrefectServer(directory)
    try:
        server.wait()
        script = server.run(
            [sys.executable, "script.py", str(directory / "project"), str(end)],
            directory / "script.log",
            PREFECT_HOME=str(used_home(directory / "home")),
        )
        try:
            done = "project/Experiments/*/*/.outputs.json"
            wait_until(lambda: len([*directory.glob(done)]) == 5, 180, f"trials, see {script.log}")
            (file,) = directory.glob("project/Experiments/*/experiment.json")
            record = json.loads(file.read_text())
            assert record["state"] == "RUNNING"
            yield server, record, end
        finally:
            end.touch()
            script.stop()
    finally:
        server.stop()


def test_hparams_shows_which_trials_were_stopped_and_at_which_step(running, page, screenshot):
    _, record, _ = running
    with Page(record["tensorboard"]) as read:  # a page shows what there is when it is opened
        eventually(read.groups, lambda groups: len(_stopped(groups)) == 2, 120)
        assert [*_stopped(read.groups())] == ["0001-layers=1", "0002-layers=2"]
    page.goto(f"{record['tensorboard']}#hparams")
    dashboard = page.locator("tf-hparams-dashboard")
    dashboard.get_by_text("Number of matching session groups: 6", exact=True).wait_for()
    rows = eventually(lambda: _hparams(dashboard), lambda rows: len(rows) == 7)
    assert rows[0] == ["Trial ID", "Show Metrics", "layers", "accuracy", "stopped at step"]
    assert [bool(row[-1]) for row in rows[1:]] == [True, True, False, False, False, False]
    for row in rows[1:3]:
        assert float(row[-1]) == _step(float(row[2]), float(row[3]))
    screenshot("tensorboard-stopped")


def _stopped(groups):
    """Trials that TensorBoard knows as stopped."""
    return {
        name: value["value"]
        for name, group in sorted(groups.items())
        for value in group["metricValues"]
        if value["name"]["tag"] == "trial/stopped_at_step"
    }


def _step(layers, accuracy):
    return round(100 * (accuracy - layers))


def _hparams(dashboard):
    """The rows of the table, its head first."""
    cells = dashboard.locator("vaadin-grid-cell-content:visible").all_inner_texts()
    return [cells[at : at + 5] for at in range(0, len(cells), 5)]


def test_the_leaderboard_is_on_the_flow_runs_page_while_it_runs_and_when_it_is_over(
    running, page, screenshot
):
    server, record, end = running
    run = f"{server.ui_url}/runs/flow-run/{record['flow_run_id']}"
    _open_artifact(page, run, "layers-leaderboard")
    rows = _board(page, "RUNNING")
    assert [row["trial"] for row in rows] == ["6", "5", "4", "3", "2", "1"]
    assert [row["state"] for row in rows] == ["RUNNING"] + 3 * ["FINISHED"] + 2 * ["STOPPED"]
    assert rows[0]["layers"] == "6"
    assert rows[0]["accuracy"] == rows[0]["best accuracy"] == "6.19"
    assert rows[0]["step"] == "19"
    screenshot("prefect-leaderboard")

    end.touch()
    wait_for_state(server, record["flow_run_id"], "COMPLETED", "FAILED", "CRASHED", seconds=120)
    _open_artifact(page, run, "layers-leaderboard")
    rows = _board(page, "FINISHED")
    assert [row["state"] for row in rows] == 4 * ["FINISHED"] + 2 * ["STOPPED"]

    _open_artifact(page, run, "layers-summary")
    page.get_by_text("Trial 1 was stopped by floor at step 2: its 1.02 is below 3").wait_for()

    _open_artifact(page, run, "layers-pictures")
    curves = page.locator("img[alt='What each trial reported over its steps']")
    assert eventually(lambda: curves.evaluate("image => image.naturalWidth"), bool) > 100


def _open_artifact(page, run, name):
    page.goto(run)
    page.locator(".p-tab").get_by_text("Artifacts", exact=True).click()
    page.get_by_text(name, exact=True).first.click()


def _board(page, first):
    """The rows of the table, when the first trial is in a state."""
    table = page.locator("table").first
    table.locator("tbody tr").first.get_by_text(first, exact=True).wait_for()
    head = [text.strip() for text in table.locator("thead th").all_inner_texts()]
    return [
        dict(zip(head, (text.strip() for text in row.locator("td").all_inner_texts()), strict=True))
        for row in table.locator("tbody tr").all()
    ]
