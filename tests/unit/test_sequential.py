from __future__ import annotations

import math
import random

import pytest

from hopsml_flows.ablation import Decisions, SequentialRule, Verdict, effects, judge_all
from hopsml_flows.errors import InvalidArgumentError

TRUTH = {
    "true 1": Verdict.MATTERS,
    "true 2": Verdict.MATTERS,
    "noise 1": Verdict.NOISE,
    "noise 2": Verdict.NOISE,
    "useless": Verdict.NOISE,
}


def study(source, rule, sizes, *, direction="max"):
    """Run a study in which each metric has a seed's share and a deviation of 1."""
    sign = -1 if direction == "max" else 1
    metrics = {"base": {}, **{arm: {} for arm in sizes}}
    decisions = Decisions(0, {}, tuple(sizes))
    repeats = trainings = 0
    while not decisions.is_complete:
        seed = source.gauss(0, 3)
        for arm in ("base", *decisions.undecided):
            metrics[arm][repeats] = (
                seed + sign * sizes.get(arm, 0.0) + source.gauss(0, math.sqrt(0.5))
            )
            trainings += 1
        repeats += 1
        decisions = rule.decide(metrics, base="base", direction=direction, repeats=repeats)
    return decisions, trainings, metrics


def sized(effect):
    return {arm: effect * (verdict is Verdict.MATTERS) for arm, verdict in TRUTH.items()}


@pytest.mark.parametrize("direction", ["max", "min"])
def test_parts_are_told_apart_with_three_fifths_of_the_trainings_of_five_fixed_seeds(direction):
    # Effects are in standard deviations of the paired differences.
    source = random.Random(21)
    runs = [study(source, SequentialRule(), sized(7.0), direction=direction) for _ in range(200)]
    right = sum(dict(decisions.verdicts) == TRUTH for decisions, _, _ in runs)
    assert right >= 0.95 * len(runs)
    fixed = 5 * (1 + len(TRUTH))
    assert sum(trainings for _, trainings, _ in runs) <= 0.6 * fixed * len(runs)


def test_effects_where_there_are_none_are_found_at_most_as_often_as_alpha_says():
    source = random.Random(22)
    # Nothing is given up: that is when most is found.
    rule = SequentialRule(alpha=0.2, futility=0)
    runs = [study(source, rule, dict.fromkeys("abc", 0.0))[0] for _ in range(400)]
    wrong = sum(any(v is not Verdict.NOISE for v in run.verdicts.values()) for run in runs)
    assert wrong <= 0.2 * len(runs)
    assert wrong > 0


def test_a_harmful_component_is_found():
    decisions, _, _ = study(random.Random(3), SequentialRule(), {"a": -20.0, "b": 0.0})
    assert decisions.verdicts["a"] is Verdict.HARMFUL


def test_only_undecided_arms_get_more_seeds():
    _, _, metrics = study(random.Random(4), SequentialRule(), sized(20.0))
    counts = {arm: len(values) for arm, values in metrics.items()}
    assert counts["noise 1"] == 2
    assert counts["true 1"] == counts["base"] == 3


def test_a_resumed_study_decides_as_the_first_did():
    rule = SequentialRule()
    for seed in range(20):
        decisions, _, metrics = study(random.Random(seed), rule, sized(4.0))
        repeats = len(metrics["base"])
        again = rule.decide(metrics, base="base", direction="max", repeats=repeats)
        assert again == decisions


def test_the_decisions_are_the_verdicts_of_the_effects():
    decisions, _, metrics = study(random.Random(4), SequentialRule(), sized(20.0))
    found = effects(metrics, base="base", direction="max")
    judged = {one.effect.arm: one for one in judge_all(found, decisions)}
    assert {arm: one.verdict for arm, one in judged.items()} == TRUTH
    assert judged["noise 1"].words.startswith("within noise at 2 repeats; ")
    undecided = judge_all(found, Decisions(3, {}, tuple(TRUTH), decisions.deviation))
    assert {one.verdict for one in undecided} == {Verdict.NOISE}
    assert judge_all(found)[0].verdict is Verdict.MATTERS


def test_before_the_least_repeats_every_arm_is_undecided():
    rule = SequentialRule(least=3)
    metrics = {"base": {0: 1.0, 1: 1.0}, "a": {0: 0.0, 1: 0.0}, "b": {0: 1.0, 1: 1.0}}
    decisions = rule.decide(metrics, base="base", direction="max", repeats=2)
    assert decisions.undecided == ("a", "b")
    assert not decisions.verdicts


def test_after_the_most_repeats_every_arm_is_decided():
    source = random.Random(6)
    rule = SequentialRule(most=3, futility=0)
    decisions, trainings, _ = study(source, rule, dict.fromkeys("abc", 0.1))
    assert set(decisions.verdicts.values()) == {Verdict.NOISE}
    assert trainings == 12


def test_an_arm_that_always_fails_is_given_up():
    metrics = {"base": {0: 1.0, 1: 1.2}, "gone": {0: math.nan}, "a": {0: 0.5, 1: 0.9}}
    decisions = SequentialRule().decide(metrics, base="base", direction="max", repeats=2)
    assert decisions.verdicts == {"gone": Verdict.UNKNOWN}
    assert decisions.undecided == ("a",)


def test_an_arm_that_succeeds_where_the_base_fails_gets_more_seeds():
    metrics = {"base": {0: 1.0}, "a": {1: 0.5}, "b": {0: 0.7, 1: 0.9}}
    decisions = SequentialRule().decide(metrics, base="base", direction="max", repeats=2)
    assert decisions.undecided == ("a", "b")
    without = {**metrics, "base": {}}
    decisions = SequentialRule().decide(without, base="base", direction="max", repeats=2)
    assert decisions.verdicts == {"a": Verdict.UNKNOWN, "b": Verdict.UNKNOWN}


def test_an_arm_with_one_success_gets_more_seeds_and_is_unknown_in_the_end():
    metrics = {"base": {0: 1.0, 1: 1.2, 2: 1.1}, "once": {0: 0.5}}
    rule = SequentialRule(most=3)
    two = rule.decide(metrics, base="base", direction="max", repeats=2)
    assert two.undecided == ("once",)
    three = rule.decide(metrics, base="base", direction="max", repeats=3)
    assert three.verdicts == {"once": Verdict.UNKNOWN}


def test_an_arm_that_is_as_much_worse_in_each_repeat_is_found_beside_noisy_ones():
    source = random.Random(5)
    base = {repeat: source.gauss(0, 3) for repeat in range(3)}
    metrics = {
        "base": base,
        "same": {repeat: value - 0.125 for repeat, value in base.items()},
        "noisy": {repeat: value + source.gauss(0, 4) for repeat, value in base.items()},
    }
    rule = SequentialRule()
    two = rule.decide(metrics, base="base", direction="max", repeats=2)
    assert "same" in two.undecided
    assert two.deviation > 1
    three = rule.decide(metrics, base="base", direction="max", repeats=3)
    assert three.verdicts["same"] is Verdict.MATTERS


def test_trainings_that_no_seed_changes_are_decided():
    metrics = {
        "base": dict.fromkeys(range(3), 0.9),
        "a": dict.fromkeys(range(3), 0.5),
        "b": dict.fromkeys(range(2), 0.9),
    }
    decisions = SequentialRule().decide(metrics, base="base", direction="max", repeats=3)
    assert decisions.verdicts == {"a": Verdict.MATTERS, "b": Verdict.NOISE}


@pytest.mark.parametrize(("least", "most"), [(2, 2), (2, 5), (3, 10), (4, 7), (7, 7)])
def test_all_looks_together_spend_alpha(least, most):
    rule = SequentialRule(least=least, most=most, alpha=0.1)
    assert math.fsum(map(rule.level, range(1, most + 3))) == pytest.approx(0.1)
    assert rule.level(most) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"least": 1}, "least: must be an integer of at least 2; got 1"),
        ({"least": 4, "most": 3}, "most: must be at least 4, as least is; got 3"),
        ({"alpha": 1}, "alpha: must be between 0 and 1; got 1"),
        ({"futility": -0.1}, "futility: must be from 0 to below 1; got -0.1"),
    ],
)
def test_a_rule_that_cannot_be_is_an_error(changes, message):
    with pytest.raises(InvalidArgumentError, match=message):
        SequentialRule(**changes)


def test_a_base_without_metrics_is_an_error():
    with pytest.raises(InvalidArgumentError, match="base: must be one of"):
        SequentialRule().decide({"a": {}}, base="base", direction="max", repeats=2)
