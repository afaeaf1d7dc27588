"""The rules of early stopping agree with naive ones that are written as their descriptions read."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from hopsml_flows.earlystop import Curve, HalvingStop, MedianStop, Report
from hopsml_flows.search import Direction

finite = st.floats(-1e300, 1e300) | st.sampled_from([0.0, -0.0, 0.1, 0.1, 0.3, 5e-324])
few = st.integers(-3, 3).map(float)  # many ties
any_number = finite | st.sampled_from([math.nan, math.inf, -math.inf])
directions = st.sampled_from(list(Direction))


def curve_of(values, steps=None):
    curve = Curve()
    for value, step in zip(values, steps or range(len(values)), strict=True):
        curve.add(Report(value, step))
    return curve


@st.composite
def curves(draw, numbers, least=0):
    values = draw(st.lists(numbers, min_size=least, max_size=8))
    jumps = draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    steps = [sum(jumps[: index + 1]) for index in range(len(values))]
    return curve_of(values, steps)


histories = st.one_of(
    st.tuples(st.lists(curves(numbers), max_size=12), curves(numbers, least=1))
    for numbers in (finite, few, any_number)
)


def median_says_stop(finished, curve, *, min_finished, interval, direction):
    """Maggy's rule as its description reads; what is not finite is left out."""
    steps, n = curve.steps, len(curve)
    new = n == 1 or steps[-1] != steps[-2]
    if not (len(finished) > min_finished and new and steps[-1] != 0 and steps[-1] % interval == 0):
        return False
    firsts = [other.values[:n] for other in finished if len(other) >= n]
    means = [statistics.mean(first) for first in firsts if all(map(math.isfinite, first))]
    if not means:
        return False
    median = statistics.median(means)
    own = [value for value in curve.values if math.isfinite(value)]
    if direction is Direction.MAX:
        return max(own, default=-math.inf) < median
    return min(own, default=math.inf) > median


@given(histories, st.integers(0, 4), st.integers(1, 3), directions)
@example(([curve_of([0.1] * 3)] * 3, curve_of([0.1] * 3)), 2, 1, Direction.MAX)
def test_the_median_rule_is_what_its_description_says(history, min_finished, interval, direction):
    finished, running = history
    settings = {"min_finished": min_finished, "interval": interval, "direction": direction}
    rule = MedianStop(**settings)
    for trial, curve in enumerate(finished):
        rule.end(trial, curve)
        expected = median_says_stop(finished[: trial + 1], running, **settings)
        assert (rule.judge(99, running) is not None) is expected


@given(histories, st.integers(1, 3), directions)
def test_the_reason_of_the_median_rule_holds(history, interval, direction):
    finished, running = history
    rule = MedianStop(min_finished=0, interval=interval, direction=direction)
    for trial, curve in enumerate(finished):
        rule.end(trial, curve)
    stop = rule.judge(99, running)
    if stop is not None:
        assert stop.why.step == running.steps[-1]
        assert math.isfinite(stop.why.threshold)
        assert not direction.better(stop.why.value, stop.why.threshold)
        assert "{" not in str(stop.why)


@given(st.lists(finite, min_size=1, max_size=30))
def test_means_are_exact(values):
    rule = MedianStop(min_finished=0)
    rule.end(1, curve_of(values))
    mean = sum(map(Fraction, values)) / len(values)
    worse = curve_of([math.nan] * len(values), range(1, len(values) + 1))
    assert rule.judge(2, worse).why.threshold == float(mean)


def halving_says_stop(arrived, value, *, reduction_factor, direction):
    """Whether a trial that has come to a rung is stopped; ``arrived`` has its value, too."""
    places = max(1, len(arrived) // reduction_factor)
    if not math.isfinite(value):
        better = sum(map(math.isfinite, arrived))
    else:
        better = sum(math.isfinite(v) and direction.better(v, value) for v in arrived)
    return better >= places


@given(
    st.one_of(st.lists(st.lists(n, max_size=12), max_size=12) for n in (finite, few, any_number)),
    st.integers(1, 3),
    st.integers(2, 4),
    directions,
    st.randoms(use_true_random=False),
)
def test_halving_is_what_its_description_says(
    plans, min_reports, reduction_factor, direction, order
):
    rule = HalvingStop(
        min_reports=min_reports, reduction_factor=reduction_factor, direction=direction
    )
    rungs = {min_reports * reduction_factor**k: [] for k in range(5)}
    running = {trial: Curve() for trial, plan in enumerate(plans) if plan}
    while running:
        trial = order.choice(list(running))
        curve = running[trial]
        value = plans[trial][len(curve)]
        curve.add(Report(value, len(curve)))
        stop = rule.judge(trial, curve)
        expected = False
        if len(curve) in rungs:
            rungs[len(curve)].append(value)
            expected = halving_says_stop(
                rungs[len(curve)], value, reduction_factor=reduction_factor, direction=direction
            )
        assert (stop is not None) is expected
        if stop is not None or len(curve) == len(plans[trial]):
            rule.end(trial, running.pop(trial))


@given(st.lists(any_number, max_size=20), directions)
def test_the_best_of_a_curve_is_its_best_finite_value(values, direction):
    own = [value for value in values if math.isfinite(value)]
    best = (max if direction is Direction.MAX else min)(own, default=None)
    assert curve_of(values).best(direction) == best
