"""The TensorBoard of an experiment, read through its HTTP API while the experiment runs."""

from __future__ import annotations

import json
import os
import threading

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import HopsmlWarning
from hopsml_flows.storage import EXPERIMENTS, ExperimentPaths, Project
from tests.boards import Page, board_processes, is_free
from tests.servers.prefect import artifacts
from tests.waiting import eventually


def curved(x, gate):
    """One trial is over at once; the other has a curve that grows, and waits to be let go."""
    import time
    from pathlib import Path

    from hopsml_flows import tensorboard
    from hopsml_flows.execution import event_records

    if x == 1:
        return {"accuracy": 0.5}
    deadline = time.monotonic() + 120
    with Path(tensorboard.logdir(), "events.out.tfevents.1.user").open("wb", buffering=0) as file:
        file.write(event_records.beginning(time.time()))
        step = 0
        while not Path(gate).exists():
            assert time.monotonic() < deadline, "nobody looked"
            file.write(event_records.scalar("loss", 1 / (step + 1), time.time(), step))
            step += 1
            time.sleep(0.2)
    return {"accuracy": 0.75}


class Onlooker(threading.Thread):
    """Looks at an experiment from outside while it runs, and then lets its last trial end."""

    def __init__(self, url, gate):
        super().__init__()
        self._project = Project(url)
        self._gate = gate
        self.seen = {}

    def run(self):
        try:
            self._look()
        finally:
            self._gate.touch()

    def _look(self):
        [directory] = eventually(lambda: self._project.listdir(EXPERIMENTS), bool)
        paths = ExperimentPaths(directory)
        told = eventually(lambda: self._project.exists(paths.tensorboard), bool)
        assert told
        self.seen["file"] = self._project.read(paths.tensorboard).decode()
        self.seen["record"] = json.loads(self._project.read(paths.record))
        with Page(self.seen["record"]["tensorboard"]) as page:
            groups = eventually(
                page.groups,
                lambda groups: (
                    len(groups) == 2 and any(g.get("metricValues") for g in groups.values())
                ),
            )
            self.seen["groups"] = groups
            self.seen["described"] = page.described()
            self.seen["runs"] = page.runs()
            first = eventually(lambda: page.curve(self._running(), "loss"), lambda c: len(c) > 1)
            self.seen["curve"] = first
            self.seen["later"] = eventually(
                lambda: page.curve(self._running(), "loss"), lambda curve: len(curve) > len(first)
            )
            self.seen["running"] = json.loads(self._project.read(paths.record))["state"]

    def _running(self):
        [name] = [run for run in self.seen["runs"] if run.startswith("0002")]
        return name


@pytest.mark.parametrize("storage", ["local", "webhdfs", "s3"])
def test_trials_are_seen_while_they_run(prefect_server, dask_address, url_of, tmp_path, storage):
    url, gate = url_of(storage), tmp_path / "gate"
    onlooker = Onlooker(url, gate)
    onlooker.start()
    result = experiment.grid_search(
        curved,
        {"x": [1, 2], "gate": [str(gate)]},
        name=f"seen on {storage}",
        optimization_key="accuracy",
        project=url,
        cluster=dask_address,
        sync_interval=0.5,
        progress=False,
        tensorboard=True,
    )
    onlooker.join()
    seen = onlooker.seen
    assert seen["running"] == "RUNNING"
    assert seen["file"] == seen["record"]["tensorboard"]
    by_number = {name[:4]: group for name, group in seen["groups"].items()}
    done, running = by_number["0001"], by_number["0002"]
    assert (done["hparams"]["x"], running["hparams"]["x"]) == (1, 2)
    assert done["metricValues"][0]["value"] == pytest.approx(0.5)
    assert running["metricValues"] == []
    assert done["sessions"][0]["status"] == "STATUS_SUCCESS"
    assert running["sessions"][0]["status"] == "STATUS_RUNNING"
    assert "x" in {info["name"] for info in seen["described"]["hparamInfos"]}
    assert seen["curve"][0] == (0, 1.0)
    assert seen["later"][: len(seen["curve"])] == seen["curve"]
    # Afterwards nothing is left but the experiment.
    project, paths = Project(url), ExperimentPaths(result.id)
    assert json.loads(project.read(paths.record))["tensorboard"] is None
    assert not project.exists(paths.tensorboard)
    assert board_processes() == []
    assert is_free(seen["file"])
    links = artifacts(result.flow_run_id, lambda shown: shown[f"seen-on-{storage}-tensorboard"])
    assert links[f"seen-on-{storage}-tensorboard"] == f"[TensorBoard]({seen['file']})"


def test_experiments_in_a_row_leave_no_tensorboard_and_no_used_port(
    options, monkeypatch, experiments
):
    monkeypatch.setenv("HOPSML_TENSORBOARD", "true")  # where a caller says nothing
    count = int(os.environ.get("HOPSML_EXPERIMENTS_IN_A_ROW", "5"))
    project = Project(options["project"])

    def train():
        from hopsml_flows import hdfs

        [told] = hdfs.glob("Experiments/*/TensorBoard.task0")  # the others' are gone
        return {"url": hdfs.load(told).decode()}

    urls = set()
    for _ in range(count):
        _, outputs = experiment.launch(train, **options)
        urls.add(outputs["url"])
        assert board_processes() == []
        assert is_free(outputs["url"])
    assert len(experiments()) == count
    assert project.glob("Experiments/*/TensorBoard.task0") == []
    assert all(record["tensorboard"] is None for record in experiments().values())


def test_an_experiment_runs_where_no_tensorboard_can(options, monkeypatch):
    monkeypatch.setenv("HOPSML_TENSORBOARD_HOST", "192.0.2.1")
    with pytest.warns(HopsmlWarning, match=r"192\.0\.2\.1.*HOPSML_TENSORBOARD_HOST"):
        result = experiment.launch(lambda: 1.0, tensorboard=True, **options)
    assert result.best_metric == 1.0
    # As one leaves it whose driver is killed; who resumes it without a TensorBoard removes it.
    project, paths = Project(options["project"]), ExperimentPaths(result.id)
    project.replace(paths.tensorboard, "http://127.0.0.1:1")
    experiment.launch(lambda: 1.0, resume=result.id, tensorboard=False, **options)
    assert not project.exists(paths.tensorboard)
