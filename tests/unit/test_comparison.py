from __future__ import annotations

import json

import pytest

from hopsml_flows.service import compared, environment_facts, program_difference
from hopsml_flows.service.index.queries import parse_condition


def test_a_fact_that_is_missing_differs_from_one_that_is_null():
    comparison = compared(["a", "b"], [{"x": None}, {}])
    (row,) = comparison.differences
    assert (row.name, row.values) == ("x", (None, None))


def test_one_is_not_true_and_not_a_text():
    rows = compared(["a", "b", "c"], [{"x": 1}, {"x": True}, {"x": "1"}]).differences
    assert [row.values for row in rows] == [(1, True, "1")]


def test_nested_values_are_compared_without_the_order_of_their_keys():
    one, other = {"x": {"a": 1, "b": [2]}}, {"x": {"b": [2], "a": 1}}
    assert compared(["a", "b"], [one, other]).differences == ()


def test_lines_that_are_no_packages_are_left_out_of_an_environment():
    text = "# Linux\nNumPy == 2.1\n-e git+https://host/x\nname @ file:///x\n\x00"
    assert environment_facts(text) == {"numpy": "2.1"}
    assert environment_facts(None) == {}


@pytest.mark.parametrize("text", ["{", '{"cells": 7}', '{"cells": [{}]}', "{" * 99_999])
def test_a_damaged_notebook_is_compared_as_text(text):
    found = program_difference(("a", "b"), (text, text + "\nmore"))
    assert found[-1] == "+more"


def test_sources_of_cells_are_lists_or_texts():
    one = json.dumps({"cells": [{"source": ["x\n", "y"]}, {"source": "z"}]})
    other = json.dumps({"cells": [{"source": "x\ny"}, {"source": ["z"]}], "nbformat": 4})
    assert program_difference(("a", "b"), (one, other)) == []


@pytest.mark.parametrize(
    ("text", "column", "operator", "value"),
    [
        ("x=1", "x", "=", 1),
        ("x==1", "x", "=", 1),
        ("x = 1.5", "x", "=", 1.5),
        ("params.a b<=-3", "params.a b", "<=", -3),
        ("x=true", "x", "=", True),
        ("x!=null", "x", "!=", None),
        ("x=[1]", "x", "=", "[1]"),
        ('x="1"', "x", "=", "1"),
        ("x~1", "x", "~", "1"),
        ("x=", "x", "=", ""),
        ("x=a=b", "x", "=", "a=b"),
        ("x=Infinity", "x", "=", "Infinity"),
    ],
)
def test_conditions_are_read_as_they_are_typed(text, column, operator, value):
    condition = parse_condition(text)
    assert (condition.column, condition.operator, condition.value) == (column, operator, value)
