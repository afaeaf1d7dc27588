"""Maggy's search space for any hyperparameters: on the way to this package's, nothing is lost."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows import Searchspace
from hopsml_flows.maggy.searchspace import from_space
from hopsml_flows.maggy.trial import Trial, trial_id
from hopsml_flows.search import SearchSpace
from hopsml_flows.values.plain import typed_key

SPACE_NAMES = st.from_regex(r"[a-z]{1,3}_[a-z0-9]{0,3}", fullmatch=True)
VALUES = st.one_of(
    st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.text("abé ")
)


def rising(numbers):
    return st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)


HYPERPARAMETERS = st.one_of(
    st.tuples(st.just("INTEGER"), rising(st.integers(-(2**50), 2**50))),
    st.tuples(st.just("DOUBLE"), rising(st.floats(-1e150, 1e150))),
    st.tuples(
        st.sampled_from(["DISCRETE", "CATEGORICAL"]),
        st.lists(VALUES, min_size=1, max_size=5, unique_by=typed_key),
    ),
)
SPACES = st.dictionaries(SPACE_NAMES, HYPERPARAMETERS, min_size=1, max_size=5)


def alike(one, other):
    return typed_key(one) == typed_key(other)


@given(SPACES)
def test_to_this_packages_space_and_back_only_the_kind_of_a_list_may_change(written):
    space = Searchspace(**written)
    again = from_space(SearchSpace(space))
    assert again.keys() == space.keys()
    for (kind, values), (kind_again, values_again) in zip(
        space.values(), again.values(), strict=True
    ):
        assert kind_again == ("CATEGORICAL" if kind == "DISCRETE" else kind)
        assert values_again == values


@given(SPACES)
def test_its_dict_makes_it_again(written):
    space = Searchspace(**written)
    assert Searchspace(**space.to_dict()).to_dict() == space.to_dict()
    assert space.json() == Searchspace(**space.to_dict()).json()


@given(SPACES, st.integers(0, 9), st.booleans())
def test_a_random_configuration_is_inside_and_comes_back_from_its_numbers(
    written, seed, normalized
):
    space = Searchspace(**written)
    random.seed(seed)
    (params,) = space.get_random_parameter_values(1)
    domains = SearchSpace(space)
    assert all(value in domains[name] for name, value in params.items())
    numbers = space.transform(params, normalized)
    assert all(number >= 0 for number in numbers)
    back = space.list_to_dict(space.inverse_transform(numbers, normalized))
    for name, kind in space.names().items():
        if kind == "DOUBLE":
            low, high = space.get(name)
            assert back[name] == pytest.approx(params[name], abs=1e-12 * (high - low))
        else:
            assert alike(back[name], params[name])


@given(st.dictionaries(st.text("abc"), VALUES), st.randoms(use_true_random=False))
def test_the_identifier_of_a_trial_does_not_depend_on_the_order_of_its_parameters(params, rng):
    names = list(params)
    rng.shuffle(names)
    assert trial_id({name: params[name] for name in names}) == trial_id(params)
    assert Trial.from_json(Trial(params).to_json()).trial_id == trial_id(params)
