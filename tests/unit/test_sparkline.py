from __future__ import annotations

import pytest

from hopsml_flows.search import Direction
from hopsml_flows.service.web.views.sparkline import sparkline


def points(drawn):
    return [tuple(map(float, point.split(","))) for point in drawn.best.split(" ")]


@pytest.mark.parametrize("metrics", [[], [0.5]])
def test_one_run_is_no_picture(metrics):
    assert sparkline(metrics, Direction.MAX) is None


def test_the_line_rises_where_a_run_is_better_than_all_before():
    drawn = sparkline([1.0, 0.5, 2.0, 1.5, 3.0], Direction.MAX)
    assert points(drawn) == [(2, 20), (60, 20), (60, 11), (118, 11), (118, 2)]
    assert drawn.runs == [(2, 20), (31, 20), (60, 11), (89, 15.5), (118, 2)]
    assert drawn.label == "Best so far over 5 runs: from 1 to 3"


def test_where_less_is_better_the_line_falls():
    drawn = sparkline([3.0, 4.0, 1.0], Direction.MIN)
    assert points(drawn) == [(2, 2), (118, 2), (118, 20)]
    assert drawn.label == "Best so far over 3 runs: from 3 to 1"


def test_a_run_that_diverged_does_not_press_the_line_flat():
    drawn = sparkline([1.0, 1e300, 0.5], Direction.MIN)
    assert {y for _, y in points(drawn)} == {2, 20}
    assert drawn.runs[1] == (60, 2)


def test_if_no_run_was_better_than_the_first_the_runs_decide_the_scale():
    drawn = sparkline([3.0, 1.0, 2.0], Direction.MAX)
    assert points(drawn) == [(2, 2), (118, 2)]
    assert [y for _, y in drawn.runs] == [2, 20, 11]


def test_runs_that_are_alike_are_a_flat_line():
    assert points(sparkline([0.5, 0.5], Direction.MAX)) == [(2, 11), (118, 11)]


def test_many_runs_are_a_line_of_few_points_that_ends_at_the_best():
    drawn = sparkline([float(n) for n in range(100_000)], Direction.MAX)
    assert len(points(drawn)) <= 120
    assert points(drawn)[-1] == (118, 2)
    assert drawn.runs == []
    assert drawn.label == "Best so far over 100,000 runs: from 0 to 99999"
