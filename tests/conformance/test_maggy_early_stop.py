"""A rule of early stopping that is written for Maggy passes the suite through its adapter."""

from __future__ import annotations

import math

import pytest

from hopsml_flows.earlystop import AbstractEarlyStop
from hopsml_flows.maggy.early_stop_adapter import AdaptedEarlyStop
from hopsml_flows.testing import EarlyStopConformance


class Recent(AbstractEarlyStop):
    """Stops a trial that is worse than all of the last trials were at the same report."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        sign = 1 if direction == "max" else -1
        place = len(to_check.metric_history) - 1
        others = [
            sign * trial.metric_history[place]
            for trial in finalized_trials[-9:]
            if len(trial.metric_history) > place
        ]
        own = sign * to_check.metric_history[-1]
        if math.isfinite(own) and others and own < min(others):
            return to_check.trial_id
        return None


class TestARuleOfMaggys(EarlyStopConformance):
    @pytest.fixture
    def make_rule(self):
        return lambda direction: AdaptedEarlyStop(Recent, direction=direction, es_min=3)


class Broken(AbstractEarlyStop):
    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore:Broken.earlystop_check raised ZeroDivisionError")
class TestARuleThatRaises(EarlyStopConformance):
    @pytest.fixture
    def make_rule(self):
        return lambda direction: AdaptedEarlyStop(Broken(), direction=direction, es_min=3)
