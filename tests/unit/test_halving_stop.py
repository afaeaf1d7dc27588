"""Successive halving on reports against tables worked by hand."""

from __future__ import annotations

import math
import re

import pytest

from hopsml_flows.earlystop import Curve, HalvingStop, Report
from hopsml_flows.errors import InvalidArgumentError

NAN, INF = math.nan, math.inf


def curve(*values, steps=None):
    made = Curve()
    for value, step in zip(values, steps or range(len(values)), strict=True):
        made.add(Report(value, step))
    return made


def goes_on(rule, trial, *values):
    return rule.judge(trial, curve(*values)) is None


def arrivals(rule, values):
    """Whether each of the trials that come to the first rung one after the other goes on."""
    return [goes_on(rule, trial, value) for trial, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    ("min_reports", "reduction_factor", "rungs"),
    [
        (1, 2, [1, 2, 4, 8, 16, 32, 64]),
        (1, 3, [1, 3, 9, 27, 81]),
        (1, 10, [1, 10, 100]),
        (3, 2, [3, 6, 12, 24, 48, 96]),
        (5, 4, [5, 20, 80]),
        (100, 7, [100]),
    ],
)
def test_rungs_are_at_powers_of_the_reduction_factor(min_reports, reduction_factor, rungs):
    best, other = Curve(), Curve()
    rule = HalvingStop(min_reports=min_reports, reduction_factor=reduction_factor)
    judged = []
    for reports in range(1, 101):
        best.add(Report(1.0, 0))
        other.add(Report(0.0, 0))
        assert rule.judge(1, best) is None
        if rule.judge(2, other) is not None:
            judged.append(reports)
    assert judged == rungs


def test_rungs_are_exact_where_logarithms_are_not():
    # math.log(3**5, 3) and math.log(10**15, 10) are no whole numbers.
    rule = HalvingStop(reduction_factor=3)
    long = curve(*[0.0] * 3**5)
    rule.end(1, curve(*[1.0] * 3**5))
    assert rule.judge(2, long) is not None
    assert HalvingStop(min_reports=10**15, reduction_factor=10).judge(1, long) is None


# Trials that come to the first rung, in order: the trial's value; of those there, how many may go
# on; the value of the last of these; whether the trial goes on.
HIGHEST_HALF = [
    (0.5, 1, 0.5, True),
    (0.4, 1, 0.5, False),
    (0.6, 1, 0.6, True),
    (0.5, 2, 0.5, True),  # 0.6, 0.5 | 0.5, 0.4: a tie
    (0.1, 2, 0.5, False),
    (0.55, 3, 0.5, True),  # 0.6, 0.55, 0.5 | 0.5, 0.4, 0.1
    (0.7, 3, 0.55, True),
    (0.5, 4, 0.5, True),
]
LOWEST_HALF = [
    (0.5, 1, 0.5, True),
    (0.4, 1, 0.4, True),
    (0.6, 1, 0.4, False),
    (0.5, 2, 0.5, True),  # 0.4, 0.5 | 0.5, 0.6: a tie
    (0.1, 2, 0.4, True),
    (0.55, 3, 0.5, False),  # 0.1, 0.4, 0.5 | 0.5, 0.55, 0.6
    (0.7, 3, 0.5, False),
    (0.5, 4, 0.5, True),
]
HIGHEST_QUARTER = [
    (0.5, 1, 0.5, True),
    (0.4, 1, 0.5, False),
    (0.6, 1, 0.6, True),
    (0.5, 1, 0.6, False),
    (0.1, 1, 0.6, False),
    (0.55, 1, 0.6, False),
    (0.7, 1, 0.7, True),
    (0.5, 2, 0.6, False),  # 0.7, 0.6 | 0.55, 0.5, 0.5, 0.5, 0.4, 0.1
]


@pytest.mark.parametrize(
    ("factor", "direction", "table"),
    [(2, "max", HIGHEST_HALF), (2, "min", LOWEST_HALF), (4, "max", HIGHEST_QUARTER)],
)
def test_only_the_best_of_those_that_have_reached_a_rung_go_on(factor, direction, table):
    rule = HalvingStop(reduction_factor=factor, direction=direction)
    for trial, (value, places, threshold, expected) in enumerate(table, 1):
        stop = rule.judge(trial, curve(value))
        assert (stop is None) is expected
        if stop is not None:
            assert stop.why.threshold == threshold
            assert f"among the best {places} of {trial} trial" in str(stop.why)


def test_trials_that_tie_go_on():
    assert all(arrivals(HalvingStop(reduction_factor=4), [0.5] * 20))


def test_rungs_are_judged_apart():
    rule = HalvingStop()
    assert arrivals(rule, [0.1, 0.2, 0.9]) == [True, True, True]
    assert goes_on(rule, 1, 0.1, 0.3)  # the first at the second rung
    assert not goes_on(rule, 2, 0.2, 0.2)
    assert goes_on(rule, 3, 0.9, 0.4)


def test_the_value_at_the_rung_counts_and_not_the_best():
    rule = HalvingStop(min_reports=2)
    assert goes_on(rule, 1, 0.1, 0.5)
    assert not goes_on(rule, 2, 0.9, 0.4)


def test_reports_are_counted_and_not_steps():
    rule = HalvingStop(min_reports=2)
    assert rule.judge(1, curve(0.9, 0.9, steps=[7, 7])) is None
    assert rule.judge(2, curve(0.1, steps=[2])) is None
    stop = rule.judge(2, curve(0.1, 0.1, steps=[2, 500]))
    assert (stop.why.step, stop.why.value, stop.why.threshold) == (500, 0.1, 0.9)


def test_an_attempt_that_begins_again_is_counted_once():
    rule = HalvingStop()
    assert arrivals(rule, [0.9, 0.1]) == [True, False]
    assert goes_on(rule, 1, 0.5)  # its worker was lost; the first attempt's 0.9 is forgotten
    assert goes_on(rule, 3, 0.5)
    assert goes_on(rule, 4, 0.5)  # 0.5, 0.5, 0.5 and 0.1: the best two
    assert str(rule.judge(5, curve(0.4)).why).endswith("among the best 2 of 5 trials")


def test_trials_that_ended_without_being_judged_are_on_the_rungs_that_they_reached():
    rule = HalvingStop()
    rule.end(1, curve(0.5, 0.6, 0.7))
    rule.end(2, curve())
    assert not goes_on(rule, 3, 0.4)
    assert goes_on(rule, 4, 0.5)
    assert not goes_on(rule, 4, 0.5, 0.5)
    rule.end(4, curve(0.5, 0.5))
    assert str(rule.judge(5, curve(0.5, 0.4)).why).endswith("among the best 1 of 3 trials")


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_number_that_is_not_finite_is_worse_than_all_others(bad, direction):
    rule = HalvingStop(direction=direction)
    assert arrivals(rule, [bad, bad, 1e300, -1e300]) == [True, True, True, True]
    stop = rule.judge(5, curve(bad))
    assert "is no finite number, unlike" in str(stop.why)
    assert math.isfinite(stop.why.threshold)


def test_trials_that_all_diverge_all_go_on():
    assert all(arrivals(HalvingStop(), [NAN, INF, -INF, NAN]))


#   at rung 1: 5 is the first; 3 is below 5; 8 is the best; 1 is not among 8 and 5; 7 is among 8
#              and 7; 2 is not among 8, 7, 5; 6 is among 8, 7, 6; 4 is not among 8, 7, 6, 5
#   at rung 2: 5 is the first; 8 is the best; 7 is below 8; 6 is not among 8 and 7
#   at rung 4: 5 is the first; 8 is the best; the same at 8 and 16
def test_trials_that_report_by_turns_are_halved_at_each_rung():
    rule = HalvingStop()
    running = {value: Curve() for value in (5, 3, 8, 1, 7, 2, 6, 4)}
    stopped = {}
    for reports in range(1, 21):
        for value, own in list(running.items()):
            own.add(Report(float(value), step=reports))
            if rule.judge(value, own) is not None:
                stopped[value] = reports
                rule.end(value, running.pop(value))
    assert stopped == {3: 1, 1: 1, 2: 1, 4: 1, 7: 2, 6: 2}
    assert list(running) == [5, 8]


def test_why_reads_as_a_sentence():
    rule = HalvingStop(min_reports=4)
    for trial, value in enumerate([0.8, 0.75, 0.7, 0.6], 1):
        rule.end(trial, curve(*[value] * 4))
    assert str(rule.judge(5, curve(0.1, 0.2, 0.9, 0.65)).why) == (
        "halving at step 3: its value 0.65 after 4 reports is below 0.75, which it takes to be "
        "among the best 2 of 5 trials"
    )


@pytest.mark.parametrize(
    ("argument", "value", "must"),
    [
        ("min_reports", 0, "must be an integer of at least 1"),
        ("min_reports", "3", "must be an integer of at least 1"),
        ("reduction_factor", 1, "must be an integer of at least 2"),
        ("reduction_factor", 2.5, "must be an integer of at least 2"),
        ("direction", None, "must be Direction.MAX or Direction.MIN"),
    ],
)
def test_arguments_out_of_range_are_errors(argument, value, must):
    with pytest.raises(InvalidArgumentError, match=f"^{argument}: {re.escape(must)}"):
        HalvingStop(**{argument: value})


def test_it_shows_its_arguments():
    rule = HalvingStop(min_reports=3, reduction_factor=4)
    assert repr(rule) == "HalvingStop(min_reports=3, reduction_factor=4, direction='MAX')"
    assert rule.settings == {"min_reports": 3, "reduction_factor": 4}
