from __future__ import annotations

import itertools
import math
import random

import pytest

from hopsml_flows.ablation.effects import effects, pooled_deviation, with_costs
from hopsml_flows.ablation.paired import chance_of_equal, estimate, holm, sign_flip
from hopsml_flows.errors import InvalidArgumentError

# Student's own data (Biometrika 1908), R's `sleep`: hours gained with two drugs.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
# Fisher, The Design of Experiments (1935): Darwin's maize, crossed minus self-fertilised, in
# eighths of an inch. Of the 2**15 flips, 1,726 give so large a sum: p = 0.05267.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def by_repeat(values):
    return dict(enumerate(map(float, values)))


def test_students_sleep_data_give_the_figures_of_r():
    # t.test(second, first, paired = TRUE): t = 4.0621, df = 9, p-value = 0.002833,
    # 95 percent confidence interval 0.7001142 2.4598858, mean of the differences 1.58
    (found,) = effects(
        {"second": by_repeat(SECOND), "first": by_repeat(FIRST)}, base="second", direction="max"
    )
    assert found.repeats == 10
    assert found.mean == pytest.approx(1.58)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_darwins_maize_gives_fishers_count_of_flips():
    assert sign_flip(list(map(float, DARWIN))) == 1726 / 2**15
    assert estimate(list(map(float, DARWIN))).p == pytest.approx(0.0497, abs=5e-5)


def test_all_flips_are_counted_as_one_by_one():
    source = random.Random(1)
    for count in range(1, 12):
        values = [source.choice([source.gauss(0.5, 1), 1.0, -1.0, 0.0]) for _ in range(count)]
        flips = itertools.product((1, -1), repeat=count)
        sums = [math.fsum(s * v for s, v in zip(signs, values, strict=True)) for signs in flips]
        reached = abs(math.fsum(values)) - 1e-12 * sum(map(abs, values))
        assert sign_flip(values) == sum(abs(s) >= reached for s in sums) / 2**count


def test_many_pairs_are_flipped_at_random_and_always_alike():
    source = random.Random(2)
    values = [source.gauss(0.3, 1) for _ in range(40)]
    p = sign_flip(values)
    assert p == sign_flip(values[::-1])
    # The t-test has nearly the same p with so many pairs.
    assert p == pytest.approx(estimate(values).p, abs=0.01)


def test_holms_correction_is_that_of_r():
    # p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm"): 0.05 0.08 0.09 0.09 0.09
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.05, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_only_repeats_that_succeeded_with_and_without_a_component_are_pairs():
    metrics = {
        "base": {0: 1.0, 1: 2.0, 3: 4.0, 4: math.nan},
        "arm": {0: 0.5, 2: 9.0, 3: 3.0, 4: 1.0},
    }
    (found,) = effects(metrics, base="base", direction="max")
    assert (found.repeats, found.mean, found.unpaired) == (2, 0.75, (1, 2, 4))


def test_arms_with_too_few_pairs_have_no_figures_and_count_as_no_comparison():
    metrics = {
        "base": by_repeat([1, 2, 3]),
        "gone": {},
        "once": {1: 1.0},
        "arm": by_repeat([0, 1.5, 1]),
    }
    found = {e.arm: e for e in effects(metrics, base="base", direction="max")}
    assert not found["gone"].is_judged
    assert (found["gone"].repeats, found["gone"].mean) == (0, None)
    assert (found["once"].repeats, found["once"].mean, found["once"].p) == (1, 1.0, None)
    assert found["arm"].compared == 1
    assert found["arm"].p_holm == found["arm"].p
    assert [e.arm for e in effects(metrics, base="base", direction="max")][-1] == "gone"


def test_effects_are_sorted_and_a_loss_that_rises_is_a_component_that_helps():
    metrics = {"base": by_repeat([1, 1, 2]), "a": by_repeat([1, 2, 2]), "b": by_repeat([4, 5, 5])}
    found = effects(metrics, base="base", direction="min")
    assert [e.arm for e in found] == ["b", "a"]
    assert found[0].mean > found[1].mean > 0


def test_trainings_that_no_seed_changes_are_certain_from_three_on():
    def found(count, arm):
        metrics = {"base": by_repeat([0.9] * count), "arm": by_repeat([arm] * count)}
        return effects(metrics, base="base", direction="max")[0]

    assert (found(3, 0.7).p, found(3, 0.7).p_sign_flip) == (0.0, 0.25)
    assert found(2, 0.7).p == 0.5
    assert (found(5, 0.9).p, found(5, 0.9).mean) == (1.0, 0.0)


def without(cost, base, *, error=0.0):
    """The effect of an arm that is as much worse in every repeat, but for rounding."""
    source = random.Random(8)
    arm = [value - cost + source.uniform(-error, error) for value in base]
    return effects({"base": by_repeat(base), "arm": by_repeat(arm)}, base="base", direction="max")


@pytest.mark.parametrize("error", [0.0, 1e-15])
@pytest.mark.parametrize("count", [3, 5, 20])
def test_equal_differences_of_metrics_that_vary_are_certain(count, error):
    source = random.Random(7)
    (found,) = without(0.05, [source.gauss(0.9, 0.1) for _ in range(count)], error=error)
    assert (found.deviation, found.p, found.p_holm) == (0.0, 0.0, 0.0)
    assert found.low == found.mean == found.high == pytest.approx(0.05)
    assert found.p_sign_flip == 2 / 2**count


def test_two_equal_differences_are_not_certain():
    (found,) = without(0.05, [0.912, 0.8743])
    assert (found.deviation, found.p) == (0.0, 0.5)


@pytest.mark.parametrize(
    ("base", "cost", "p"),
    [
        ([0.9, 0.8, 0.7], 0.1, 2 / 3**3),
        ([0.9, 0.8, 0.7, 0.9, 0.8], 0.1, 2 / 3**5),
        ([0.82, 0.90, 0.88, 0.94], 0.1, 4 / 13**4),  # of 50 rows five
        ([17, 23, 19, 20], 2, 2 / 5**4),
    ],
)
def test_equal_differences_of_a_coarse_metric_may_be_chance(base, cost, p):
    (found,) = without(cost, base)
    assert (found.deviation, found.p) == (0.0, pytest.approx(p))


def test_no_symmetric_distribution_that_falls_makes_equal_differences_likelier():
    source = random.Random(9)
    for _ in range(300):
        count, steps = source.randint(2, 8), source.randint(1, 6)
        tops = [source.randint(0, 20) for _ in range(source.randint(1, 4))]
        weights = [source.random() for _ in tops]
        # A mixture of uniform distributions from -top to top.
        chances = [
            sum(w / (2 * top + 1) for w, top in zip(weights, tops, strict=True) if top >= size)
            / sum(weights)
            for size in range(steps, 21)
        ]
        equal = 2 * sum(chance**count for chance in chances)
        assert equal <= chance_of_equal(count, steps) * (1 + 1e-9)
    assert chance_of_equal(5, 1) == pytest.approx(2 / 3**5)
    assert chance_of_equal(1_000, 500) == 0.0


def test_what_differs_by_rounding_alone_makes_no_difference():
    metrics = {
        "base": by_repeat([0.1 + 0.2, 0.7, 0.9]),
        "arm": by_repeat([0.3, 0.7 - 2e-16, 0.9 - 2e-16]),
    }
    (found,) = effects(metrics, base="base", direction="max")
    assert (found.mean, found.deviation, found.p) == (0.0, 0.0, 1.0)


def test_metrics_near_the_largest_numbers_have_figures():
    metrics = {"base": by_repeat([1e308, 1.1e308, 1e308]), "arm": by_repeat([2e307, 1e307, 0])}
    (found,) = effects(metrics, base="base", direction="max")
    assert found.mean == pytest.approx(9.333333e307)
    assert 0 < found.p < 0.01


def test_what_arms_cost_is_attached():
    metrics = {"base": by_repeat([1, 2]), "a": by_repeat([0, 1]), "b": by_repeat([1, 1])}
    found = with_costs(
        effects(metrics, base="base", direction="max"), parameters={"a": 10}, seconds={"b": 2.5}
    )
    assert [(e.arm, e.parameters, e.seconds) for e in found] == [
        ("a", 10, None),
        ("b", None, 2.5),
    ]


def test_a_pooled_deviation_needs_two_differences_of_one_arm():
    assert pooled_deviation([[1.0], []]) is None
    assert pooled_deviation([[1.0, 2.0], [5.0]]) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "bsae"}, "base: must be one of .*'base'.*; got 'bsae'"),
        ({"direction": "up"}, "direction: must be"),
        ({"alpha": 0}, "alpha: must be between 0 and 1; got 0"),
        ({"alpha": "x"}, "alpha: must be a number between 0 and 1"),
    ],
)
def test_bad_input_is_an_error(changes, message):
    with pytest.raises(InvalidArgumentError, match=message):
        effects({"base": {}, "a": {}}, **{"base": "base", "direction": "max", **changes})
