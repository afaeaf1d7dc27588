from __future__ import annotations

import math

import pytest

from hopsml_flows import experiment
from hopsml_flows.plan.few_points import PointsWanted
from hopsml_flows.search import Categorical, Float, Int, RandomSearch, SearchSpace

TEN = "samples=10"


def test_a_space_with_too_few_points_is_said_at_the_beginning():
    assert PointsWanted(TEN, 10, 4).shortage == (
        "The search space has only 4 different points, and samples=10 asks for 10: "
        "4 trials will run"
    )
    assert PointsWanted(TEN, 10, 1).shortage == (
        "The search space has only 1 point, and samples=10 asks for 10: 1 trial will run"
    )


@pytest.mark.parametrize("distinct", [10, 11, None])
def test_a_space_with_enough_points_is_not_spoken_of(distinct):
    assert PointsWanted(TEN, 10, distinct).shortage is None


def test_a_search_that_found_too_few_says_so_at_the_end():
    wanted = PointsWanted(TEN, 10, None)
    assert wanted.shortfall(2) == (
        "The search found only 2 different points in its space, and samples=10 asks for 10"
    )
    assert wanted.shortfall(10) is None


def test_what_was_said_at_the_beginning_is_not_said_again():
    assert PointsWanted(TEN, 10, 4).shortfall(4) is None
    assert PointsWanted(TEN, 10, 4).shortfall(3) is not None


def test_a_search_that_may_end_early_has_found_enough():
    assert PointsWanted("x", 10, None, may_end_early=True).shortfall(3) is None


def train(x, y=0):
    return x


def test_the_plans_of_searches_know_what_is_asked_for():
    space = {"x": Int(1, 2), "y": Categorical(["a", "b", "c"])}
    plan = experiment.random_search.plan(train, space, samples=8)
    assert plan.points == PointsWanted("samples=8", 8, 6)
    plan = experiment.random_search.plan(train, {"x": [0.0, 1.0]}, samples=8)
    assert plan.points == PointsWanted("samples=8", 8, None)
    plan = experiment.differential_evolution.plan(train, space, generations=2, population=4)
    assert plan.points.shortage == (
        "The search space has only 6 different points, and 3 generations of population=4 asks "
        "for 12: 6 trials will run"
    )
    assert experiment.grid_search.plan(train, {"x": [1, 1]}).points is None


def test_a_random_search_finds_all_points_of_a_space_that_has_too_few():
    close = Float(1.0, math.nextafter(1.0, 2.0))  # two floats, which do not count as finite
    space = SearchSpace({"x": close})
    search = RandomSearch(space, samples=10, seed=1)
    found = len(search.ask())
    assert found == 2
    assert space.cardinality is None
    assert PointsWanted(TEN, 10, space.cardinality).shortfall(found) is not None
