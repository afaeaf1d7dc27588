from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import HopsmlWarning
from hopsml_flows.experiment import Direction

BOUNDS = {"learning_rate": [0.1, 0.3], "layers": [2, 9], "optimizer": ["sgd", "adam", "rmsprop"]}


def loss(learning_rate, layers, optimizer):
    return (learning_rate - 0.2) ** 2 + layers + len(optimizer)


def test_twenty_samples_are_the_same_for_the_same_seed(options):
    runs = [
        experiment.random_search(
            loss, BOUNDS, direction=Direction.MIN, samples=20, seed=seed, **options
        )
        for seed in (7, 7, 8)
    ]
    params = [[trial.params for trial in run.trials] for run in runs]
    assert params[0] == params[1]
    assert params[0] != params[2]
    assert len(params[0]) == 20
    for drawn in params[0]:
        assert type(drawn["learning_rate"]) is float
        assert 0.1 <= drawn["learning_rate"] <= 0.3
        assert type(drawn["layers"]) is int
        assert 2 <= drawn["layers"] <= 9
        assert drawn["optimizer"] in BOUNDS["optimizer"]
    assert runs[0].best_metric == min(trial.metric for trial in runs[0].trials)


def test_a_drawn_seed_is_kept_in_the_record(options, experiments):
    first = experiment.random_search(loss, BOUNDS, samples=3, **options)
    seed = experiments()[first.id]["options"]["seed"]
    again = experiment.random_search(loss, BOUNDS, samples=3, seed=seed, **options)
    assert [t.params for t in again.trials] == [t.params for t in first.trials]


def test_reversed_bounds_are_sorted_with_a_warning(options):
    with pytest.warns(HopsmlWarning, match="learning_rate.*reversed"):
        result = experiment.random_search(
            lambda learning_rate: learning_rate,
            {"learning_rate": [0.001, 0.0001]},
            samples=4,
            **options,
        )
    assert all(0.0001 <= trial.params["learning_rate"] <= 0.001 for trial in result.trials)


def test_a_small_space_is_evaluated_whole_and_no_configuration_twice(options):
    result = experiment.random_search(lambda layers: layers, {"layers": [1, 4]}, **options)
    assert sorted(trial.params["layers"] for trial in result.trials) == [1, 2, 3, 4]
