from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hopsml_flows.errors import InvalidSpaceError
from hopsml_flows.search import GridSearch, ListSearch, value_lists, zipped


def params(search):
    return [proposal.params for proposal in search.ask()]


def test_a_grid_runs_in_the_dicts_order_with_the_last_key_fastest():
    search = GridSearch({"rate": [0.1, 0.2], "units": [1, 2, 3]})
    assert search.total == 6
    assert params(search) == [
        {"rate": 0.1, "units": 1},
        {"rate": 0.1, "units": 2},
        {"rate": 0.1, "units": 3},
        {"rate": 0.2, "units": 1},
        {"rate": 0.2, "units": 2},
        {"rate": 0.2, "units": 3},
    ]


def test_configurations_keep_the_keys_in_the_dicts_order():
    assert [list(found) for found in params(GridSearch({"z": [1], "a": [2]}))] == [["z", "a"]]


def test_a_grid_of_a_billion_points_is_asked_without_being_built():
    search = GridSearch({name: list(range(1000)) for name in "abc"})
    assert search.total == 10**9
    assert search.ask(2)[1].params == {"a": 0, "b": 0, "c": 1}


def test_launch_takes_values_by_position_not_their_product():
    assert zipped({"a": [1, 2], "b": [5, 3]}) == [{"a": 1, "b": 5}, {"a": 2, "b": 3}]


def test_lists_of_unequal_length_are_refused_with_their_lengths():
    with pytest.raises(InvalidSpaceError, match=r"equal length.*'a': 2.*'b': 1"):
        zipped({"a": [1, 2], "b": [5]})


def test_a_list_search_runs_the_given_configurations_in_order():
    given = [{"a": 3}, {"a": 1}, {"a": 2}]
    search = ListSearch(given)
    assert params(search) == given


def test_what_a_caller_does_to_a_configuration_changes_no_search():
    given = [{"a": 1}]
    search = ListSearch(given)
    given[0]["a"] = 2
    asked = search.ask()
    assert asked[0].params == {"a": 1}
    asked[0].params["a"] = 3
    again = ListSearch([{"a": 1}])
    assert again.ask()[0].params == {"a": 1}


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        (1, 2),
        range(1, 3),
        np.array([1, 2]),
        [np.int64(1), np.int32(2)],
        pd.Series([1, 2]),
    ],
    ids=["list", "tuple", "range", "array", "numpy scalars", "series"],
)
def test_value_lists_become_python_lists_of_python_values(values):
    lists = value_lists("grid_dict", {"a": values})
    assert lists == {"a": [1, 2]}
    assert type(lists["a"]) is list
    assert {type(value) for value in lists["a"]} == {int}


@pytest.mark.parametrize(
    "values",
    [[], (), np.array([]), "ab", b"ab", 5, None, {1, 2}, {"x": 1}, iter([1]), np.array(5)],
    ids=lambda value: type(value).__name__,
)
def test_an_empty_list_or_no_list_is_refused_naming_the_hyperparameter(values):
    with pytest.raises(InvalidSpaceError, match=r"^grid_dict\['rate'\]: "):
        GridSearch({"good": [1], "rate": values})


@pytest.mark.parametrize("wrong", [{}, [], None, "ab", [("a", [1])]], ids=repr)
def test_a_grid_that_is_no_dict_or_empty_is_refused(wrong):
    with pytest.raises(InvalidSpaceError, match=r"^grid_dict: "):
        GridSearch(wrong)


def test_a_name_that_is_no_string_is_refused():
    with pytest.raises(InvalidSpaceError, match="must name hyperparameters by strings"):
        GridSearch({3: [1]})


def test_a_value_that_json_cannot_hold_is_refused_naming_the_hyperparameter():
    with pytest.raises(InvalidSpaceError, match=r"^grid_dict\['act'\]: "):
        GridSearch({"act": ["relu", len]})


def test_values_of_any_json_type_are_taken():
    values = [None, True, 1, 0.5, "x", [1, 2], (3, 3), {"a": 1}]
    assert GridSearch({"a": values}).grid == {"a": values}
