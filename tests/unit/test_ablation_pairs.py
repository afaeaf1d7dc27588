from __future__ import annotations

import pytest

from hopsml_flows.ablation import interactions
from hopsml_flows.errors import InvalidArgumentError


def found(both, *, direction="max", pairs=None):
    metrics = {
        "base": {0: 10.0, 1: 11.0, 2: 12.0, 3: 13.0},
        "a": {0: 9.0, 1: 10.1, 2: 11.0, 3: 11.9},
        "b": {0: 8.0, 1: 9.0, 2: 9.9, 3: 11.1},
        "a+b": dict(enumerate(both)),
    }
    if direction == "min":
        metrics = {arm: {r: -v for r, v in of.items()} for arm, of in metrics.items()}
    pairs = {"a+b": ("a", "b")} if pairs is None else pairs
    return interactions(metrics, pairs, base="base", direction=direction)


def test_parts_that_can_stand_in_for_each_other_cost_more_together():
    (pair,) = found([3.0, 4.1, 5.0, 6.0])
    assert pair.mean == pytest.approx(4.0, abs=0.1)
    assert pair.low > 3
    assert pair.p_holm < 0.001
    assert pair.words().endswith("at 4 repeats: each can stand in for the other")


def test_parts_that_need_each_other_cost_less_together():
    (pair,) = found([8.0, 9.1, 9.9, 11.1])
    assert pair.mean == pytest.approx(-1.0, abs=0.1)
    assert pair.words() == "costs 1.02 less than both one by one at 4 repeats: each needs the other"


def test_independent_parts_cost_their_sum():
    (pair,) = found([7.0, 8.1, 8.9, 10.1])
    assert pair.low < 0 < pair.high
    assert "sum of both, within noise" in pair.words()


def test_the_direction_turns_nothing_around():
    one, other = found([3.0, 4.1, 5.0, 6.0]), found([3.0, 4.1, 5.0, 6.0], direction="min")
    assert one == other


def test_only_repeats_with_all_four_count():
    (pair,) = found([3.0, 4.1])
    assert pair.repeats == 2
    (pair,) = found([])
    assert (pair.repeats, pair.mean, pair.words()) == (
        0,
        None,
        "unknown at 0 repeats: a test needs two",
    )


def test_an_unknown_arm_is_an_error():
    with pytest.raises(InvalidArgumentError, match=r"pairs: must be one of .*; got 'c'"):
        found([1.0], pairs={"a+b": ("a", "c")})
