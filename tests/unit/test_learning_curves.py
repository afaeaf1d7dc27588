"""The curves of all trials, and who leads, from what a trial loop handles."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from hopsml_flows.search import Direction, GoOn, ListSearch, Stop, Why
from hopsml_flows.trials import (
    Report,
    SlotsFree,
    State,
    Trial,
    TrialDone,
    TrialLoop,
    TrialLost,
    TrialReported,
    TrialResult,
)
from hopsml_flows.trials.learning_curves import LearningCurve, LearningCurves

MAX, MIN = Direction.MAX, Direction.MIN


def curve_of(values, direction=MAX):
    curve = LearningCurve(Trial(1, "0001", {}), direction)
    for step, value in enumerate(values):
        curve.add(Report(value, step))
    return curve


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 66, 128, 129, 1000, 4097])
def test_a_curve_keeps_its_first_and_newest_report_and_few_between(count):
    points = curve_of(map(float, range(count))).points
    assert points[0] == (0, 0.0)
    assert points[-1] == (count - 1, float(count - 1))
    assert points == sorted(set(points))
    assert min(count, 32) <= len(points) <= 65
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(points)]
    assert len(set(gaps[:-1])) <= 1  # evenly spaced, but for the newest


@pytest.mark.parametrize(("direction", "best"), [(MAX, 0.9), (MIN, 0.1)])
def test_the_best_report_is_finite_and_by_the_direction(direction, best):
    curve = curve_of([math.nan, 0.1, 0.9, math.inf, -math.inf, 0.5], direction)
    assert curve.best == best
    assert (curve.value, curve.step, curve.count) == (0.5, 5, 6)


class Watched:
    """A loop whose curves are kept."""

    def __init__(self, *, rule=None, retries=1, direction=MAX, points=4):
        self.curves = LearningCurves(direction)
        self.loop = TrialLoop(
            ListSearch([{"x": x} for x in range(points)]),
            direction=direction,
            retries=retries,
            rule=rule,
            record=self.curves.record,
        )
        self.loop.handle(SlotsFree(points))

    def report(self, number, *values, attempt=1):
        reports = tuple(Report(value, step) for step, value in enumerate(values))
        return self.loop.handle(TrialReported(number, attempt, reports))

    def done(self, number, metric, state=State.FINISHED):
        trial = next(trial for trial in self.loop.trials if trial.number == number)
        result = TrialResult(number, trial.name, trial.params, state, metric)
        return self.loop.handle(TrialDone(result))

    def board(self, most=10, **how):
        return [(leader.number, leader.state) for leader in self.curves.leaders(most, **how)[0]]


class BelowZero:
    def judge(self, trial, curve):
        value = curve.values[-1]
        return Stop(Why("zero", value, "{value}")) if value < 0 else None

    def end(self, trial, curve):
        pass


def test_leaders_are_ended_trials_by_their_metric_and_running_ones_by_their_last_report():
    watched = Watched(rule=BelowZero())
    watched.report(1, 0.9, 0.2)
    watched.report(2, 0.1, 0.5)
    watched.report(3, 0.4, -1.0)
    watched.done(2, 0.3)
    assert watched.board() == [(2, "FINISHED"), (1, "RUNNING"), (3, "STOPPING")]
    leaders, compared = watched.curves.leaders(1)
    assert compared == 3
    assert [(leader.value, leader.best, leader.step) for leader in leaders] == [(0.3, 0.5, 1)]
    watched.done(3, -1.0, State.STOPPED)
    assert watched.board()[-1] == (3, "STOPPED")
    assert watched.board(over=True)[1] == (1, "KILLED")


def test_leaders_of_a_minimisation_have_the_smallest_value_first():
    watched = Watched(direction=MIN)
    watched.report(1, 0.9)
    watched.report(2, 0.1)
    assert watched.board() == [(2, "RUNNING"), (1, "RUNNING")]


def test_failed_trials_silent_ones_and_values_that_are_not_finite_do_not_lead():
    watched = Watched()
    watched.report(1, 0.9)
    watched.done(1, None, State.FAILED)
    watched.report(2, math.nan)
    watched.report(3, 0.1)
    assert watched.board() == [(3, "RUNNING")]


def test_an_attempt_that_was_lost_is_forgotten():
    watched = Watched()
    watched.report(1, 0.9)
    watched.loop.handle(TrialLost(1, "gone"))
    assert watched.board() == []
    watched.loop.handle(SlotsFree(4))
    watched.report(1, 0.8)  # of the attempt that is over
    assert watched.board() == []
    watched.report(1, 0.2, attempt=2)
    assert [curve.points for curve in watched.curves if curve.trial.number == 1] == [[(0, 0.2)]]


class Extending(ListSearch):
    """Lets the trial that reports 1 go on to budget 3."""

    def _judge(self, proposal, step, value):
        return GoOn(3, Why("more", value, "its {value} is 1", step)) if value == 1 else None


def test_a_budget_that_grew_is_shown_and_explained():
    watched = Watched()
    watched.loop = TrialLoop(
        Extending([{"x": 1}]), direction=MAX, retries=1, record=watched.curves.record
    )
    watched.loop.handle(SlotsFree(1))
    watched.report(1, 0.5, 1.0)
    (leader,), _ = watched.curves.leaders(1)
    assert leader.budget == 3
    (kept,) = watched.done(1, 1.0)
    assert kept.result.budget == 3
    (promoted,) = kept.result.promotions
    assert str(promoted.why) == "more at step 1: its 1 is 1"
    assert watched.loop.explained(replace(kept.result)) == kept.result
