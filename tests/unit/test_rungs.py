from __future__ import annotations

import math

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.search.rungs import Rungs, rung_budgets


def rungs_of(results, *, factor=3, budgets=(1, 3, 9), direction=Direction.MAX, rung=0):
    """Rungs with results of trials 1, 2, … that may be promoted."""
    rungs = Rungs(tuple(budgets), factor, direction)
    for trial, value in enumerate(results, start=1):
        rungs.add(trial, rung, value)
        rungs.release(trial, rung)
    return rungs


def promoted(rungs):
    """Promote as long as there is somebody; (trial, rung) of each."""
    found = []
    while (promotion := rungs.promotable()) is not None:
        rungs.promote(promotion.trial, promotion.rung)
        found.append((promotion.trial, promotion.rung))
    return found


@pytest.mark.parametrize(
    ("low", "high", "factor", "budgets"),
    [
        (1, 4, 2, (1, 2, 4)),
        (1, 9, 3, (1, 3, 9)),
        (1, 10, 3, (1, 3, 9)),
        (1, 8, 3, (1, 3)),
        (5, 5, 2, (5,)),
        # A logarithm in floats loses a rung of each of these.
        (1, 125, 5, (1, 5, 25, 125)),
        (1, 1000, 10, (1, 10, 100, 1000)),
        (1, 3**30, 3, tuple(3**k for k in range(31))),
        (0.1, 0.3, 3, (0.1, 0.3)),
        (0.1, 2.7, 3, (0.1, 0.3, 0.9, 2.7)),
        (1.0, 4, 2, (1.0, 2.0, 4.0)),
        (0.5, 1, 2, (0.5, 1.0)),
        (10**17 + 1, 2 * (10**17 + 1), 2, (10**17 + 1, 2 * (10**17 + 1))),
    ],
)
def test_budgets_are_exact(low, high, factor, budgets):
    found = rung_budgets(low, high, factor)
    assert found == budgets
    assert [type(budget) for budget in found] == [type(low)] * len(budgets)


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("min_budget", (0, 9, 3)),
        ("min_budget", (-1, 9, 3)),
        ("min_budget", (math.nan, 9, 3)),
        ("min_budget", (math.inf, 9, 3)),
        ("min_budget", ("1", 9, 3)),
        ("min_budget", (True, 9, 3)),
        ("max_budget", (1, math.inf, 3)),
        ("max_budget", (1, None, 3)),
        ("max_budget", (3, 1, 3)),
        ("reduction_factor", (1, 9, 1)),
        ("reduction_factor", (1, 9, 2.5)),
        ("reduction_factor", (1, 9, "3")),
    ],
)
def test_a_budget_or_factor_that_is_none_is_refused(argument, values):
    with pytest.raises(InvalidArgumentError, match=rf"^{argument}: "):
        rung_budgets(*values)


@pytest.mark.parametrize(
    ("results", "factor", "expected"),
    [
        ([], 2, []),
        ([0.9], 2, []),
        ([0.9, 0.1], 2, [(1, 1)]),
        ([0.1, 0.9, 0.5], 2, [(2, 1)]),
        ([0.1, 0.9, 0.5, 0.7], 2, [(2, 1), (4, 1)]),
        ([0.1, 0.9, 0.5, 0.7, 0.2], 2, [(2, 1), (4, 1)]),
        ([0.5, 0.6], 3, []),
        ([0.5, 0.6, 0.7], 3, [(3, 1)]),
        ([0.5, 0.6, 0.7, 0.8, 0.9], 3, [(5, 1)]),
        ([0.9, 0.6, 0.7, 0.8, 0.5, 0.95], 3, [(6, 1), (1, 1)]),
    ],
)
def test_the_best_of_a_rung_are_promoted_by_the_table(results, factor, expected):
    assert promoted(rungs_of(results, factor=factor)) == expected
    mirrored = [-value for value in results]
    assert promoted(rungs_of(mirrored, factor=factor, direction=Direction.MIN)) == expected


@pytest.mark.parametrize("direction", list(Direction))
def test_of_equal_results_the_lower_number_is_promoted(direction):
    rungs = Rungs((1, 2), 2, direction)
    for trial in (3, 1, 4, 2):
        rungs.add(trial, 0, 0.5)
        rungs.release(trial, 0)
    assert promoted(rungs) == [(1, 1), (2, 1)]


def test_a_promoted_trial_keeps_its_place_among_the_best():
    rungs = rungs_of([0.9, 0.1], factor=2)
    assert promoted(rungs) == [(1, 1)]
    rungs.add(3, 0, 0.5)
    rungs.release(3, 0)
    assert promoted(rungs) == []


def test_a_later_result_that_is_better_is_promoted_beside_an_earlier_one():
    rungs = rungs_of([0.5, 0.1], factor=2)
    assert promoted(rungs) == [(1, 1)]
    rungs.add(3, 0, 0.9)
    rungs.release(3, 0)
    assert promoted(rungs) == [(3, 1)]


def test_the_highest_rung_promotes_first():
    rungs = rungs_of([0.9, 0.8, 0.7, 0.6], factor=2, budgets=(1, 2, 4))
    for trial, value in ((1, 0.2), (2, 0.3)):
        rungs.promote(trial, 1)
        rungs.add(10 + trial, 1, value)
        rungs.release(10 + trial, 1)
    rungs.add(5, 0, 0.95)
    rungs.release(5, 0)
    assert promoted(rungs) == [(12, 2), (5, 1)]


def test_nobody_is_promoted_above_the_top():
    assert promoted(rungs_of([0.1, 0.2, 0.3, 0.4], factor=2, rung=2)) == []
    assert promoted(rungs_of([0.1, 0.2], factor=2, budgets=(5,))) == []


def test_a_trial_that_is_not_released_counts_and_waits():
    rungs = Rungs((1, 2), 2, Direction.MAX)
    for trial, value in ((1, 0.9), (2, 0.5)):
        rungs.add(trial, 0, value)
    assert rungs.promotable() is None
    rungs.release(2, 0)
    assert rungs.promotable() is None
    rungs.release(1, 0)
    assert promoted(rungs) == [(1, 1)]


def test_a_trial_promoted_before_its_result_is_not_promoted_again():
    rungs = Rungs((1, 2), 2, Direction.MAX)
    rungs.promote(1, 1)
    for trial, value in ((1, 0.9), (2, 0.5), (3, 0.4), (4, 0.3)):
        rungs.add(trial, 0, value)
        rungs.release(trial, 0)
    assert promoted(rungs) == [(2, 1)]


@pytest.mark.parametrize(
    ("budgets", "factor", "fewest"), [((1, 2, 4), 2, 7), ((1, 3), 3, 4), ((1,), 5, 1)]
)
def test_the_fewest_trials_are_those_of_all_rungs_below(budgets, factor, fewest):
    assert Rungs(budgets, factor, Direction.MAX).fewest_trials == fewest


def test_why_says_the_place_and_the_bound():
    rungs = rungs_of([0.9, 0.6, 0.7, 0.8, 0.5, 0.95])
    why = rungs.why(1, 0)
    assert str(why) == "asha: its 0.9 is among the best 2 of 6 at budget 1"
    assert (why.rule, why.value, why.threshold, why.step) == ("asha", 0.9, 0.9, None)
    assert str(rungs.why(3, 0, 7)) == (
        "asha at step 7: its 0.7 is not among the best 2 of 6 at budget 1"
    )
    one = rungs_of([0.2, 0.1, 0.3], direction=Direction.MIN)
    assert str(one.why(2, 0)) == "asha: its 0.1 is the best of 3 at budget 1"
    assert str(one.why(1, 0)) == "asha: its 0.2 is not the best of 3 at budget 1"
    assert one.why(1, 0).threshold == 0.1
    few = rungs_of([0.2, 0.1])
    assert str(few.why(2, 0)) == (
        "asha: its 0.1 is among the first 2 results at budget 1; the best is chosen from 3"
    )
    assert few.why(2, 0).threshold is None
