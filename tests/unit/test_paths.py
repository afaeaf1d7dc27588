from __future__ import annotations

import pytest

from hopsml_flows.storage import ExperimentPaths, TrialFiles, is_own_file


def test_an_experiments_files_lie_in_its_directory():
    paths = ExperimentPaths("digits-1")
    assert paths.root == "Experiments/digits-1"
    assert paths.record == "Experiments/digits-1/experiment.json"
    assert paths.summary == "Experiments/digits-1/.summary.json"
    assert paths.environment == "Experiments/digits-1/environment.txt"
    assert paths.program(".ipynb") == "Experiments/digits-1/program.ipynb"


@pytest.mark.parametrize(
    ("directory", "file", "path"),
    [
        ("0001-x=1", "", "Experiments/e/0001-x=1"),
        ("0001-x=1", "output.log", "Experiments/e/0001-x=1/output.log"),
        ("", "output.log", "Experiments/e/output.log"),
        ("", "", "Experiments/e"),
        ("generation.0/0001", ".metric", "Experiments/e/generation.0/0001/.metric"),
    ],
)
def test_a_trials_files_lie_in_its_directory_or_the_experiments(directory, file, path):
    assert ExperimentPaths("e").trial(directory, file) == path


def test_the_names_hopsml_used_are_the_projects_own():
    own = {".hparams.json", ".outputs.json", ".metric", "output.log"}
    assert {name for name in own if is_own_file(name)} == own
    assert not is_own_file("model.keras")


def test_the_event_files_sort_around_any_that_a_training_function_writes():
    users = "events.out.tfevents.1764000000.host.1.v2"
    assert sorted([TrialFiles.EVENTS_END, users, TrialFiles.EVENTS_START]) == [
        TrialFiles.EVENTS_START,
        users,
        TrialFiles.EVENTS_END,
    ]
