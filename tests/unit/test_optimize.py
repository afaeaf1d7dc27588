"""What ``optimize`` plans, and what it refuses before anything starts."""

from __future__ import annotations

import importlib.util

import pytest

from hopsml_flows import experiment
from hopsml_flows.earlystop import MedianStop
from hopsml_flows.errors import SignatureMismatchError
from hopsml_flows.search import OPTIMIZERS, BaseSearch, RandomSearch, SearchSpace

SPACE = {"x": [0.1, 0.9], "units": [1, 40]}
HAS_OPTUNA = importlib.util.find_spec("optuna") is not None
NAMES = [name for name in OPTIMIZERS if name in ("evolution", "random", "grid")]
NAMES += ["tpe", "cmaes"] if HAS_OPTUNA else []


class Own(BaseSearch):
    def __init__(self, space, *, num_trials=None):
        super().__init__()

    total = 4

    def _propose(self, number):
        return {"x": 0.5, "units": number}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def with_budget(x, units, budget):
    return x * units * budget


def with_default(x, units, budget=1):
    return x * units * budget


@pytest.mark.parametrize("optimizer", [*NAMES, RandomSearch(SearchSpace(SPACE), samples=4)])
def test_a_function_that_needs_a_budget_needs_an_optimizer_that_gives_one(optimizer):
    space, count = ({**SPACE, "x": [0.5, 0.5]}, None) if optimizer == "grid" else (SPACE, 4)
    with pytest.raises(SignatureMismatchError) as caught:
        experiment.optimize.plan(with_budget, space, num_trials=count, optimizer=optimizer)
    assert '(missing: budget, which optimizer="asha" gives)' in str(caught.value)
    experiment.optimize.plan(with_default, space, num_trials=count, optimizer=optimizer)


def test_so_does_one_that_is_only_called_several_times():
    with pytest.raises(SignatureMismatchError, match="missing: budget"):
        experiment.optimize.plan(lambda budget: budget, None, num_trials=4, optimizer="none")


def test_a_run_stores_a_class_with_arguments_as_its_import_string():
    given = {"optimizer": {"optimizer": Own}, "early_stop": {"rule": MedianStop, "interval": 2}}
    plan = experiment.optimize.plan(with_default, SPACE, num_trials=4, **given)
    stored = plan.parameters({"train": with_default, "space": SPACE, **given})
    assert stored["optimizer"] == {"optimizer": f"{__name__}:Own"}
    assert stored["early_stop"]["interval"] == 2
    again = experiment.optimize.plan(**stored, num_trials=4)
    assert type(again.search()) is Own
    assert again.rule().interval == 2


@pytest.mark.parametrize("optimizer", ["asha", Own, Own(SPACE)])
def test_budgets_come_from_asha_and_may_come_from_own_optimizers(optimizer):
    count = 40 if optimizer == "asha" else 4
    experiment.optimize.plan(with_budget, SPACE, num_trials=count, optimizer=optimizer)
