from __future__ import annotations

import pytest

from hopsml_flows.ablation import Effect, Verdict, effects, judge
from hopsml_flows.ablation.verdicts import needed_repeats


def judged(base, arm, **options):
    metrics = {"base": dict(enumerate(base)), "arm": dict(enumerate(arm))}
    return judge(effects(metrics, base="base", direction="max")[0], **options)


def test_a_component_without_which_the_metric_is_surely_worse_matters():
    found = judged([0.9, 0.91, 0.92], [0.7, 0.71, 0.725])
    assert found.verdict is Verdict.MATTERS
    assert found.words == "matters at 3 repeats: without it the metric is 0.198 worse"
    assert found.needed is None


def test_a_component_without_which_the_metric_is_surely_better_is_harmful():
    found = judged([0.7, 0.71, 0.725], [0.9, 0.91, 0.92])
    assert found.verdict is Verdict.HARMFUL
    assert found.words == "harmful at 3 repeats: without it the metric is 0.198 better"


def test_an_unsure_effect_is_noise_and_says_how_many_repeats_would_show_it():
    effect = Effect(
        arm="a", repeats=5, mean=0.01, deviation=0.012, p=0.135, p_holm=0.135, compared=1
    )
    found = judge(effect)
    assert (found.verdict, found.needed) == (Verdict.NOISE, 14)
    assert found.words == (
        "within noise at 5 repeats; 14 would be needed to see an effect of this size"
    )


def test_more_comparisons_need_more_repeats():
    def needed(compared):
        return needed_repeats(
            Effect(arm="a", repeats=5, mean=0.5, deviation=1.0, compared=compared)
        )

    assert (needed(1), needed(10)) == (34, 58)


def test_an_effect_that_thousands_of_repeats_would_not_show_says_so():
    effect = Effect(arm="a", repeats=5, mean=1e-6, deviation=1.0, p=0.99, p_holm=0.99, compared=1)
    assert "more than 1,000 would be needed" in judge(effect).words


def test_no_difference_at_all_needs_no_repeats():
    found = judged([0.9, 0.8], [0.9, 0.8])
    assert found.words == "within noise at 2 repeats; it makes no difference at all"


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ([], "unknown: no repeat succeeded both with and without it"),
        ([0.5], "unknown: one repeat succeeded with and without it, and a test needs two"),
    ],
)
def test_arms_with_too_few_pairs_are_unknown(arm, words):
    found = judged([0.9, 0.8], arm)
    assert (found.verdict, found.words) == (Verdict.UNKNOWN, words)


def test_an_effect_that_is_the_same_in_each_repeat_says_so():
    found = judged([0.912, 0.8743, 0.903], [0.862, 0.8243, 0.853])
    assert found.verdict is Verdict.MATTERS
    assert (
        found.words == "matters at 3 repeats: without it the metric is 0.05 worse, the same in each"
    )


def test_equal_differences_that_may_be_chance_say_how_many_repeats_would_do():
    found = judged([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])
    assert (found.verdict, found.needed) == (Verdict.NOISE, 4)
    two = Effect(arm="a", repeats=2, mean=0.1, deviation=0.0, p=0.5, p_holm=1.0, compared=5)
    assert judge(two).needed == 5
    assert 2 / 3**5 <= 0.05 / 5 < 2 / 3**4


def test_a_small_p_beside_within_noise_is_explained():
    found = judged([0.9, 0.91], [0.8, 0.811], decided=Verdict.NOISE, deviation=0.2)
    assert found.effect.p_holm < 0.05
    assert found.words == (
        "within noise at 2 repeats; its p is small, but does not allow for the study's several "
        "looks; 34 would be needed to see an effect of this size"
    )


def test_what_a_sequential_study_decided_is_the_verdict():
    sure, unsure = ([0.9, 0.91, 0.92], [0.7, 0.71, 0.725]), ([0.9, 0.8, 0.7], [0.7, 0.8, 0.69])
    assert judged(*sure, decided=Verdict.NOISE).verdict is Verdict.NOISE
    assert judged(*unsure, decided=Verdict.MATTERS).verdict is Verdict.MATTERS
    assert judged(*unsure, decided=Verdict.NOISE, deviation=0.2).needed == 67
