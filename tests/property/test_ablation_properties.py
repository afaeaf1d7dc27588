from __future__ import annotations

import inspect
import itertools
import json
import math
import random
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hopsml_flows.ablation import (
    SequentialRule,
    Verdict,
    around_winner,
    effects,
    interactions,
    judge,
)
from hopsml_flows.ablation.findings import Findings
from hopsml_flows.ablation.findings_file import findings_from_json, findings_json
from hopsml_flows.ablation.page_part import effects_html
from hopsml_flows.ablation.paired import estimate, holm, sign_flip
from hopsml_flows.ablation.report import effects_table
from hopsml_flows.ablation.student import p_value, power, quantile
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction, SearchSpace
from hopsml_flows.values.plain import image_key

values = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))
anything = st.floats(allow_nan=True, allow_infinity=True)
repeats = st.integers(0, 7)
names = st.sampled_from(["a", "b", "c"]) | st.text(min_size=1, max_size=6)
probabilities = st.lists(st.floats(0, 1), max_size=12)


def studies(metric):
    arms = st.dictionaries(names, st.dictionaries(repeats, metric), max_size=4)
    return st.tuples(arms, st.dictionaries(repeats, metric)).map(
        lambda both: {**both[0], "base": both[1]}
    )


@given(studies(values))
def test_the_other_direction_turns_every_effect_around(metrics):
    best = {e.arm: e for e in effects(metrics, base="base", direction="max")}
    least = {e.arm: e for e in effects(metrics, base="base", direction="min")}
    for arm, effect in best.items():
        other = least[arm]
        assert (effect.p, effect.p_holm, effect.p_sign_flip) == (
            other.p,
            other.p_holm,
            other.p_sign_flip,
        )
        if effect.mean is not None:
            assert other.mean == -effect.mean
        if effect.low is not None:
            assert (other.low, other.high) == (-effect.high, -effect.low)


@given(studies(values), st.randoms(use_true_random=False))
def test_the_order_of_repeats_and_arms_changes_nothing(metrics, source):
    places = list(range(8))
    source.shuffle(places)
    arms = list(metrics)
    source.shuffle(arms)
    moved = {
        arm: dict(sorted({places[r]: v for r, v in metrics[arm].items()}.items())) for arm in arms
    }
    for one, other in zip(
        effects(metrics, base="base", direction="max"),
        effects(moved, base="base", direction="max"),
        strict=True,
    ):
        assert (one.arm, one.mean, one.low, one.high, one.p, one.p_sign_flip, one.p_holm) == (
            *(other.arm, other.mean, other.low, other.high),
            *(other.p, other.p_sign_flip, other.p_holm),
        )


@given(studies(anything), st.sampled_from(["max", "min"]))
def test_whatever_the_metrics_figures_are_finite_or_missing_and_can_be_written(metrics, direction):
    found = effects(metrics, base="base", direction=direction)
    assert {effect.arm for effect in found} == set(metrics) - {"base"}
    means = [effect.mean for effect in found if effect.mean is not None]
    assert means == sorted(means, reverse=True)
    for effect in found:
        assert (effect.p is None) == (effect.repeats < 2)
        if effect.p is not None:
            assert 0 <= effect.p <= effect.p_holm <= 1
            assert 0 < effect.p_sign_flip <= effect.p_sign_flip_holm <= 1
            assert effect.low <= effect.mean <= effect.high
    judged = [judge(effect) for effect in found]
    effects_table(judged, width=80)
    ET.fromstring(f"<div>{effects_html(judged)}</div>")
    finite = {
        arm: {repeat: value for repeat, value in of.items() if math.isfinite(value)}
        for arm, of in metrics.items()
    }
    whole = Findings(finite, {}, tuple(judged), (), Direction.parse(direction))
    text = json.dumps(findings_json(whole), allow_nan=False)
    read = findings_from_json(json.loads(text))
    assert [one.words for one in read.effects] == [one.words for one in judged]


@given(probabilities)
def test_holms_correction_raises_every_p_and_keeps_their_order(ps):
    corrected = holm(ps)
    both = sorted(zip(ps, corrected, strict=True))
    assert all(p <= q <= 1 for p, q in both)
    assert all(q <= other for (_, q), (_, other) in itertools.pairwise(both))
    if both:
        assert both[0][1] == min(1.0, len(both) * both[0][0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_another_comparison_lowers_no_corrected_p(ps, another):
    assert all(q <= r for q, r in zip(holm(ps), holm([*ps, another])[: len(ps)], strict=True))


@given(st.lists(values, min_size=1, max_size=10))
def test_a_p_of_sign_flips_is_a_share_of_all_flips(differences):
    p = sign_flip(differences)
    assert 0 < p <= 1
    assert (p * 2 ** len(differences)).is_integer()
    assert p == sign_flip([-value for value in differences])


@given(st.lists(values, min_size=2, max_size=8), st.integers(-30, 30))
def test_the_unit_of_the_metric_changes_no_p(differences, exponent):
    one = estimate(differences)
    other = estimate([math.ldexp(value, exponent) for value in differences])
    assert (one.p, one.p_sign_flip) == (other.p, other.p_sign_flip)


@given(st.floats(0, 50), st.floats(0, 50), st.integers(1, 200))
def test_a_larger_statistic_has_a_smaller_p(one, other, df):
    low, high = sorted((one, other))
    assert p_value(low, df) >= p_value(high, df) - 1e-12


@given(st.floats(1e-7, 0.5), st.integers(1, 200))
def test_a_quantile_has_the_probability_that_it_was_made_for(level, df):
    assert p_value(quantile(level, df), df) == pytest.approx(2 * level, rel=1e-6)


@given(st.floats(0, 3), st.integers(2, 60), st.sampled_from([0.05, 0.01, 0.001]))
def test_power_rises_with_effect_and_repeats(effect, count, alpha):
    found = power(effect, count, alpha)
    assert alpha - 1e-6 <= found <= 1
    assert power(effect, count + 1, alpha) >= found - 1e-6
    assert power(effect + 0.1, count, alpha) >= found - 1e-6


@given(studies(values))
def test_pairs_of_independent_parts_have_no_interaction_on_average(metrics):
    base, arm = metrics["base"], next((m for n, m in metrics.items() if n != "base"), {})
    four = {"base": base, "a": arm, "b": base, "ab": arm}
    (pair,) = interactions(four, {"ab": ("a", "b")}, base="base", direction="max")
    assert not pair.mean


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(0, 4), st.floats(0, 0.5))
def test_a_sequential_study_ends_and_keeps_its_decisions(seed, least, more, futility):
    source = random.Random(seed)
    rule = SequentialRule(least=least, most=least + more, futility=futility)
    metrics = {"base": {}, "a": {}, "b": {}, "c": {}}
    effect = {"base": 0.0, "a": 0.0, "b": source.uniform(-20, 20), "c": source.uniform(-2, 2)}
    asked, before = ("a", "b", "c"), {}
    for repeat in range(rule.most):
        for arm in ("base", *asked):
            if source.random() > 0.1:  # some fail
                metrics[arm][repeat] = source.gauss(0, 1) - effect[arm]
        found = rule.decide(metrics, base="base", direction="max", repeats=repeat + 1)
        assert before.items() <= found.verdicts.items()
        assert set(found.undecided) == {"a", "b", "c"} - set(found.verdicts)
        asked, before = found.undecided, dict(found.verdicts)
        if not asked:
            break
    assert not asked
    assert set(before.values()) <= set(Verdict)


domains = st.one_of(
    st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.booleans())
    .filter(lambda bounds: bounds[0] != bounds[1])
    .map(lambda b: {"type": "float", "low": min(b[:2]), "high": max(b[:2]), "log": b[2]}),
    st.tuples(st.integers(1, 10**12), st.integers(1, 10**12), st.booleans()).map(
        lambda b: {"type": "int", "low": min(b[:2]), "high": max(b[:2]), "log": b[2]}
    ),
    st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=5, unique=True).map(
        lambda choices: {"type": "categorical", "choices": choices}
    ),
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), domains, min_size=1, max_size=4), st.data())
def test_arms_around_a_winner_change_one_value_each_within_the_space(described, data):
    def train(**hyperparameters):
        return 0.0

    space = SearchSpace(described)
    winner = space.sample(np.random.default_rng(data.draw(st.integers(0, 1000))))
    record = {"id": "x", "train": "m:train", "search_space": described}
    try:
        found = around_winner(record, winner, inspect.signature(train), function="m:train")
    except InvalidArgumentError:
        assume(False)  # none has another value, which has tests of its own
    for arm in found.arms:
        params = found.params(arm)
        changed = [n for n in space if image_key(params[n]) != image_key(winner[n])]
        assert changed == [arm.parameter]
        assert arm.value in space[arm.parameter]
    assert {arm.parameter for arm in found.arms} | set(found.unchanged) == set(space)
