"""Every rule of early stopping passes the suite.

A new rule is an entry of ``RULES`` in ``hopsml_flows/trials/early_stop/registry.py``, and one or
more of ``MADE`` here: a function from a direction to a fresh rule.
"""

from __future__ import annotations

import pytest

from hopsml_flows.earlystop import HalvingStop, MedianStop, Stop, Why
from hopsml_flows.search import Direction
from hopsml_flows.testing import EarlyStopConformance
from hopsml_flows.testing.early_stop_conformance import learning_curves, run_rule
from hopsml_flows.trials.early_stop.registry import RULES

MADE = {
    "median": lambda direction: MedianStop(direction=direction),
    "median, eager": lambda direction: MedianStop(min_finished=0, direction=direction),
    "median, at every third step": lambda direction: MedianStop(
        min_finished=3, interval=3, direction=direction
    ),
    "halving": lambda direction: HalvingStop(direction=direction),
    "halving, late and to a quarter": lambda direction: HalvingStop(
        min_reports=3, reduction_factor=4, direction=direction
    ),
}


@pytest.fixture(params=MADE)
def made(request):
    return MADE[request.param]


class TestRules(EarlyStopConformance):
    @pytest.fixture
    def make_rule(self, made):
        return made


class Patience:
    """Stops a trial whose last values are no better than its best before them: no direction."""

    def judge(self, trial, curve):
        if len(curve) < 4 or max(curve.values[-3:]) >= max(curve.values[:-3]):
            return None
        return Stop(Why("patience", curve.values[-1], "{value} is no better", curve.steps[-1]))

    def end(self, trial, curve):
        pass


class TestARuleThatLooksAtTheTrialAlone(EarlyStopConformance):
    @pytest.fixture
    def make_rule(self):
        return lambda direction: Patience()

    @pytest.fixture
    def has_direction(self):
        return False


def test_every_rule_is_in_the_suite():
    assert set(RULES.values()) == {type(make(Direction.MAX)) for make in MADE.values()}


def test_of_the_suites_trials_each_rule_stops_some_and_never_the_best(made):
    curves = learning_curves(60, 12)
    decisions = run_rule(made(Direction.MAX), curves)
    assert 5 < sum(stop is not None for stop in decisions) < 60
    best = max(range(60), key=lambda trial: curves[trial][-1])
    assert decisions[best] is None
