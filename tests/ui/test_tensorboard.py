"""What a user sees in the TensorBoard of an experiment that runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.boards import Page
from tests.servers.homes import used_home
from tests.waiting import eventually

SCRIPT = """
import pathlib, sys, time
from hopsml_flows import experiment

def training(learning_rate, dropout, reporter):
    for step in range(30):
        reporter.broadcast(1 - (1 - learning_rate) ** step * (0.5 + dropout / 2), step)
    while (learning_rate, dropout) == (0.3, 0.5) and not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.1)
    return {"accuracy": 1 - (1 - learning_rate) ** 29 * (0.5 + dropout / 2)}

experiment.grid_search(
    training,
    {"learning_rate": [0.1, 0.2, 0.3], "dropout": [0.1, 0.5]},
    name="digits",
    optimization_key="accuracy",
    project=sys.argv[1],
    cluster={"kind": "local", "n_workers": 2},
    tensorboard=True,
)
"""

ACCURACY = {
    (rate, dropout): 1 - (1 - rate) ** 29 * (0.5 + dropout / 2)
    for rate in (0.1, 0.2, 0.3)
    for dropout in (0.1, 0.5)
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """TensorBoard's URL, from the record of an experiment whose last of six trials still runs."""
    directory = tmp_path_factory.mktemp("live")
    (directory / "script.py").write_text(SCRIPT)
    stop = directory / "stop"
    with (directory / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "script.py", directory / "project", stop],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PREFECT_HOME": str(used_home(directory / "prefect"))},
        )
    try:
        done = _while_running(
            lambda: [*directory.glob("project/Experiments/*/*/.outputs.json")],
            lambda found: len(found) == 5,
            process,
        )
        record = json.loads((done[0].parent.parent / "experiment.json").read_text())
        assert record["state"] == "RUNNING"
        with Page(record["tensorboard"]) as read:  # a page shows what there is when it is opened
            groups = eventually(read.groups, lambda groups: _measured(groups) == 6, 120)
        assert _measured(groups) == 6
        yield record["tensorboard"]
        stop.touch()
        assert process.wait(120) == 0, (directory / "output.txt").read_text()
        assert len([*directory.glob("project/Experiments/*/*/.outputs.json")]) == 6
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _measured(groups):
    """Trials that the page would show with their last step."""
    return sum(
        any(value["trainingStep"] == 29 for value in group["metricValues"])
        for group in groups.values()
    )


def _while_running(read, good, process):
    deadline = time.monotonic() + 180
    while not good(value := read()):
        assert process.poll() is None, "the experiment ended before"
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return value


def test_hparams_lists_all_trials_with_parameters_and_metrics_while_the_last_runs(
    url, page, screenshot
):
    page.goto(f"{url}#hparams")
    dashboard = page.locator("tf-hparams-dashboard")
    _await_trials(dashboard, 6)
    expected = {
        f"{rate:.5f} {dropout:.5f}": f"{accuracy:.5f}"
        for (rate, dropout), accuracy in ACCURACY.items()
    }
    assert _rows(dashboard, expected) == expected
    screenshot("tensorboard-hparams")
    for status in ("Unknown", "Success", "Failure"):
        dashboard.get_by_role("checkbox", name=status).click()
    _await_trials(dashboard, 1)
    expected = {"0.30000 0.50000": f"{ACCURACY[0.3, 0.5]:.5f}"}
    assert _rows(dashboard, expected) == expected


def _await_trials(dashboard, count):
    dashboard.get_by_text(f"Number of matching session groups: {count}", exact=True).wait_for()


def _rows(dashboard, expected):
    """The table's learning rates and dropouts, and the accuracy beside them.

    It is drawn bit by bit: what is read is what was expected, or what it is after a minute.
    """
    return eventually(lambda: _read(dashboard), lambda rows: rows == expected)


def _read(dashboard):
    cells = dashboard.locator("vaadin-grid-cell-content:visible").all_inner_texts()
    cells = [text.strip() for text in cells if text.strip()]
    heads, width = cells[:5], 4  # the check box of a row has no text
    if not heads or (heads[0], heads[-1]) != ("Trial ID", "accuracy"):
        return {}
    rate, dropout = heads.index("learning_rate") - 1, heads.index("dropout") - 1
    rows = [cells[at : at + width] for at in range(5, len(cells), width)]
    return {f"{row[rate]} {row[dropout]}": row[-1] for row in rows if len(row) == width}


def test_time_series_has_the_curve_of_each_trial(url, page, screenshot):
    page.goto(f"{url}#timeseries")
    card = page.locator("scalar-card").filter(has_text="accuracy")
    card.locator("scalar-card-data-table").get_by_text("0006-").wait_for()
    rows = eventually(
        card.locator("tb-data-table-content-row").all_inner_texts,
        lambda rows: [row.split()[3:4] for row in rows] == [["29"]] * 6,
    )
    assert len(rows) == 6
    for (rate, dropout), row in zip(ACCURACY, rows, strict=True):
        name, _smoothed, value, step = row.split()[:4]
        assert name.endswith(f"learning_rate={rate}-dropout={dropout}")
        assert float(value) == pytest.approx(ACCURACY[rate, dropout], abs=1e-3)
        assert step == "29"
    screenshot("tensorboard-time-series")
