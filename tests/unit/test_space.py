from __future__ import annotations

import json
import math
import pickle
import warnings
from collections import Counter

import numpy as np
import pytest

from hopsml_flows.errors import HopsmlWarning, InvalidSpaceError
from hopsml_flows.search import Categorical, Float, Int, SearchSpace, value_lists

NAN, INF = math.nan, math.inf


def drawn(domain, count=2000, seed=0):
    rng = np.random.default_rng(seed)
    return [domain.sample(rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("bounds", "domain"),
    [
        ([2, 8], Int(2, 8)),
        ((2, 8), Int(2, 8)),
        ([np.int64(2), np.int32(8)], Int(2, 8)),
        ([0.1, 0.5], Float(0.1, 0.5)),
        ([0, 0.5], Float(0.0, 0.5)),
        ([0.5, 1], Float(0.5, 1.0)),
        ([np.float32(0.5), 1], Float(0.5, 1.0)),
        (["sgd", "adam"], Categorical(["sgd", "adam"])),
        (["sgd", "adam", "rmsprop"], Categorical(["sgd", "adam", "rmsprop"])),
        ([True, False], Categorical([True, False])),
        (Float(1e-4, 1e-1, log=True), Float(1e-4, 1e-1, log=True)),
        (Int(1, 1024, log=True), Int(1, 1024, log=True)),
    ],
)
def test_bounds_are_read_as_hopsml_reads_them(bounds, domain):
    assert SearchSpace({"x": bounds})["x"] == domain


@pytest.mark.parametrize(
    "bounds",
    [
        [],
        [1, 2, 3],
        [0.1, 0.2, 0.3],
        ["same", "same"],
        ["caf\udce9", "tea"],
        [None],
        [[1]],
        "ab",
        b"ab",
        5,
        None,
        {"low": 1, "high": 2},
        [1, "2"],
        [None, 1],
        [True, 2],
        [[1], [2]],
        [NAN, 1.0],
        [0.0, NAN],
        [0.0, INF],
        [-INF, 0.0],
    ],
    ids=repr,
)
def test_wrong_bounds_are_refused_naming_the_hyperparameter(bounds):
    with pytest.raises(InvalidSpaceError) as caught:
        SearchSpace({"good": [0, 1], "rate": bounds})
    assert "boundary_dict['rate']" in str(caught.value)
    assert "got" in str(caught.value)


@pytest.mark.parametrize("wrong", [{}, [], None, [("a", [1, 2])], "a"], ids=repr)
def test_a_space_that_is_no_dict_or_empty_is_refused(wrong):
    with pytest.raises(InvalidSpaceError, match="boundary_dict"):
        SearchSpace(wrong)


def test_a_name_that_is_no_string_is_refused():
    with pytest.raises(InvalidSpaceError, match="must name hyperparameters by strings"):
        SearchSpace({1: [0, 1]})


@pytest.mark.parametrize(
    ("bounds", "domain"), [([0.001, 0.0001], Float(0.0001, 0.001)), ([8, 2], Int(2, 8))]
)
def test_reversed_bounds_are_sorted_with_a_warning_naming_the_hyperparameter(bounds, domain):
    with pytest.warns(HopsmlWarning, match=r"boundary_dict\['rate'\].*reversed") as caught:
        space = SearchSpace({"rate": bounds})
    assert space["rate"] == domain
    assert len(caught) == 1


def test_a_reversed_domain_is_sorted_with_a_warning():
    with pytest.warns(HopsmlWarning, match="reversed"):
        assert Float(1.0, 0.5) == Float(0.5, 1.0)


def test_bounds_in_order_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SearchSpace({"a": [0, 1], "b": [0.1, 0.2], "c": ["x", "y"]})


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.0, NAN),
        (0.0, INF),
        ("0", 1.0),
        (None, 1.0),
        (True, 2.0),
        (0.0, 10**400),
        (-1.7e308, 1.7e308),
        (10**20, 10**20 + 1),
    ],
)
def test_a_float_interval_needs_two_finite_numbers_that_differ_as_floats(low, high):
    with pytest.raises(InvalidSpaceError):
        Float(low, high)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1.5), (0.0, 1), ("0", 1), (None, 1), (False, 2), (0, 2**63)]
)
def test_an_integer_range_needs_two_64_bit_integers(low, high):
    with pytest.raises(InvalidSpaceError):
        Int(low, high)


def test_an_integer_range_may_span_64_bits():
    whole = Int(-(2**63), 2**63 - 1)
    assert all(value in whole for value in drawn(whole, 20))


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_a_log_interval_must_be_positive(low):
    with pytest.raises(InvalidSpaceError, match="positive"):
        Float(low, 1.0, log=True)


def test_a_log_integer_range_starts_at_one_or_above():
    with pytest.raises(InvalidSpaceError, match="at least 1"):
        Int(0, 8, log=True)


@pytest.mark.parametrize(
    "choices", [[], [1, 1], ["a", "a"], ["a", "b", "a"], "ab", b"ab", 3, None, {"a", "b"}]
)
def test_a_choice_needs_a_list_of_different_values(choices):
    with pytest.raises(InvalidSpaceError):
        Categorical(choices)


def test_values_that_compare_equal_but_differ_in_type_are_different_choices():
    choice = Categorical([1, 1.0, True])
    assert choice.choices == (1, 1.0, True)
    assert [type(value) for value in choice.choices] == [int, float, bool]
    assert True in choice
    assert 2 not in choice
    assert 0 not in Categorical([False, "x"])


@pytest.mark.parametrize("value", [object(), len, b"bytes", [object()], {"a": object()}])
def test_a_choice_that_json_cannot_hold_is_refused(value):
    with pytest.raises(InvalidSpaceError):
        Categorical(["sgd", value])


@pytest.mark.parametrize("value", [None, 1.5, [3, 3], (3, 3), {"units": 3}, np.array([1, 2])])
def test_a_choice_that_json_can_hold_is_taken(value):
    assert len(Categorical(["sgd", value]).choices) == 2


def test_draws_are_python_values_within_the_domain():
    for domain, kind in [
        (Float(0.1, 0.2), float),
        (Float(1e-5, 1e-1, log=True), float),
        (Int(-3, 3), int),
        (Int(1, 100, log=True), int),
        (Categorical(["a", "b"]), str),
    ]:
        values = drawn(domain, 300)
        assert {type(value) for value in values} == {kind}
        assert all(value in domain for value in values)


def test_every_integer_is_as_likely_including_both_ends():
    counts = Counter(drawn(Int(2, 8), 7000))
    assert set(counts) == set(range(2, 9))
    assert all(850 < count < 1150 for count in counts.values())


def test_every_choice_is_as_likely():
    counts = Counter(drawn(Categorical(["a", "b", "c"]), 3000))
    assert set(counts) == {"a", "b", "c"}
    assert all(850 < count < 1150 for count in counts.values())


def test_a_log_interval_draws_every_decade_as_often():
    decades = Counter(
        math.floor(math.log10(value)) for value in drawn(Float(1e-4, 1e-1, log=True), 3000)
    )
    assert {decades[place] for place in (-4, -3, -2)} == set(decades.values())
    assert all(850 < count < 1150 for count in decades.values())


def test_a_log_integer_range_draws_small_numbers_more_often_and_reaches_both_ends():
    counts = Counter(drawn(Int(1, 64, log=True), 20_000))
    assert counts[1] > counts[8] > counts[60] > 0
    assert counts[64] > 0


def test_membership_knows_types():
    assert 3 in Int(2, 8)
    assert 3.0 not in Int(2, 8)
    assert True not in Int(0, 8)
    assert 9 not in Int(2, 8)
    assert np.int64(3) in Int(2, 8)
    assert 1 in Float(0.5, 1.5)
    assert "1" not in Float(0.5, 1.5)
    assert True not in Float(0.5, 1.5)


def test_cardinality_is_the_product_or_none_for_a_continuum():
    assert SearchSpace({"a": [1, 3], "b": ["x", "y"]}).cardinality == 6
    assert SearchSpace({"a": [1, 3], "b": [0.1, 0.2]}).cardinality is None


def test_a_space_is_an_ordered_mapping_that_describes_itself_as_json_values():
    space = SearchSpace({"b": [1, 3], "a": Float(0.1, 1, log=True), "c": ["x", "y"]})
    assert list(space) == ["b", "a", "c"]
    assert len(space) == 3
    assert space.describe() == {
        "b": {"type": "int", "low": 1, "high": 3, "log": False},
        "a": {"type": "float", "low": 0.1, "high": 1.0, "log": True},
        "c": {"type": "categorical", "choices": ["x", "y"]},
    }


def test_domains_pickle():
    space = SearchSpace({"a": [1, 3], "b": [0.1, 0.2], "c": ["x", "y"]})
    again = pickle.loads(pickle.dumps(space))
    assert dict(again) == dict(space)


def as_read(params):
    return json.loads(json.dumps(params))


@pytest.mark.parametrize(
    "choices",
    [
        [1, True, 1.0, 0, False, 0.0, -0.0, None, "1", "True"],
        [(3, 3), (5, 5)],
        [[(1, 2)], [(1, 3)]],
        [{"units": (3, 3)}, {"units": (3,)}],
        [math.nan, math.inf, -math.inf, 0.1 + 0.2],
        [np.float32(0.1), np.int64(3)],
        ["ü\n", ""],
    ],
    ids=repr,
)
def test_choices_that_were_read_from_json_are_the_spaces_own_again(choices):
    space = SearchSpace({"x": Categorical(choices)})
    for choice in space["x"].choices:
        assert space.restored(as_read({"x": choice}))["x"] is choice


def test_numbers_that_were_read_from_json_are_the_same_again():
    space = SearchSpace({"a": [0.1, 1.0], "b": [1, 2**63 - 1], "c": ["x", "y"]})
    params = {"a": 0.1 + 0.2, "b": 2**63 - 1, "c": "y"}
    assert repr(space.restored(as_read(params))) == repr(params)


def test_a_configuration_that_was_read_has_the_spaces_order():
    space = SearchSpace({"b": [0.0, 1.0], "a": ["x", "y"]})
    assert list(space.restored({"a": "x", "b": 0.5})) == ["b", "a"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"a": 0.5},
        {"a": 0.5, "b": 2, "c": "x", "d": 1},
        {"a": 1.5, "b": 2, "c": "x"},
        {"a": 0.5, "b": 2.0, "c": "x"},
        {"a": 0.5, "b": True, "c": "x"},
        {"a": 0.5, "b": 2, "c": "z"},
        {"a": 0.5, "b": 2, "c": ["x"]},
        {"a": None, "b": 2, "c": "x"},
    ],
    ids=repr,
)
def test_what_is_not_in_the_space_is_not_restored(params):
    space = SearchSpace({"a": [0.1, 1.0], "b": [1, 9], "c": ["x", "y"]})
    assert space.restored(params) is None


def test_a_choice_that_is_no_number_is_a_choice():
    choice = Categorical([math.nan, 1.0])
    assert math.nan in choice
    assert float("nan") in choice
    assert choice.index(float("nan")) == 0
    with pytest.raises(InvalidSpaceError, match="different"):
        Categorical([math.nan, float("nan")])


@pytest.mark.parametrize(
    ("bounds", "domain", "value"),
    [
        ([1], Int(1, 1), 1),
        ([1, 1], Int(1, 1), 1),
        ([0.1], Float(0.1, 0.1), 0.1),
        ([0.1, 0.1], Float(0.1, 0.1), 0.1),
        ([1, 1.0], Float(1.0, 1.0), 1.0),
        (np.array([3, 3]), Int(3, 3), 3),
        (["adam"], Categorical(["adam"]), "adam"),
        (["0.1"], Categorical(["0.1"]), "0.1"),
        ([True], Categorical([True]), True),
        (Float(0.3, 0.3, log=True), Float(0.3, 0.3, log=True), 0.3),
        (Int(7, 7, log=True), Int(7, 7, log=True), 7),
        (Categorical([(3, 3)]), Categorical([(3, 3)]), (3, 3)),
        ({"type": "float", "low": 0.1, "high": 0.1}, Float(0.1, 0.1), 0.1),
        ({"type": "categorical", "choices": ["adam"]}, Categorical(["adam"]), "adam"),
    ],
    ids=repr,
)
def test_equal_bounds_and_a_single_choice_fix_a_value(bounds, domain, value):
    space = SearchSpace({"x": bounds})
    assert space["x"] == domain
    assert space["x"].cardinality == space.cardinality == 1
    assert [repr(drawn(domain, 3)[n]) for n in range(3)] == [repr(value)] * 3
    assert repr(space.restored(as_read({"x": value}))) == repr({"x": value})
    assert value in domain


@pytest.mark.parametrize(
    ("bounds", "instead"),
    [
        (["1e-3", "1e-1"], "[0.001, 0.1]"),
        (["0.1", "0.5"], "[0.1, 0.5]"),
        (["1", "10"], "[1, 10]"),
        (["1e-3", "1e-2", "1e-1"], "Categorical([0.001, 0.01, 0.1])"),
        (["1e-3"], "[0.001]"),
    ],
)
def test_numbers_in_quotes_are_a_choice_with_a_warning_that_says_what_to_write(bounds, instead):
    with pytest.warns(HopsmlWarning) as caught:
        space = SearchSpace({"rate": bounds})
    assert space["rate"] == Categorical(bounds)
    [warning] = caught
    text = str(warning.message)
    assert text.startswith(f"boundary_dict['rate']: {bounds!r} is a choice of texts")
    assert f"write {instead} (YAML takes 1e-3 for text" in text
    assert f"Categorical({bounds!r})" in text


def test_a_warning_points_at_the_line_that_made_the_space():
    with pytest.warns(HopsmlWarning) as caught:
        SearchSpace({"rate": ["1e-3", "1e-1"], "units": [8, 2]})
    assert [warning.filename for warning in caught] == [__file__] * 2


@pytest.mark.parametrize(
    "bounds",
    [
        Categorical(["1e-3", "1e-1"]),
        {"type": "categorical", "choices": ["1e-3", "1e-1"]},
        ["1e-3", "auto"],
        ["32"],
        ["nan", "inf"],
        [True, False],
    ],
    ids=repr,
)
def test_a_choice_that_is_said_to_be_one_does_not_warn(bounds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SearchSpace({"rate": bounds})


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ({"type": "float", "low": "1e-3", "high": 1.0}, "a number, such as 0.001 without quotes"),
        ({"type": "int", "low": 1, "high": "32"}, "an integer, such as 32 without quotes"),
    ],
)
def test_a_bound_in_quotes_is_an_error_that_says_what_to_write(entry, hint):
    with pytest.raises(InvalidSpaceError, match=hint) as caught:
        SearchSpace({"rate": entry})
    assert "boundary_dict['rate']" in str(caught.value)


def test_a_value_without_a_list_is_an_error_that_says_how_to_fix_one():
    with pytest.raises(InvalidSpaceError, match="to fix a value, write a list of that one value"):
        SearchSpace({"rate": 0.1})


@pytest.mark.parametrize(
    "value", ["caf\udce9", ["\ud800"], {"\udfff": 1}, ("a", {"b": "\udc80"})], ids=repr
)
def test_text_that_utf_8_cannot_hold_is_refused_naming_the_hyperparameter(value):
    for make in (
        lambda: SearchSpace({"file": Categorical(["a", value])}),
        lambda: SearchSpace({"file": {"type": "categorical", "choices": ["a", value]}}),
        lambda: value_lists("grid_dict", {"good": [1], "file": ["a", value]}),
    ):
        with pytest.raises(InvalidSpaceError, match="UTF-8 can hold, without lone") as caught:
            make()
        str(caught.value).encode()
    with pytest.raises(InvalidSpaceError, match=r"grid_dict\['file'\]"):
        value_lists("grid_dict", {"file": [value]})
    for make in (
        lambda: SearchSpace({"\udc80": [1, 2]}),
        lambda: value_lists("a", {"\udc80": [1]}),
    ):
        with pytest.raises(InvalidSpaceError, match="must name hyperparameters by text that UTF-8"):
            make()
