"""Experiments of before the code was moved into its present modules are read, and written alike.

``tests/conformance/experiments.tar.gz`` has the project that these two calls wrote then, without
``environment.txt``.
"""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.driver import Driver
from hopsml_flows.execution import earlier_trials
from hopsml_flows.plan.check import prepare
from hopsml_flows.search import Float
from hopsml_flows.service.experiment_finder import find_experiment
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking.progress import open_progress

ARCHIVE = Path(__file__).parents[1] / "conformance/experiments.tar.gz"
GRID = "golden-grid-20261129-092140-fca4bf"
EVOLUTION = "golden-evolution-20261129-092243-352d77"
NOT_ALWAYS = {"environment.txt", "events.out.tfevents.1.hopsml"}
"""Left out of the archive, or written only by a trial that takes half a second."""

RECORD = "experiment.json"
SINCE = {
    "attempt", "confirmation", "flow_run_page", "note", "promotion", "rerun_of", "trials_stopped",
    "versions",
}  # fmt: skip
"""Keys that records have got since then."""

NEW = {"pylock.toml", "program.zip", "program.diff"}
"""Files that experiments have got since then; the last two are of the program that runs."""


def training(rate, units):
    if units == 3:
        raise ValueError("three units are one too many")
    return {"accuracy": rate * units, "curve": [rate, float("nan")]}


def square(rate, units):
    return rate * units


def grid(call, **options):
    return call(
        training,
        {"rate": [0.5, 1.0], "units": [1, 2, 3]},
        direction="max",
        optimization_key="accuracy",
        name="golden grid",
        seed=7,
        **options,
    )


def evolution(call, **options):
    return call(
        square,
        {"rate": Float(0.1, 1.0), "units": [1, 9]},
        generations=1,
        population=4,
        name="golden evolution",
        seed=7,
        **options,
    )


class Deaf:
    """An announcer that announces nothing."""

    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The project that was written then."""
    root = tmp_path_factory.mktemp("before")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
    return Project(str(root))


@pytest.fixture(scope="module")
def now(prefect_server, tmp_path_factory):
    """What the same calls write now; by the name of the verb."""
    project = str(tmp_path_factory.mktemp("now"))
    options = {
        "project": project,
        "cluster": experiment.ClusterConfig(kind="local", n_workers=2),
        "progress": False,
    }
    return {
        "grid": grid(experiment.grid_search, **options),
        "evolution": evolution(experiment.differential_evolution, **options),
    }


def resumed(project, verb, call, experiment_id):
    """A driver that has gone through what lies on storage."""
    plan = prepare(call(verb.plan, project=project.url, resume=experiment_id))
    paths = ExperimentPaths(experiment_id)
    left = earlier_trials(project, paths, needs_metric=True)
    driver = Driver(plan, paths, open_progress(show=False), left, Deaf(), None)
    driver.replay()
    assert driver.damaged == []
    return driver


def content(directory):
    """The files of an experiment, and the keys of those that are JSON."""
    found = {}
    for file in Path(directory).rglob("*"):
        name = str(file.relative_to(directory))
        if file.is_file() and file.name not in NOT_ALWAYS:
            found[name] = sorted(json.loads(file.read_text())) if file.suffix == ".json" else None
    return found


def test_experiments_are_found_by_the_beginning_of_their_names(before):
    assert find_experiment(before, "golden-grid").id == GRID
    assert find_experiment(before, "last").id == EVOLUTION


def test_a_grid_is_resumed_with_its_results_and_typed_values(before):
    driver = resumed(before, experiment.grid_search, grid, GRID)
    results = {result.number: result for result in driver.results}
    assert sorted(results) == [1, 2, 4, 5]  # the others failed, and run again
    assert results[5].params == {"rate": 1.0, "units": 2}
    assert type(results[5].params["units"]) is int
    assert results[5].outputs["accuracy"] == 2.0
    assert math.isnan(results[5].outputs["curve"][1])


def test_an_evolution_is_resumed_to_its_end_and_proposes_the_same_trials(before):
    driver = resumed(before, experiment.differential_evolution, evolution, EVOLUTION)
    assert driver.loop.finished
    assert len(driver.results) == 8
    assert driver.loop.best.metric == 5.895198487339438


def test_an_evolution_begins_with_the_seeds_of_one(before):
    plan = prepare(
        evolution(experiment.differential_evolution.plan, project=before.url, warm_start=EVOLUTION)
    )
    assert plan.first[0] == {"rate": 0.8421712124770625, "units": 7}


@pytest.mark.parametrize(("verb", "experiment_id"), [("grid", GRID), ("evolution", EVOLUTION)])
def test_the_same_call_writes_the_same_files(before, now, verb, experiment_id):
    then = content(before.local_root / "Experiments" / experiment_id)
    then[RECORD] = sorted({*then[RECORD], *SINCE})
    found = content(now[verb].path)
    assert "pylock.toml" in found
    assert {name: keys for name, keys in found.items() if name not in NEW} == then
