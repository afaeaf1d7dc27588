from __future__ import annotations

import math

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction


@pytest.mark.parametrize("text", ["max", "MAX", "Max", Direction.MAX])
def test_a_direction_is_read_in_any_case(text):
    assert Direction.parse(text) is Direction.MAX
    assert Direction(text) is Direction.MAX


@pytest.mark.parametrize("wrong", ["maximise", "", " max", None, 1, True, ["max"]])
def test_anything_else_is_refused_by_name_and_value(wrong):
    with pytest.raises(InvalidArgumentError, match=r"^direction: .*got") as caught:
        Direction.parse(wrong)
    assert caught.value.value == wrong


def test_a_direction_compares_as_the_string_hopsml_had():
    assert Direction.MAX == "MAX"
    assert Direction.MIN == "MIN"


@pytest.mark.parametrize(
    ("direction", "one", "than", "better"),
    [
        (Direction.MAX, 2.0, 1.0, True),
        (Direction.MAX, 1.0, 2.0, False),
        (Direction.MAX, 1.0, 1.0, False),
        (Direction.MIN, 1.0, 2.0, True),
        (Direction.MIN, 2.0, 1.0, False),
        (Direction.MAX, -5.0, None, True),
        (Direction.MIN, 5.0, None, True),
        (Direction.MAX, math.nan, None, False),
        (Direction.MAX, math.inf, 1.0, False),
        (Direction.MIN, -math.inf, 1.0, False),
        (Direction.MAX, -5.0, math.nan, True),
        (Direction.MIN, 5.0, -math.inf, True),
    ],
)
def test_only_a_finite_number_beats_another(direction, one, than, better):
    assert direction.better(one, than) is better


@pytest.mark.parametrize(("direction", "loss"), [(Direction.MAX, -2.5), (Direction.MIN, 2.5)])
def test_a_loss_is_smaller_where_the_metric_is_better(direction, loss):
    assert direction.loss(2.5) == loss
