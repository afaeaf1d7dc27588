"""What trials read and export, as their experiments keep it and Prefect is told."""

from __future__ import annotations

import json

import pytest

from hopsml_flows import experiment, experiments, hdfs, model
from hopsml_flows.storage import Project
from tests.servers.prefect import Client
from tests.waiting import eventually

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("hopsfs", "webhdfs")]

TABLE = b"x,y\n1,2\n2,4\n"


def reading(x=1):
    """Read data through the helpers, and export a model of it."""
    from pathlib import Path

    from hopsml_flows import hdfs, model, pandas_helper

    table = pandas_helper.read_csv("Resources/table.csv")
    hdfs.load("Resources/notes.txt")
    Path("net.pt").write_text(str(x))
    model.export("net.pt", "net", metrics={"x": x})
    return {"metric": float(table.y.sum()) + x, "model": "net.pt"}


def failing_unless_two(x=1):
    from hopsml_flows import hdfs

    hdfs.load("Resources/notes.txt")
    if x != 2:
        raise ValueError("no")
    return x


@pytest.fixture
def data():
    """Write the data of these tests into a project."""

    def write(url):
        project = Project(url)
        project.make_directory("Resources")
        project.replace("Resources/table.csv", TABLE)
        project.replace("Resources/notes.txt", b"notes")
        return project

    return write


@pytest.mark.timeout(600)
@pytest.mark.parametrize("storage", ["local", "s3", *SLOW])
def test_what_trials_read_and_exported_is_kept_on_each_storage(
    storage, url_of, options, data, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    options["project"] = url_of(storage)
    project = data(options["project"])
    result = experiment.grid_search(reading, {"x": [1, 2]}, **options)
    exports = set()
    for trial in result.trials:
        table, notes = trial.lineage.inputs
        assert (table.path, table.size) == ("Resources/table.csv", len(TABLE))
        assert (notes.path, notes.size) == ("Resources/notes.txt", 5)
        for file in (table, notes):
            assert file.modified == pytest.approx(project.info(file.path).modified, abs=1)
        exports |= {*trial.lineage.exports}
        content = project.read(f"Experiments/{result.id}/{trial.directory}/.outputs.json")
        assert json.loads(content)["_commit"]["lineage"] == trial.lineage.as_json()
    assert exports == {"Models/net/1", "Models/net/2"}

    # Read back from storage, and found again from the model.
    stored = experiments.get(result.id, project=project)
    assert [each.lineage for each in stored.trials] == [each.lineage for each in result.trials]
    origin = model.get_model("net", 1, project).record.origin
    assert stored.trial(origin.trial).lineage.exports == ("Models/net/1",)

    # A resumed run reads nothing again, and keeps it.
    again = experiment.grid_search(reading, {"x": [1, 2]}, resume=result.id, **options)
    assert [each.lineage for each in again.trials] == [each.lineage for each in result.trials]
    assert model.get_model("net", project_name=project).version == 2


def test_what_a_trial_read_that_failed_is_known(options, data):
    data(options["project"])
    result = experiment.grid_search(failing_unless_two, {"x": [1, 2]}, **options)
    (failed,) = result.failed
    assert [file.path for file in failed.lineage.inputs] == ["Resources/notes.txt"]
    stored = experiments.get(result.id, project=options["project"])
    assert stored.trial(failed.number).lineage == failed.lineage


def test_trials_that_share_a_process_do_not_share_their_inputs(options, data):
    def train(x):
        from hopsml_flows import hdfs

        hdfs.load("Resources/table.csv" if x == 1 else "Resources/notes.txt")
        return x

    data(options["project"])
    result = experiment.grid_search(train, {"x": [1, 2]}, isolation="worker", **options)
    read = [[file.path for file in trial.lineage.inputs] for trial in result.trials]
    assert read == [["Resources/table.csv"], ["Resources/notes.txt"]]


def test_what_the_driver_reads_is_of_no_trial(options, data, monkeypatch):
    monkeypatch.setenv("HOPSML_PROJECT", options["project"])
    data(options["project"])
    hdfs.load("Resources/notes.txt")

    def train():
        return 1

    result = experiment.launch(train, **options)
    assert not result.trials[0].lineage


@pytest.mark.timeout(600)
def test_exported_versions_are_assets_made_of_what_their_trials_read(
    options, data, prefect_server, capsys
):
    project = data(options["project"])
    result = experiment.grid_search(reading, {"x": [1, 2]}, name="assets", **options)
    result.export_model("chosen")

    def events(resource):
        body = {"filter": {"resource": {"id": [resource]}, "order": "ASC"}, "limit": 50}
        return client.found("events", body)["events"]

    with Client(prefect_server) as client:
        made = {
            name: eventually(lambda name=name: events(f"file://{project.url}/Models/{name}"), bool)
            for name in ("net/1", "net/2", "chosen/1")
        }
        table = f"file://{project.url}/Resources/table.csv"
        read = eventually(lambda: events(table), lambda found: len(found) >= 3)
    assert {event["event"] for event in read} == {"prefect.asset.referenced"}
    for name, (event,) in made.items():
        assert event["event"] == "prefect.asset.materialization.succeeded"
        assert event["resource"]["prefect.resource.name"] == name
        related = {
            (each["prefect.resource.role"], each["prefect.resource.id"])
            for each in event["related"]
        }
        assert ("asset", table) in related
        assert ("experiment", f"hopsml.experiment.{result.id}") in related
    (chosen,) = made["chosen/1"]
    best = f"hopsml.trial.{result.id}.{result.best.number}"
    assert best in {each["prefect.resource.id"] for each in chosen["related"]}
