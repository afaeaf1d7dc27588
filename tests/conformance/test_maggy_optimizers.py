"""Optimizers that are written for Maggy pass the suite through their adapter."""

from __future__ import annotations

import pytest

from hopsml_flows import Searchspace
from hopsml_flows.maggy.optimizer_adapter import AdaptedOptimizer
from hopsml_flows.optimizer import AbstractOptimizer, GridSearch
from hopsml_flows.search import SearchSpace
from hopsml_flows.testing import OptimizerConformance
from hopsml_flows.trial import Trial

SPACE = Searchspace(units=("DISCRETE", [1, 2, 3]), opt=("CATEGORICAL", ["sgd", "adam"]))
WIDE = Searchspace(units=("INTEGER", [1, 5000]), rate=("DOUBLE", [0.0, 1.0]))


class Guided(AbstractOptimizer):
    """Draws beside the best trial so far, and never the same twice."""

    def initialize(self):
        self.number = 0

    def get_suggestion(self, trial=None):
        if self.number == self.num_trials:
            return None
        self.number += 1
        suggested = Trial(self.searchspace.get_random_parameter_values(1)[0])
        if self.final_store:
            losses = self.get_metrics_dict()
            best = min(losses, key=losses.get)
            suggested = Trial(
                {**suggested.params, "rate": self.get_hparams_dict(best)[best]["rate"]}
            )
        return suggested

    def finalize_experiment(self, trials):
        pass


OPTIMIZERS = {"grid": (GridSearch, SPACE, 6), "guided": (Guided, WIDE, 9)}


@pytest.fixture(params=list(OPTIMIZERS))
def entry(request):
    return OPTIMIZERS[request.param]


class TestMaggyOptimizers(OptimizerConformance):
    @pytest.fixture
    def make_optimizer(self, entry):
        kind, space, num_trials = entry
        return lambda direction, seed: AdaptedOptimizer(
            kind(), space, num_trials=num_trials, direction=direction, seed=seed
        )

    @pytest.fixture
    def space(self, entry):
        return SearchSpace(entry[1])
