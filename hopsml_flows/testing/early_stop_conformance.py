"""The conformance suite for rules of early stopping."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
import zlib
from collections.abc import Callable, Sequence
from itertools import islice

import pytest

from hopsml_flows.search import Direction, Stop
from hopsml_flows.trials.curves import Curve
from hopsml_flows.trials.early_stop.base import EarlyStop
from hopsml_flows.trials.early_stop.registry import early_stop_rule
from hopsml_flows.trials.reports import Report

__all__ = ["EarlyStopConformance", "learning_curves", "run_rule"]

_NOT_FINITE = (math.nan, math.inf, -math.inf)


def learning_curves(trials: int, reports: int) -> list[list[float]]:
    """Return curves that rise and level off, the same on every machine; some trials are better.

    Args:
        trials: Number of curves.
        reports: Values of each.
    """
    return [
        [
            _noise(trial) * (1 - 0.7 ** (report + 1)) + 0.05 * _noise(trial, report)
            for report in range(reports)
        ]
        for trial in range(1, trials + 1)
    ]


def _noise(*numbers: int) -> float:
    return zlib.crc32(repr(numbers).encode()) / 2**32


def run_rule(
    rule: EarlyStop, curves: Sequence[Sequence[float]], *, first: int = 1, parallel: int = 4
) -> list[Stop | None]:
    """Run trials that report the values of curves, and ask a rule about each report.

    Several trials run at once and report by turns, the later ones faster. One that is stopped
    ends, as does one at the end of its curve, and the next one begins.

    Args:
        rule: The rule.
        curves: What each trial reports, one value after the other.
        first: Number of the first trial; the others follow.
        parallel: Number of trials that run at once.

    Returns:
        For each trial why it was stopped; None where it was not.
    """
    decisions: dict[int, Stop | None] = {}
    planned = dict(enumerate(curves, first))
    running: dict[int, Curve] = {}
    started = iter(planned)
    while len(decisions) < len(curves):
        for trial in islice(started, parallel - len(running)):
            running[trial] = Curve()
        for turn, (trial, curve) in enumerate(list(running.items())):
            values = planned[trial]
            stop = None
            for value in values[len(curve) : len(curve) + turn + 1]:
                stop = _reported(rule, trial, curve, value)
                if stop is not None:
                    break
            if stop is not None or len(curve) == len(values):
                decisions[trial] = stop
                curve.metric = curve.values[-1] if len(curve) else 0.0
                rule.end(trial, running.pop(trial))
    return [decisions[trial] for trial in planned]


def _reported(rule: EarlyStop, trial: int, curve: Curve, value: float) -> Stop | None:
    curve.add(Report(value, step=len(curve)))
    return rule.judge(trial, curve)


class EarlyStopConformance:
    """Tests of rules that stop trials because of what they and others have reported.

    A subclass overrides the fixture ``make_rule``.
    """

    @pytest.fixture
    def make_rule(self) -> Callable[[Direction], EarlyStop]:
        """Return a function that makes a fresh rule for a direction."""
        raise NotImplementedError("override the fixture make_rule")

    @pytest.fixture
    def has_direction(self) -> bool:
        """Return whether the rule knows which way the metric is better; by default True."""
        return True

    @pytest.fixture
    def rule(self, make_rule: Callable[[Direction], EarlyStop]) -> EarlyStop:
        """Return a fresh rule for metrics to be maximised."""
        return make_rule(Direction.MAX)

    def test_it_is_a_rule(self, rule: EarlyStop) -> None:
        assert isinstance(rule, EarlyStop)

    def test_a_reason_to_stop_has_the_step_and_reads_as_a_sentence(self, rule: EarlyStop) -> None:
        curves = learning_curves(60, 12)
        for stop, values in zip(run_rule(rule, curves), curves, strict=True):
            if stop is None:
                continue
            assert isinstance(stop, Stop)
            assert stop.why.rule
            assert stop.why.words
            assert stop.why.step in range(len(values))
            assert math.isfinite(stop.why.value)
            assert "{" not in str(stop.why)
            assert "\n" not in str(stop.why)

    def test_a_trial_that_has_not_reported_goes_on(self, rule: EarlyStop) -> None:
        assert rule.judge(99, Curve()) is None
        run_rule(rule, learning_curves(30, 6))
        assert rule.judge(100, Curve()) is None

    def test_trials_may_end_without_a_report(self, rule: EarlyStop) -> None:
        for trial in range(1, 31):
            rule.end(trial, Curve())
        decisions = run_rule(rule, [*learning_curves(30, 6), [], []], first=31)
        assert decisions[-2:] == [None, None]

    def test_the_same_calls_give_the_same_answers(
        self, make_rule: Callable[[Direction], EarlyStop]
    ) -> None:
        curves = learning_curves(60, 12)
        state = random.getstate()
        answers = []
        for seed in (1, 2):  # no random numbers are drawn from the process's own stream
            random.seed(seed)
            answers.append(run_rule(make_rule(Direction.MAX), curves))
        random.setstate(state)
        assert answers[0] == answers[1]

    def test_two_rules_share_nothing(self, make_rule: Callable[[Direction], EarlyStop]) -> None:
        curves = learning_curves(60, 12)
        alone = run_rule(make_rule(Direction.MAX), curves)
        one, other = make_rule(Direction.MAX), make_rule(Direction.MAX)
        run_rule(other, [[2.0] * 12] * 30)
        assert run_rule(one, curves) == alone

    def test_a_copy_goes_on_as_the_rule_does(self, rule: EarlyStop) -> None:
        before, after = learning_curves(40, 12)[:25], learning_curves(40, 12)[25:]
        run_rule(rule, before)
        pickled, copied = pickle.loads(pickle.dumps(rule)), copy.deepcopy(rule)
        answers = run_rule(rule, after, first=26)
        assert run_rule(pickled, after, first=26) == answers
        assert run_rule(copied, after, first=26) == answers

    def test_it_changes_no_curve(self, rule: EarlyStop) -> None:
        for trial, values in enumerate(learning_curves(40, 6), 1):
            curve = Curve()
            for value in values:
                _reported(rule, trial, curve, value)
                assert curve.values == values[: len(curve)]
                assert curve.steps == list(range(len(curve)))
            rule.end(trial, curve)
            assert (curve.values, curve.steps) == (values, list(range(6)))

    def test_better_and_worse_change_places_with_the_direction(
        self, make_rule: Callable[[Direction], EarlyStop], has_direction: bool
    ) -> None:
        curves = learning_curves(60, 12)
        mirrored = [[-value for value in values] for values in curves] if has_direction else curves
        highest = run_rule(make_rule(Direction.MAX), curves)
        lowest = run_rule(make_rule(Direction.MIN), mirrored)
        assert [_step(stop) for stop in highest] == [_step(stop) for stop in lowest]

    @pytest.mark.parametrize("direction", list(Direction))
    @pytest.mark.parametrize("value", _NOT_FINITE, ids=str)
    def test_numbers_that_are_not_finite_do_no_harm(
        self, make_rule: Callable[[Direction], EarlyStop], direction: Direction, value: float
    ) -> None:
        rule = make_rule(direction)
        curves = learning_curves(60, 12)
        for trial in range(0, 60, 4):  # some diverge in the middle, others from the first report
            curves[trial][trial % 12 :] = [value] * (12 - trial % 12)
            curves[trial + 1][3] = value
        for stop in run_rule(rule, curves):
            assert stop is None or str(stop.why)
        run_rule(rule, [[value] * 6] * 30, first=61)
        for stop in run_rule(rule, learning_curves(30, 6), first=91):
            assert stop is None or math.isfinite(stop.why.value)

    def test_numbers_may_be_very_large_and_very_small(self, rule: EarlyStop) -> None:
        sizes = (1.7e308, -1.7e308, 5e-324, -5e-324, 0.0, -0.0)
        run_rule(rule, [[size] * 8 for size in sizes * 8])
        run_rule(rule, [list(sizes)] * 30, first=49)

    def test_steps_may_repeat_and_leave_numbers_out(self, rule: EarlyStop) -> None:
        steps = [0, 0, 0, 5, 5, 100, 10**9, 2**63 - 1, 2**63 - 1]
        for trial, values in enumerate(learning_curves(40, len(steps)), 1):
            curve = Curve()
            for value, step in zip(values, steps, strict=True):
                curve.add(Report(value, step))
                stop = rule.judge(trial, curve)
                assert stop is None or stop.why.step == step
                if stop is not None:
                    break
            rule.end(trial, curve)

    def test_a_trial_that_was_lost_begins_again(self, rule: EarlyStop) -> None:
        curves = learning_curves(40, 12)
        for trial, values in enumerate(curves, 1):
            for reports in (5, 12):
                curve = Curve()
                for value in values[:reports]:
                    if _reported(rule, trial, curve, value) is not None:
                        break
            rule.end(trial, curve)

    def test_trials_may_end_that_it_never_judged(self, rule: EarlyStop) -> None:
        for trial, values in enumerate(learning_curves(40, 12), 100):
            curve = Curve()
            for step, value in enumerate(values):
                curve.add(Report(value, step))
            rule.end(trial, curve)
        run_rule(rule, learning_curves(40, 12))

    def test_thousands_of_trials_and_of_reports(self, rule: EarlyStop) -> None:
        run_rule(rule, learning_curves(2000, 5), parallel=50)
        run_rule(rule, learning_curves(3, 5000), first=2001)

    def test_its_settings_make_it_again(self, make_rule: Callable[[Direction], EarlyStop]) -> None:
        rule = make_rule(Direction.MIN)
        settings = getattr(rule, "settings", None)
        if settings is None:  # they are optional
            return
        assert json.loads(json.dumps(settings)) == settings
        made = early_stop_rule({"rule": type(rule), **settings}, direction=Direction.MIN)
        assert type(made) is type(rule)
        assert getattr(made, "settings", None) == settings
        curves = learning_curves(60, 12)
        assert run_rule(made, curves) == run_rule(rule, curves)


def _step(stop: Stop | None) -> int | None:
    return None if stop is None else stop.why.step
