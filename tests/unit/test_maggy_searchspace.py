"""Maggy's search space: its methods, its errors, and the way to this package's and back."""

from __future__ import annotations

import copy
import json
import pickle
import random

import numpy as np
import pytest

import hopsml_flows
from hopsml_flows import Searchspace, experiment
from hopsml_flows.errors import HopsmlError, InvalidArgumentError, InvalidSpaceError
from hopsml_flows.maggy.searchspace import from_space
from hopsml_flows.search import Categorical, Float, Int, SearchSpace


@pytest.fixture
def space():
    return Searchspace(
        kernel=("INTEGER", [2, 8]),
        dropout=("DOUBLE", [0, 1]),
        batch=("DISCRETE", [32, 64, 128]),
        opt=("CATEGORICAL", ["sgd", "adam", "rms"]),
    )


def test_the_package_has_it_where_maggys_programs_import_it():
    from hopsml_flows.searchspace import Searchspace as OfModule

    assert hopsml_flows.Searchspace is OfModule


def test_types_are_taken_in_any_case():
    space = Searchspace(a=("Integer", [1, 2]), b=("double", [1, 5]), c=("Discrete", [1]))
    assert space.names() == {"a": "INTEGER", "b": "DOUBLE", "c": "DISCRETE"}


def test_the_values_are_attributes_and_found_by_name(space):
    assert space.kernel == space.get("kernel") == [2, 8]
    assert space.get("nothing") is None
    assert space.get("nothing", 3) == 3
    with pytest.raises(AttributeError, match="nothing"):
        space.nothing  # noqa: B018 - the access is the test


def test_values_are_as_given():
    assert repr(Searchspace(a=("DOUBLE", (1, 5))).a) == "[1, 5]"
    assert Searchspace(a=("INTEGER", np.array([1, 5]))).a == [1, 5]


def test_what_is_returned_is_not_the_spaces_own(space):
    space.kernel.append(9)
    space.names().clear()
    space.keys().clear()
    assert space.kernel == [2, 8]
    assert len(space) == 4


def test_it_is_iterated_over_in_the_order_of_adding(space):
    space.add("last", ("DOUBLE", [0.0, 0.5]))
    assert space.keys() == ["kernel", "dropout", "batch", "opt", "last"]
    assert space.values()[0] == ("INTEGER", [2, 8])
    assert list(space) == space.items()
    assert next(iter(space)) == {"name": "kernel", "type": "INTEGER", "values": [2, 8]}
    assert [each["name"] for each in space for _ in space][:6] == ["kernel"] * 5 + ["dropout"]
    assert "last" in space
    assert "first" not in space


def test_an_empty_one_is_added_to():
    space = Searchspace()
    assert len(space) == 0
    space.add("lr", ("DOUBLE", [0.001, 0.1]))
    assert space.names() == {"lr": "DOUBLE"}


def test_its_dict_makes_it_again(space):
    again = Searchspace(**space.to_dict())
    assert again.to_dict() == space.to_dict()
    assert again.to_dict()["opt"] == ("CATEGORICAL", ["sgd", "adam", "rms"])


def test_its_json_is_its_dict_with_sorted_keys(space):
    assert list(json.loads(space.json())) == sorted(space.keys())
    assert json.loads(str(space))["kernel"] == ["INTEGER", [2, 8]]


@pytest.mark.parametrize("again", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_it_can_be_pickled_and_copied(space, again):
    assert again(space).to_dict() == space.to_dict()
    assert again(space).kernel == [2, 8]


# What Maggy's own tests look for, by the call that must raise it.
COMPLAINTS = [
    ("known", ("DOUBLE", [1, 5]), ValueError, "Hyperparameter name is reserved"),
    ("get", ("DOUBLE", [1, 5]), ValueError, "Hyperparameter name is reserved"),
    ("p", ("DOUBLE", [1, 5], 3), ValueError, "Hyperparameter tuple has to be of length two"),
    ("p", ("FLOAT", [1, 5]), ValueError, "Hyperparameter type is not of type "),
    ("p", ("DOUBLE", []), ValueError, "Hyperparameter feasible region list"),
    ("p", ("DOUBLE", [1, 5, 5]), AssertionError, "For DOUBLE or "),
    ("p", ("INTEGER", [1, 5, 5]), AssertionError, "For DOUBLE or "),
    ("p", ("DOUBLE", [5, 1]), AssertionError, "Lower bound "),
    ("p", ("INTEGER", [4, 1]), AssertionError, "Lower bound "),
    ("p", ("INTEGER", [1.5, 5]), ValueError, "type INTEGER need to be integer:"),
    ("p", ("DOUBLE", ["low", 5]), ValueError, "type DOUBLE need to be integer or float:"),
]


@pytest.mark.parametrize(("name", "value", "kind", "words"), COMPLAINTS)
def test_an_error_is_the_one_that_maggys_programs_expect_and_ours(name, value, kind, words):
    space = Searchspace(known=("DOUBLE", [1, 5]))
    with pytest.raises(kind) as caught:
        space.add(name, value)
    assert words in str(caught.value)
    assert isinstance(caught.value, InvalidSpaceError)
    assert isinstance(caught.value, HopsmlError)
    assert space.keys() == ["known"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("DOUBLE", "p: must be .type, values. .*; got 'DOUBLE'"),
        ((3, [1, 5]), "p: must have a known type .*; got 3"),
        (("CATEGORICAL", "abc"), "p: must have a list of values; got 'abc'"),
        (("CATEGORICAL", 5), "p: must have a list of values; got 5"),
        (("CATEGORICAL", ["a", "a"]), "p: must be different values"),
        (("CATEGORICAL", [{1j}]), "p: must hold only values that JSON can represent"),
        (("DOUBLE", [0, float("inf")]), "p: must be finite"),
        (("INTEGER", [0, 2**64]), "p: must fit in 64 bits"),
        (("INTEGER", [True, 5]), "need to be integer"),
        (("DOUBLE", [float("nan"), 1]), "Lower bound"),
    ],
)
def test_another_error_names_the_hyperparameter(value, words):
    with pytest.raises(InvalidSpaceError, match=words):
        Searchspace(p=value)


def test_a_name_is_a_string():
    with pytest.raises(InvalidSpaceError, match="must name hyperparameters by strings"):
        Searchspace().add(3, ("DOUBLE", [0, 1]))


def test_random_configurations_are_inside(space):
    domains = SearchSpace(space)
    drawn = space.get_random_parameter_values(200)
    assert len(drawn) == 200
    for params in drawn:
        assert list(params) == space.keys()
        assert all(value in domains[name] for name, value in params.items())
    assert {params["kernel"] for params in drawn} == set(range(2, 9))
    assert {params["opt"] for params in drawn} == {"sgd", "adam", "rms"}


def test_random_configurations_come_from_the_generator_that_programs_seed(space):
    random.seed(3)
    first = space.get_random_parameter_values(3)
    random.seed(3)
    assert space.get_random_parameter_values(3) == first
    with pytest.raises(InvalidArgumentError, match="num: must be an integer"):
        space.get_random_parameter_values("3")


def test_a_configuration_becomes_numbers_and_back(space):
    params = {"kernel": 5, "dropout": 0.25, "batch": 128, "opt": "adam"}
    assert space.transform(params) == space.transform([5, 0.25, 128, "adam"]) == [0.5, 0.25, 2, 1]
    assert space.transform(params, normalize_categorical=True) == [0.5, 0.25, 1, 0.5]
    for normalized in (False, True):
        numbers = np.array(space.transform(params, normalized))
        assert space.inverse_transform(numbers, normalized) == [5, 0.25, 128, "adam"]
    assert space.list_to_dict([5, 0.25, 128, "adam"]) == params
    assert space.dict_to_list({**params, "budget": 3}) == [5, 0.25, 128, "adam"]


def test_numbers_out_of_range_become_the_nearest_values(space):
    assert space.inverse_transform([-1, 7, 9, -3]) == [2, 1.0, 128, "sgd"]
    assert space.inverse_transform([2, -1, 1.4, 0.6], True) == [8, 0.0, 128, "adam"]


def test_a_single_choice_is_a_number_too():
    space = Searchspace(opt=("CATEGORICAL", ["sgd"]))
    assert space.transform(["sgd"], True) == [0]
    assert space.inverse_transform([0.9], True) == ["sgd"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.transform([1]), "hparams: must have a value for each of kernel, dropout"),
        (lambda s: s.transform({"kernel": 3}), "hparams: must have dropout, batch, opt"),
        (lambda s: s.transform([9, 0, 32, "sgd"]), r"hparams\['kernel'\]: must be inside Int"),
        (lambda s: s.inverse_transform([0, 0]), "transformed: must have a value for each"),
        (lambda s: s.inverse_transform([0, 0, "x", 0]), "transformed: must be numbers"),
        (lambda s: s.inverse_transform([0, 0, float("nan"), 0]), "transformed: must be numbers"),
        (lambda s: s.list_to_dict([1]), "hparams: must have a value for each"),
    ],
)
def test_what_is_no_configuration_is_a_typed_error(space, call, words):
    with pytest.raises(InvalidArgumentError, match=words):
        call(space)


def test_it_becomes_this_packages_space(space):
    assert dict(SearchSpace(space)) == {
        "kernel": Int(2, 8),
        "dropout": Float(0, 1),
        "batch": Categorical([32, 64, 128]),
        "opt": Categorical(["sgd", "adam", "rms"]),
    }
    with pytest.raises(InvalidSpaceError, match="searchspace: must name at least one"):
        SearchSpace(Searchspace(), argument="searchspace")


def test_this_packages_space_becomes_one():
    domains = {"lr": Float(1e-4, 1, log=True), "n": Int(1, 9), "opt": Categorical(["a", "b"])}
    space = from_space(SearchSpace({**domains, "fixed": [3, 3], "rate": [0.5, 0.5]}))
    assert space.to_dict() == {
        "lr": ("DOUBLE", [1e-4, 1]),
        "n": ("INTEGER", [1, 9]),
        "opt": ("CATEGORICAL", ["a", "b"]),
        "fixed": ("DISCRETE", [3]),
        "rate": ("DISCRETE", [0.5]),
    }
    with pytest.raises(InvalidSpaceError, match="name is reserved"):
        from_space(SearchSpace({"items": [1, 5]}))


def test_the_verbs_that_search_take_one():
    def train(kernel, dropout, batch, opt):
        return kernel

    space = Searchspace(kernel=("INTEGER", [2, 8]), dropout=("DOUBLE", [0, 1]))
    space.add("batch", ("DISCRETE", [32, 64]))
    space.add("opt", ("CATEGORICAL", ["sgd", "adam"]))
    plan = experiment.random_search.plan(train, space, samples=3)
    assert plan.domains == dict(SearchSpace(space))
    kept = plan.parameters({"train": train, "boundary_dict": space})
    assert experiment.random_search.plan(train, kept["boundary_dict"]).domains == plan.domains
