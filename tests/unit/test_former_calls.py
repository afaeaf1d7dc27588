"""Calls of the verbs as programs of all of HopsML's releases write them."""

from __future__ import annotations

import warnings

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import (
    HopsmlWarning,
    InvalidArgumentError,
    InvalidFunctionError,
    UnsupportedOperationError,
)
from hopsml_flows.flows.former_calls import renamed

KNOWN = ["train", "grid_dict", "direction", "name"]


def train(lr):
    return lr


@pytest.mark.parametrize("name", ["train", "train_fn", "map_fun", "objective_function"])
def test_the_training_function_has_the_names_of_all_releases(name):
    assert renamed("grid_search", (), {name: train, "name": "x"}, KNOWN) == {
        "train": train,
        "name": "x",
    }


def test_the_values_of_a_grid_have_the_name_of_the_first_releases():
    given = {"args_dict": {"lr": [1]}}
    assert renamed("grid_search", (train,), given, KNOWN) == {"grid_dict": {"lr": [1]}}
    known = ["train", "args_dict"]
    assert renamed("launch", (train,), given, known) == given


def test_a_size_of_the_population_has_its_former_name():
    known = ["train", "boundary_dict", "population"]
    assert renamed("differential_evolution", (), {"popsize": 5}, known) == {"population": 5}


@pytest.mark.parametrize("name", ["versioned_resources", "cleanup_generations"])
def test_what_has_no_effect_is_a_warning_where_it_is_used(name):
    with pytest.warns(HopsmlWarning, match=f"{name} of experiment.grid_search has no effect"):
        assert renamed("grid_search", (train,), {name: ["Resources/a"]}, KNOWN) == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert renamed("grid_search", (train,), {name: None}, KNOWN) == {}


@pytest.mark.parametrize(
    ("args", "given"),
    [((), {"train": train, "train_fn": train}), ((train,), {"map_fun": train})],
)
def test_a_function_that_is_given_twice_is_refused(args, given):
    with pytest.raises(InvalidArgumentError, match="another name of train"):
        renamed("grid_search", args, given, KNOWN)


def test_an_unknown_name_is_pythons_own_error():
    with pytest.raises(TypeError, match="nonsense"):
        experiment.grid_search(train, {"lr": [1]}, nonsense=1)


class Spark:
    sparkContext = None  # noqa: N815 - Spark's


def test_a_spark_session_before_the_function_gets_an_error_that_says_what_to_write():
    with pytest.raises(InvalidFunctionError, match=r"without a Spark session: launch\(train, …\)"):
        experiment.launch(Spark(), train)
    with pytest.raises(UnsupportedOperationError, match="differential_evolution"):
        experiment.evolutionary_search(Spark(), train, {"lr": [0, 1]}, popsize=5)


@pytest.mark.parametrize(
    "verb",
    [
        "launch", "grid_search", "random_search", "differential_evolution", "mirrored",
        "collective_all_reduce", "parameter_server", "distributed",
    ],
)  # fmt: skip
def test_every_verb_takes_hopsmls_names(verb):
    more = {"grid_search": {"args_dict": {"lr": [1]}}}.get(verb, {})
    if verb in ("random_search", "differential_evolution"):
        more = {"boundary_dict": {"lr": [0, 1]}}
    # The name is wrong: judged after the arguments' names, and before anything is started.
    with (
        pytest.warns(HopsmlWarning, match="versioned_resources"),
        pytest.raises(InvalidArgumentError) as caught,
    ):
        getattr(experiment, verb)(train_fn=5, versioned_resources=["a"], **more)
    assert caught.value.argument in ("train", "train_fn")
