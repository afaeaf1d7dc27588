"""An argument that a verb lacks: an error that says which one may be meant."""

from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidArgumentError, UnknownArgumentError
from hopsml_flows.flows.argument_names import meant

SPACE = {"rate": [0.0, 1.0]}


def train(rate):
    return rate


def grid(**given):
    return experiment.grid_search(train, {"rate": [1]}, **given)


def random(**given):
    return experiment.random_search(train, SPACE, **given)


def evolution(**given):
    return experiment.differential_evolution(train, SPACE, **given)


def launch(**given):
    return experiment.launch(train, {"rate": [1]}, **given)


@pytest.mark.parametrize(
    ("verb", "name", "other"),
    [
        (random, "sampels", "samples"),
        (random, "Samples", "samples"),
        (random, "num_trials", "samples"),
        (random, "n_iter", "samples"),
        (random, "optimisation_key", "optimization_key"),
        (random, "metric", "optimization_key"),
        (random, "random_state", "seed"),
        (launch, "optimization_key", "metric_key"),
        (grid, "projct", "project"),
        (grid, "metric_key", "optimization_key"),
        (evolution, "generation", "generations"),
        (evolution, "maxiter", "generations"),
    ],
)
def test_an_unknown_argument_names_the_one_that_is_meant(verb, name, other):
    with pytest.raises(UnknownArgumentError) as caught:
        verb(**{name: 3})
    assert caught.value.argument == name
    assert isinstance(caught.value, (InvalidArgumentError, TypeError))
    text = str(caught.value)
    assert text.startswith(f"{name}: 3 cannot be used, because experiment.")
    assert text.endswith(f"; did you mean {other}?")


def test_without_a_similar_name_the_verb_is_named_alone():
    with pytest.raises(UnknownArgumentError) as caught:
        random(zzz=[1, 2])
    assert str(caught.value) == (
        "zzz: [1, 2] cannot be used, because experiment.random_search has no such argument"
    )


@pytest.mark.parametrize("name", ["searchspace", "search_space", "param_grid"])
def test_a_space_has_the_verbs_own_name(name):
    assert meant(name, ["train", "grid_dict"]) == "grid_dict"
    assert meant(name, ["train", "boundary_dict"]) == "boundary_dict"
    assert meant(name, ["train"]) is None


def test_former_names_are_still_taken():
    with pytest.raises(InvalidArgumentError, match=r"^retries"):
        experiment.grid_search(map_fun=train, args_dict={"rate": [1]}, retries=-1)
