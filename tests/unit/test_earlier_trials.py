from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hopsml_flows.execution import Staging, earlier_trials
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.trials import (
    DeviceUsage,
    Failure,
    GpuUsage,
    MeanPeak,
    State,
    Trial,
    TrialResult,
    trial_name,
)

PATHS = ExperimentPaths("digits-1")
USAGE = DeviceUsage(
    3,
    MeanPeak(88.5, 101.0),
    MeanPeak(1 << 30, 1 << 31),
    (GpuUsage(1, "GPU-1", "Test", 1 << 33, MeanPeak(40.0, 80.0), None),),
)


@pytest.fixture(params=["local", "memory"])
def storage(request, project, memory_project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = project if request.param == "local" else memory_project
    made.make_directory(PATHS.root)
    made.replace(PATHS.record, "{}")
    return made


def trial_of(number, params, generation=None):
    name = trial_name(number, params)
    directory = name if generation is None else f"generation.{generation}/{name}"
    return Trial(number, name, params, directory=directory, generation=generation)


def ran(storage, trial, metric):
    """What a trial leaves that ended; it failed where the metric is None."""
    staging = Staging(storage, PATHS, trial, local_logdir=False)
    staging.write(TrialFiles.HPARAMS, json.dumps(trial.params, indent=1))
    if metric is None:
        result = TrialResult.without_report(trial, Failure("E", "no"))
    else:
        result = TrialResult(
            trial.number,
            trial.name,
            trial.params,
            State.FINISHED,
            metric,
            {"accuracy": metric},
            directory=trial.directory,
            started=10.0,
            ended=12.5,
            worker="tcp://w:1",
            generation=trial.generation,
            devices=USAGE,
        )
    committed = staging.commit(result)
    staging.close()
    return committed


def test_an_experiment_that_has_not_begun_has_no_trials(storage):
    left = earlier_trials(storage, PATHS)
    assert (left.params, left.results) == ({}, {})
    assert earlier_trials(storage, ExperimentPaths("not-there")).params == {}


def test_committed_trials_have_parameters_and_results_failed_ones_only_parameters(storage):
    good = ran(storage, trial_of(1, {"x": 0.1, "act": "relu"}), 0.5)
    ran(storage, trial_of(2, {"x": 1e-300, "act": "tanh"}), None)
    left = earlier_trials(storage, PATHS)
    assert left.params == {1: {"x": 0.1, "act": "relu"}, 2: {"x": 1e-300, "act": "tanh"}}
    assert left.results == {1: good}
    assert left.unfinished == ("0002-x=1e-300-act=tanh",)


def test_trials_committed_before_devices_were_sampled_are_read_too(storage):
    good = ran(storage, trial_of(1, {"x": 0.1}), 0.5)
    path = PATHS.trial(good.directory, TrialFiles.OUTPUTS)
    outputs = json.loads(storage.read(path))
    assert outputs["_commit"].pop("devices")["cpu"] == {"mean": 88.5, "peak": 101.0}
    assert set(outputs) == {"log", "accuracy", "_commit"}
    storage.replace(path, json.dumps(outputs))
    assert earlier_trials(storage, PATHS).results == {1: replace(good, devices=None)}


def test_trials_are_found_in_the_directories_of_their_generations(storage):
    results = {
        number: ran(
            storage, trial_of(number, {"x": number / 7}, generation=(number - 1) // 4), number / 3
        )
        for number in range(1, 13)
    }
    left = earlier_trials(storage, PATHS)
    assert left.results == results
    assert left.params == {number: {"x": number / 7} for number in range(1, 13)}
    assert left.results[9].generation == 2
    assert left.results[9].directory.startswith("generation.2/0009-")


def test_a_trial_in_the_experiments_own_directory_is_the_first_one(storage):
    good = ran(storage, Trial(1, "0001-x=1", {"x": 1}, directory=""), 0.5)
    left = earlier_trials(storage, PATHS)
    assert left.params == {1: {"x": 1}}
    assert (left.results[1].number, left.results[1].metric) == (1, good.metric)
    assert left.results[1].directory == ""


@pytest.mark.parametrize("torn", ["", "{", '{"x": 0.', '{"x": "\\ud8'])
def test_a_trial_that_was_killed_as_it_began_has_not_begun(storage, torn):
    place = f"{PATHS.root}/0002-x=1"
    storage.make_directory(place)
    storage.replace(f"{place}/{TrialFiles.HPARAMS}", torn)
    storage.make_directory(f"{PATHS.root}/0003-x=2")
    ran(storage, trial_of(1, {"x": 3}), 0.5)
    left = earlier_trials(storage, PATHS)
    assert list(left.params) == list(left.results) == [1]


def test_values_come_back_bit_for_bit(storage):
    params = {
        "x": 0.1 + 0.2,
        "n": 2**63 - 1,
        "tiny": 5e-324,
        "act": "ü\n",
        "on": True,
        "none": None,
        "list": [1, "a"],
    }
    ran(storage, trial_of(1, params), 1 / 3)
    left = earlier_trials(storage, PATHS)
    assert repr(left.params[1]) == repr(params)
    assert left.results[1].metric == 1 / 3


def test_other_directories_and_files_are_no_trials(storage):
    for directory in ("checkpoints", "2024-notes", "generation.x", "generation", "0007"):
        storage.make_directory(f"{PATHS.root}/{directory}")
        storage.replace(f"{PATHS.root}/{directory}/file", "kept")
    for file in ("experiment-progress.png", "notes.txt", ".summary.json", "events.out.tfevents.1"):
        storage.replace(f"{PATHS.root}/{file}", "kept")
    ran(storage, trial_of(1, {"x": 3}), 0.5)
    assert list(earlier_trials(storage, PATHS).params) == [1]


@pytest.mark.parametrize("name", ["2024-01-31-notes.txt", "0002-model.pt", "generation.7"])
def test_a_file_named_like_a_trial_or_a_generation_is_none(storage, name):
    storage.replace(f"{PATHS.root}/{name}", "kept")
    ran(storage, trial_of(1, {"x": 3}), 0.5)
    left = earlier_trials(storage, PATHS)
    assert list(left.params) == list(left.results) == [1]


def test_a_file_named_like_a_trial_among_those_of_a_generation_is_none(storage):
    ran(storage, trial_of(1, {"x": 3}, generation=0), 0.5)
    storage.replace(f"{PATHS.root}/generation.0/0002-model.pt", "kept")
    assert list(earlier_trials(storage, PATHS).params) == [1]


def test_more_trials_than_are_read_at_once(storage):
    for number in range(1, 41):
        ran(storage, trial_of(number, {"x": number}), float(number))
    left = earlier_trials(storage, PATHS)
    assert {n: result.metric for n, result in left.results.items()} == {
        number: float(number) for number in range(1, 41)
    }


def test_reading_changes_nothing(tmp_path):
    project = Project(tmp_path / "project")
    ran(project, trial_of(1, {"x": 3}, generation=0), 0.5)
    before = (
        sorted(tmp_path.rglob("*")),
        [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*"))],
    )
    earlier_trials(project, PATHS)
    after = sorted(tmp_path.rglob("*")), [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*"))]
    assert after == before
