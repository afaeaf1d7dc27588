"""Rules of early stopping that are written for Maggy, run as this package's."""

from __future__ import annotations

import copy
import statistics

import pytest

from hopsml_flows.errors import HopsmlWarning, InvalidArgumentError
from hopsml_flows.maggy.early_stop_adapter import AbstractEarlyStop, AdaptedEarlyStop
from hopsml_flows.trials import Report
from hopsml_flows.trials.curves import Curve
from hopsml_flows.trials.early_stop.base import EarlyStop


class Median(AbstractEarlyStop):
    """The rule that Maggy's programs copy from Maggy: worse than the median of the means."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        count = len(to_check.metric_history)
        means = [
            sum(trial.metric_history[:count]) / count
            for trial in finalized_trials
            if len(trial.metric_history) >= count
        ]
        median = statistics.median(means)
        best = (max if direction == "max" else min)(to_check.metric_history)
        worse = best < median if direction == "max" else best > median
        return to_check.trial_id if worse else None


def answering(answer):
    class Rule(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            return answer(to_check)

    return Rule


ALWAYS = answering(lambda trial: trial.trial_id)


def curve(*values, steps=None):
    reported = Curve()
    for step, value in zip(steps or range(len(values)), values, strict=True):
        reported.add(Report(value, step))
    return reported


def ended(rule, *curves):
    for number, one in enumerate(curves, 1):
        rule.end(number, one)
    return rule


@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_rule_decides_as_in_maggy(direction):
    sign = 1 if direction == "max" else -1
    rule = AdaptedEarlyStop(Median(), direction=direction, es_min=2)
    assert isinstance(rule, EarlyStop)
    finished = [curve(*(sign * value for value in one)) for one in ([5, 7, 8], [1, 3, 4], [4, 6])]
    ended(rule, *finished)
    assert rule.judge(4, curve(sign * 2, sign * 5)) is None
    stop = rule.judge(5, curve(sign * 2, sign * 4))
    assert str(stop.why) == f"Median at step 1: earlystop_check stopped it at {sign * 4}"


def test_more_trials_than_es_min_must_have_ended():
    rule = AdaptedEarlyStop(ALWAYS, es_min=2)
    ended(rule, curve(1, 1), curve(1, 1))
    assert rule.judge(3, curve(0, 0)) is None
    rule.end(4, curve())
    assert rule.judge(3, curve(0, 0, 0)) is not None


def test_it_is_asked_at_new_steps_that_the_interval_divides_but_0():
    def stops(*steps):
        rule = AdaptedEarlyStop(ALWAYS, es_min=0, es_interval=2)
        rule.end(1, curve(1))
        growing = Curve()
        answers = []
        for step in steps:
            growing.add(Report(0.5, step))
            answers.append(rule.judge(2, growing) is not None)
        return answers

    assert stops(0, 1, 2, 3, 4) == [False, False, True, False, True]
    assert stops(2, 2, 4) == [True, False, True]


def test_a_repeated_step_is_not_in_the_history():
    histories = []
    seen = answering(lambda trial: histories.append(list(trial.metric_history)))
    rule = AdaptedEarlyStop(seen, es_min=0)
    rule.end(1, curve(1))
    rule.judge(2, curve(1, 2, 3, steps=[1, 1, 2]))
    assert histories == [[1, 3]]


def test_another_attempt_begins_anew():
    histories = []
    seen = answering(lambda trial: histories.append(list(trial.metric_history)))
    rule = AdaptedEarlyStop(seen, es_min=0)
    rule.end(1, curve(1))
    rule.judge(2, curve(1, 2, 3))
    rule.judge(2, curve(7, 8))
    assert histories == [[1, 2, 3], [7, 8]]


@pytest.mark.parametrize(
    ("answer", "stopped"),
    [
        (lambda trial: trial.trial_id, True),
        (lambda trial: [trial.trial_id], True),
        (lambda trial: None, False),
        (lambda trial: [], False),
        (lambda trial: "another", False),
        (lambda trial: ["another"], False),
    ],
)
def test_it_stops_what_it_names(answer, stopped):
    rule = ended(AdaptedEarlyStop(answering(answer), es_min=0), curve(1))
    assert (rule.judge(2, curve(0, 0)) is not None) is stopped


def test_a_rule_that_raises_stops_nothing_and_says_so_once():
    def fail(trial):
        raise KeyError(trial.params["lr"])

    rule = ended(AdaptedEarlyStop(answering(fail), es_min=0), curve(1))
    with pytest.warns(
        HopsmlWarning, match=r"^Rule\.earlystop_check raised KeyError: 'lr'; no trial"
    ):
        assert rule.judge(2, curve(0, 0)) is None
    assert rule.judge(2, curve(0, 0, 0)) is None  # a second warning would be an error


def test_it_sees_hyperparameters_where_they_are_known():
    seen = []

    def look(trial):
        seen.append((trial.params, trial.trial_id))

    params = {"param1": 5, "param2": "ada"}
    rule = AdaptedEarlyStop(answering(look), es_min=0)
    rule.begin(1, {})
    rule.begin(2, params)
    ended(rule, curve(1)).judge(2, curve(0, 0))
    assert seen == [(params, "3d1cc9fdb1d4d001")]
    unknown = AdaptedEarlyStop(answering(look), es_min=0)
    ended(unknown, curve(1)).judge(2, curve(0, 0))
    assert seen[1] == ({}, "0000000000000002")


def test_a_trial_that_ended_has_the_metric_that_it_returned():
    seen = []

    class Looking(AbstractEarlyStop):
        @staticmethod
        def earlystop_check(to_check, finalized_trials, direction):
            seen.extend((trial.final_metric, trial.status) for trial in finalized_trials)

    reported, silent = curve(1, 2), curve()
    reported.metric, silent.metric = 1.5, 3
    ended(AdaptedEarlyStop(Looking, es_min=0), reported, silent).judge(3, curve(0, 0))
    assert seen == [(1.5, "FINALIZED"), (3, "FINALIZED")]


class NeedsArguments(AbstractEarlyStop):
    def __init__(self, share):
        self.share = share

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return None


def test_it_can_be_copied():
    rule = ended(AdaptedEarlyStop(ALWAYS, es_min=0), curve(1))
    assert copy.deepcopy(rule).judge(2, curve(0, 0)) is not None


@pytest.mark.parametrize(
    ("rule", "settings", "words"),
    [
        ("median", {}, "es_policy: must be 'package.module:name' or 'path/file.py:name'"),
        ("json:nothing", {}, "es_policy: .* there is no 'nothing' in 'json'"),
        (NeedsArguments, {}, "es_policy: .* making one without arguments raised .* 'share'"),
        ("json:JSONDecoder", {}, "es_policy: must be a subclass of AbstractEarlyStop"),
        (int, {}, "es_policy: must be a subclass of AbstractEarlyStop"),
        (ALWAYS, {"es_min": -1}, "es_min: must be an integer of at least 0"),
        (ALWAYS, {"es_interval": 0}, "es_interval: must be an integer of at least 1"),
        (ALWAYS, {"direction": "up"}, "direction: must be"),
    ],
)
def test_wrong_arguments_are_typed_errors(rule, settings, words):
    with pytest.raises(InvalidArgumentError, match=words):
        AdaptedEarlyStop(rule, **settings)
