from __future__ import annotations

import math

import pytest

from hopsml_flows.ablation.student import p_value, power, quantile, repeats_needed, tail

# Two-sided 5 % points of Student's t, from the table of any textbook.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 30: 2.042, 120: 1.980}


@pytest.mark.parametrize(("df", "critical"), TABLE.items())
def test_critical_values_are_those_of_the_tables(df, critical):
    assert quantile(0.025, df) == pytest.approx(critical, abs=5e-4)
    assert p_value(quantile(0.025, df), df) == pytest.approx(0.05, abs=1e-12)


def test_one_degree_of_freedom_is_the_cauchy_distribution():
    for t in (-30.0, -1.0, 0.0, 0.3, 1.0, 250.0):
        assert tail(t, 1) == pytest.approx(0.5 - math.atan(t) / math.pi, rel=1e-11)


def test_two_degrees_of_freedom_have_a_closed_form():
    for t in (-4.0, 0.0, 0.5, 4.303, 60.0):
        assert tail(t, 2) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), abs=1e-14)


def test_infinite_statistics_have_a_tail():
    assert (tail(math.inf, 3), tail(-math.inf, 3)) == (0.0, 1.0)


def test_powers_are_those_of_r():
    # power.t.test(n = 20, delta = 1, sd = 1, type = "one.sample"): power = 0.9886
    assert power(1.0, 20) == pytest.approx(0.9886, abs=1e-4)
    # power.t.test(delta = 0.5, power = 0.8, type = "paired"): n = 33.37
    assert repeats_needed(0.5) == 34
    # power.t.test(delta = 1, power = 0.9, type = "paired"): n = 12.59
    assert repeats_needed(1.0, wanted=0.9) == 13
    # Cohen, Statistical Power Analysis (1988): the level is the power without an effect.
    assert power(0.0, 7, 0.01) == pytest.approx(0.01, abs=1e-9)


def test_the_needed_repeats_are_the_first_with_the_power():
    for effect in (0.05, 0.3, 0.8, 2.0, 40.0):
        needed = repeats_needed(effect, 0.01)
        assert power(effect, needed, 0.01) >= 0.8
        assert needed == 2 or power(effect, needed - 1, 0.01) < 0.8


def test_no_number_of_repeats_shows_what_is_not_there():
    assert repeats_needed(0.0) is None
    assert repeats_needed(1e-9) is None
    assert repeats_needed(0.1, most=100) is None


def test_everything_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for df in (1, 2, 3, 4, 9, 30, 1000):
        for t in (0.0, 0.1, 1.0, 2.0, 5.0, 20.0, 300.0, -1.5):
            assert tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9)
        for level in (0.5, 0.25, 0.025, 0.005, 1e-4, 1e-6):
            expected = stats.t.isf(level, df)
            assert quantile(level, df) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    for repeats in (2, 3, 5, 34):
        for effect in (0.1, 0.5, 1.0):
            critical, shift = stats.t.isf(0.005, repeats - 1), effect * math.sqrt(repeats)
            above = 1.0 - stats.nct.cdf(critical, repeats - 1, shift)
            below = stats.nct.cdf(-critical, repeats - 1, shift)
            assert power(effect, repeats, 0.01) == pytest.approx(above + below, abs=1e-7)
