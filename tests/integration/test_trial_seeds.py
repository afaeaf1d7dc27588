"""Seeds of trials: where they come from, what they seed, and where they are kept."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from hopsml_flows import experiment, experiments
from hopsml_flows.trials import trial_seed


def draws(x):
    import os
    import random

    import numpy as np

    if x == 3:
        raise ValueError("three")
    return {
        "metric": x,
        "seed": int(os.environ["HOPSML_SEED"]),
        "drawn": [random.random(), np.random.random()],
    }


class Drawn:
    """Draws a random number where it is unpacked, as a module may that is imported there."""

    def __reduce__(self):
        return random.random, ()


@pytest.fixture
def options(prefect_server, project):
    cluster = experiment.ClusterConfig(kind="local", n_workers=1)
    return {"project": str(project), "cluster": cluster, "progress": False}


def test_the_same_seed_gives_the_same_numbers_and_is_kept_with_each_trial(options, project):
    runs = [
        experiment.grid_search(draws, {"x": [1, 2, 3]}, seed=seed, isolation=isolation, **options)
        for seed, isolation in ((7, "worker"), (7, "process"), (8, "worker"))
    ]
    succeeded = [[trial for trial in run.trials if trial.succeeded] for run in runs]
    drawn = [[trial.outputs["drawn"] for trial in trials] for trials in succeeded]
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]
    assert drawn[0] != drawn[2]
    first = runs[0]
    for trial in succeeded[0]:
        assert trial.seed == trial.outputs["seed"] == trial_seed(7, trial.number)
        outputs = json.loads(Path(first.path, trial.directory, ".outputs.json").read_text())
        assert outputs["_commit"]["seed"] == trial.seed
    # A failed trial has no commit: the summary has its seed.
    assert [trial.seed for trial in first.failed] == [trial_seed(7, 3)]
    stored = experiments.get(first.id, project=str(project))
    assert {trial.number: trial.seed for trial in stored.trials} == {
        number: trial_seed(7, number) for number in (1, 2, 3)
    }


def test_what_loads_a_function_draws_none_of_its_trials_numbers(options):
    loaded = Drawn()

    def train(x):
        assert 0 < loaded < 1
        return {"metric": x, "drawn": random.random()}

    result = experiment.grid_search(train, {"x": [1, 2]}, seed=7, **options)
    assert [trial.outputs["drawn"] for trial in result.trials] == [
        random.Random(trial_seed(7, number)).random() for number in (1, 2)
    ]


def test_turned_off_trials_draw_what_they_like(options):
    runs = [
        experiment.grid_search(draws, {"x": [1]}, seed=7, seed_trials=False, **options)
        for _ in range(2)
    ]
    one, other = (run.trials[0].outputs for run in runs)
    assert one["seed"] == other["seed"] == trial_seed(7, 1)
    assert set(one["drawn"]).isdisjoint(other["drawn"])
    record = json.loads(Path(runs[0].path, "experiment.json").read_text())
    assert record["options"]["seed_trials"] is False


def test_all_processes_of_a_distributed_trial_have_its_seed(options):
    result = experiment.mirrored(
        lambda: draws(1),
        num_workers=2,
        seed=7,
        **(options | {"cluster": experiment.ClusterConfig(kind="local", n_workers=2)}),
    )
    assert result.outputs["seed"] == trial_seed(7, 1)
