"""What a user does and sees in the Prefect UI: from the run form to the pictures of a search."""

from __future__ import annotations

import re
import sys

import pytest

from tests.servers.homes import used_home
from tests.servers.prefect import Client, PrefectServer, flow_run, wait_for_state
from tests.waiting import eventually, wait_until

from .prefect_pages import RunForm

TRAINING = """
def training(learning_rate, layers, optimizer):
    bonus = {"sgd": 0.0, "adam": 0.1}[optimizer]
    return {"accuracy": 1 - (learning_rate - 0.1) ** 2 - (layers - 3) ** 2 / 100 + bonus}
"""

SERVE = """
import re
import sys
from hopsml_flows import experiment

if __name__ == "__main__":
    experiment.differential_evolution.serve(name="form", parameters={"project": sys.argv[1]})
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A Prefect server, and the identifier of the deployment that a process serves."""
    directory = tmp_path_factory.mktemp("served")
    (directory / "training.py").write_text(TRAINING)
    (directory / "serve.py").write_text(SERVE)
    server = PrefectServer(directory)
    try:
        server.wait()
        serve = server.run(
            [sys.executable, "serve.py", str(directory / "project")],
            directory / "serve.log",
            PREFECT_HOME=str(used_home(directory / "home")),
            PREFECT_RUNNER_POLL_FREQUENCY="2",
        )
        try:
            wait_until(lambda: _deployments(server), 120, f"deployment, see {serve.log}")
            yield server, _deployments(server)[0]["id"]
        finally:
            serve.stop()
    finally:
        server.stop()


def _deployments(server):
    with Client(server.api_url) as client:
        return client.found("deployments", {})


def _runs(server):
    with Client(server.api_url) as client:
        runs = client.found("flow_runs", {})
    return [run for run in runs if not run["parent_task_run_id"]]


def test_a_search_is_started_by_the_run_form_and_seen_on_its_page(served, page, screenshot):
    server, deployment = served
    form = RunForm(page, server.ui_url, deployment)
    assert form.options("direction") == ["MAX", "MIN"]
    assert set(form.options("strategy")) == {
        "adaptive", "rand1bin", "best1bin", "currenttopbest1bin",
    }  # fmt: skip

    form.submit()
    form.field("train").get_by_text("required").wait_for()  # nothing was started
    assert _runs(server) == []

    form = RunForm(page, server.ui_url, deployment)
    form.fill("train", "training.py:training")
    form.add_hyperparameter(
        "boundary_dict", name="learning_rate", type="float", low=0.001, high=0.5, log=True
    )
    form.add_hyperparameter("boundary_dict", name="layers", type="int", low=1, high=8)
    form.add_hyperparameter(
        "boundary_dict", name="optimizer", type="categorical", choices=["sgd", "adam"]
    )
    form.fill("generations", 1)
    form.fill("population", 4)
    form.fill("name", "by form")
    form.fill("optimization_key", "accuracy")
    page.set_viewport_size({"width": 1200, "height": 3900})
    form.field("train").scroll_into_view_if_needed()
    screenshot("prefect-run-form", clip={"x": 0, "y": 0, "width": 1200, "height": 2400})
    form.submit()
    wait_until(lambda: _runs(server), 60, "flow run")
    (run,) = _runs(server)
    wait_for_state(server, run["id"], "COMPLETED", "FAILED", "CRASHED", seconds=240)

    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{server.ui_url}/runs/flow-run/{run['id']}")
    page.get_by_text("Completed", exact=True).first.wait_for()
    _tab(page, "Subflow Runs")
    experiment_id = flow_run(server, run["id"])["name"]
    assert re.fullmatch(r"by-form-\d{8}-\d{6}-[0-9a-f]{6}", experiment_id)
    for number in range(2):
        page.get_by_text(f"{experiment_id}-generation-{number}", exact=True).wait_for()
    page.get_by_text("4 Task runs", exact=True).nth(1).wait_for()
    screenshot("prefect-generations")
    _tab(page, "Artifacts")
    page.get_by_text("by-form-trials", exact=True).first.wait_for()
    screenshot("prefect-artifacts")

    page.get_by_text("by-form-pictures", exact=True).first.click()
    pictures = page.locator("img[src^='data:image/png']")
    widths = "all => all.map(one => one.complete ? one.naturalWidth : 0)"
    shown = eventually(
        lambda: pictures.evaluate_all(widths), lambda found: len(found) == 3 and all(found)
    )
    assert len(shown) == 3
    assert min(shown) > 100
    screenshot("prefect-pictures")

    page.goto(f"{server.ui_url}/runs/flow-run/{run['id']}")
    _tab(page, "Subflow Runs")
    page.get_by_text(f"{experiment_id}-generation-0", exact=True).click()
    _tab(page, "Task Runs")
    page.get_by_text("0001-learning_rate=", exact=False).first.wait_for()
    page.get_by_text("optimizer=", exact=False).nth(3).wait_for()
    screenshot("prefect-trials")


def _tab(page, name):
    page.locator(".p-tab").get_by_text(name, exact=True).click()
