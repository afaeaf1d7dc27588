"""Maggy's median rule against tables worked by hand."""

from __future__ import annotations

import math
import re

import pytest

from hopsml_flows.earlystop import Curve, MedianStop, Report
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.testing.early_stop_conformance import run_rule

NAN, INF = math.nan, math.inf


def curve(*values, steps=None):
    made = Curve()
    for value, step in zip(values, steps or range(len(values)), strict=True):
        made.add(Report(value, step))
    return made


def rule_after(finished, **settings):
    rule = MedianStop(**settings)
    for trial, values in enumerate(finished, 1):
        rule.end(trial, curve(*values))
    return rule


def stopped(rule, *values, steps=None):
    return rule.judge(99, curve(*values, steps=steps)) is not None


#          values of finished trials   means of the first 1, 2, 3, 4
FINISHED = [
    (0.25, 0.75, 1.25, 1.75),  #       0.25   0.5    0.75   1.0
    (0.5, 0.5, 0.5, 0.5),  #           0.5    0.5    0.5    0.5
    (1.0, 0.0, 0.5),  #                1.0    0.5    0.5
    (0.0, 0.25, 0.5),  #               0.0    0.125  0.25
    (0.75, 0.75),  #                   0.75   0.75
]  #                                   medians:
#   of 5: 0, 0.25, 0.5, 0.75, 1           0.5
#   of 5: 0.125, 0.5, 0.5, 0.5, 0.75             0.5
#   of 4: 0.25, 0.5, 0.5, 0.75                          0.5
#   of 2: 0.5, 1                                               0.75


@pytest.mark.parametrize(
    ("values", "threshold"),
    [
        ((0.25, 0.25), 0.5),
        ((0.25, 0.5), None),  # the best equals the median
        ((0.5, 0.0), None),  # the best is not the last
        ((0.0, 0.25, 0.375), 0.5),
        ((0.0, 0.25, 0.625), None),
        ((0.0, 0.25, 0.5, 0.625), 0.75),
        ((0.0, 0.25, 0.5, 0.75), None),
        ((0.0, 0.0, 0.0, 0.0, 0.0), None),  # no finished trial has as many values
    ],
)
def test_the_best_is_compared_with_the_median_of_means_when_maximised(values, threshold):
    stop = rule_after(FINISHED, min_finished=4).judge(6, curve(*values))
    assert (stop and stop.why.threshold) == threshold
    if stop:
        assert (stop.why.value, stop.why.step) == (max(values), len(values) - 1)


@pytest.mark.parametrize(
    ("values", "threshold"),
    [
        ((0.75, 0.75), 0.5),
        ((0.75, 0.5), None),
        ((0.5, 1.0), None),
        ((0.75, 1.0, 0.625), 0.5),
        ((0.75, 1.0, 0.375), None),
        ((1.0, 1.25, 1.5, 0.875), 0.75),
        ((1.0, 1.25, 1.5, 0.75), None),
    ],
)
def test_the_best_is_compared_with_the_median_of_means_when_minimised(values, threshold):
    stop = rule_after(FINISHED, min_finished=4, direction="min").judge(6, curve(*values))
    assert (stop and stop.why.threshold) == threshold
    if stop:
        assert (stop.why.value, stop.why.step) == (min(values), len(values) - 1)


def test_more_trials_than_min_finished_must_have_finished():
    for least in (0, 1, 10):
        assert not stopped(rule_after([(1.0, 1.0)] * least, min_finished=least), 0.0, 0.0)
        assert stopped(rule_after([(1.0, 1.0)] * (least + 1), min_finished=least), 0.0, 0.0)
    assert not stopped(rule_after([(1.0, 1.0)] * 10), 0.0, 0.0)
    assert stopped(rule_after([(1.0, 1.0)] * 11), 0.0, 0.0)


def test_finished_trials_count_however_little_they_have_reported():
    assert stopped(rule_after([(1.0, 1.0), (), (1.0,)], min_finished=2), 0.0, 0.0)
    assert not stopped(rule_after([(), (), (1.0,)], min_finished=2), 0.0, 0.0)


def test_stopped_trials_count_as_finished():
    rule = MedianStop(min_finished=1)
    decisions = run_rule(rule, [[1.0] * 4, [1.0] * 4, [0.0] * 4, [0.5] * 4, [0.5] * 4], parallel=1)
    assert [stop and stop.why.step for stop in decisions] == [None, None, 1, 1, 1]
    # Means of two values: 1, 1; then 0 too; then 0.5 too, so that the median is 0.75.
    assert [stop.why.threshold for stop in decisions[2:]] == [1.0, 1.0, 0.75]


def test_step_0_is_never_judged():
    rule = rule_after([(1.0,)] * 3, min_finished=2)
    assert not stopped(rule, 0.0, steps=[0])
    assert stopped(rule, 0.0, steps=[1])


def test_the_interval_divides_the_steps_that_are_judged_and_not_the_reports():
    rule = rule_after([(1.0,) * 9] * 3, min_finished=2, interval=3)
    judged = [n for n in range(1, 10) if stopped(rule, *[0.0] * n)]
    assert judged == [4, 7]  # steps 3 and 6
    tens = range(10, 100, 10)
    judged = [steps for n in range(1, 10) if stopped(rule, *[0.0] * n, steps=(steps := tens[:n]))]
    assert [steps[-1] for steps in judged] == [30, 60, 90]


def test_a_repeated_step_is_not_judged_again_but_its_value_counts():
    rule = rule_after([(0.0, 0.0, 6.0)] * 3, min_finished=2)  # means 0, 0, 2
    assert not stopped(rule, -1.0, -1.0, 1.0, steps=[0, 1, 1])
    assert stopped(rule, -1.0, -1.0, 1.0, steps=[0, 1, 2])
    assert stopped(rule, -1.0, -1.0, 1.0, steps=[1, 1, 2])


def test_equal_trials_go_on_whatever_the_sums_round_to():
    for value in (0.1, 1 / 3, 1e-320, 1.7e308, -0.7):
        rule = rule_after([(value,) * 30] * 4, min_finished=3)
        assert not any(stopped(rule, *[value] * n) for n in range(1, 31))


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_trial_without_a_finite_value_is_stopped(bad, direction):
    rule = rule_after([(1.0, 1.0)] * 3, min_finished=2, direction=direction)
    stop = rule.judge(9, curve(bad, bad))
    assert (repr(stop.why.value), stop.why.threshold) == (repr(bad), 1.0)
    assert "no finite number, unlike 1:" in str(stop.why)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_the_best_of_a_trial_that_has_diverged_is_the_best_before(bad):
    rule = rule_after([(1.0, 1.0, 1.0, 3.0)] * 3, min_finished=2)
    assert not stopped(rule, 1.25, bad, bad)
    assert stopped(rule, 1.25, bad, bad, bad)  # the median is 1.5 now
    assert not stopped(rule, bad, bad, 1.25)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_finished_trial_is_left_out_from_its_first_value_that_is_not_finite(bad):
    rule = rule_after([(3.0, bad, 9.0), (bad, 9.0, 9.0), (1.0, 1.0, 1.0)], min_finished=2)
    steps = [[1], [1, 2], [1, 2, 3]]
    thresholds = [
        rule.judge(9, curve(*[0.0] * len(each), steps=each)).why.threshold for each in steps
    ]
    assert thresholds == [2.0, 1.0, 1.0]


def test_where_all_have_diverged_there_is_no_median():
    assert not stopped(rule_after([(NAN, NAN)] * 20), 0.0, 0.0)
    assert not stopped(rule_after([(NAN, NAN)] * 20), NAN, NAN)


def test_a_median_of_very_large_numbers_is_a_number():
    stop = rule_after([(1.6e308, 1.6e308), (1.7e308, 1.7e308)], min_finished=1).judge(
        9, curve(0.0, 0.0)
    )
    assert stop.why.threshold == pytest.approx(1.65e308)


def test_why_reads_as_a_sentence():
    rule = rule_after([(0.5, 0.75)] * 12 + [(0.25,)] * 2)
    assert str(rule.judge(20, curve(0.25, 0.5)).why) == (
        "median at step 1: its best value 0.5 is below 0.625: the median, over 12 finished trials, "
        "of the mean of their first 2 reports"
    )
    rule = rule_after([(0.5,), (), ()], min_finished=2, direction="min")
    assert str(rule.judge(20, curve(0.75, steps=[4])).why) == (
        "median at step 4: its best value 0.75 is above 0.5: the median, over 1 finished trial, "
        "of the mean of their first 1 report"
    )


@pytest.mark.parametrize(
    ("argument", "value", "must"),
    [
        ("min_finished", -1, "must be an integer of at least 0"),
        ("min_finished", 2.5, "must be an integer of at least 0"),
        ("interval", 0, "must be an integer of at least 1"),
        ("interval", True, "must be an integer of at least 1"),
        ("direction", "up", "must be Direction.MAX or Direction.MIN"),
    ],
)
def test_arguments_out_of_range_are_errors(argument, value, must):
    with pytest.raises(InvalidArgumentError, match=f"^{argument}: {re.escape(must)}"):
        MedianStop(**{argument: value})


def test_it_shows_its_arguments():
    rule = MedianStop(min_finished=3, interval=2, direction="min")
    assert repr(rule) == "MedianStop(min_finished=3, interval=2, direction='MIN')"
    assert rule.settings == {"min_finished": 3, "interval": 2}
