from __future__ import annotations

from hopsml_flows import experiment

from .training import product


def test_each_night_begins_with_the_best_of_the_night_before(options, experiments):
    nightly = {**options, "name": "nightly", "warm_start": "last"}
    bounds = {"x": [1, 50]}
    first = experiment.random_search(product, bounds, samples=4, seed=1, **nightly)
    assert experiments()[first.id]["options"]["seeds"]["experiment"] is None

    second = experiment.differential_evolution(
        product, bounds, population=4, generations=1, seed=2, **nightly
    )
    record = experiments()[second.id]
    best = sorted(first.trials, key=lambda trial: -trial.metric)[:2]
    assert record["options"]["warm_start"] == "last"
    assert record["options"]["seeds"] == {
        "experiment": first.id,
        "trials": [trial.name for trial in best],
        "configurations": [trial.params for trial in best],
    }
    assert [trial.params for trial in second.trials[:2]] == [trial.params for trial in best]
