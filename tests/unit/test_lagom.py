"""What each call of ``lagom`` runs, and the errors of calls, before anything starts."""

from __future__ import annotations

import inspect
import os

import psutil
import pytest

from hopsml_flows import AblationStudy, Searchspace, experiment
from hopsml_flows.config import BaseConfig, HyperparameterOptConfig
from hopsml_flows.earlystop import AbstractEarlyStop, MedianStop
from hopsml_flows.errors import (
    HopsmlWarning,
    InvalidArgumentError,
    InvalidFunctionError,
    InvalidSpaceError,
    SignatureMismatchError,
    UnknownArgumentError,
)
from hopsml_flows.experiment import LagomListResult, LagomResult, LagomTrainingResult
from hopsml_flows.experiment_config import (
    AblationConfig,
    OptimizationConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
)
from hopsml_flows.flows.lagom import verb_of
from hopsml_flows.maggy.calls import described
from hopsml_flows.maggy.early_stop_adapter import AdaptedEarlyStop
from hopsml_flows.maggy.optimizer_adapter import AdaptedOptimizer
from hopsml_flows.optimizer import AbstractOptimizer, Asha, SingleRun
from hopsml_flows.trial import Trial

SPACE = Searchspace(kernel=("INTEGER", [2, 8]), dropout=("DOUBLE", [0.01, 0.99]))
LISTS = Searchspace(units=("DISCRETE", [8, 16, 32]), opt=("CATEGORICAL", ["sgd", "adam"]))
OPTIONS = ("project", "cluster", "seed", "max_seconds", "initial", "num_workers")


def train(kernel, dropout, reporter):
    return kernel * dropout


def of_lists(units, opt):
    return units


def alone():
    return 0.5


def distributed(hparams):
    return hparams["lr"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plan(*args, **given):
    flow, arguments = verb_of(described(args, given, options=OPTIONS))
    return flow.plan(**arguments)


def by_name(**given):
    return {"searchspace": SPACE, "optimizer": "randomsearch", "num_trials": 4, **given}


@pytest.mark.parametrize(
    "planned",
    [
        lambda: plan(train, **by_name(name="mine", direction="min", es_min=3, seed=7)),
        lambda: plan(
            train,
            OptimizationConfig(4, "randomsearch", SPACE, name="mine", direction="min", es_min=3),
            seed=7,
        ),
        lambda: plan(
            train,
            HyperparameterOptConfig(
                4,
                "randomsearch",
                SPACE,
                name="mine",
                direction="min",
                es_min=3,
                optimization_key="metric",
            ),
            seed=7,
        ),
    ],
    ids=["by name", "1.0", "1.1"],
)
def test_the_three_styles_plan_the_same_search(planned):
    found = planned()
    assert (found.verb, found.experiment_type, found.result_type) == ("lagom", "MAGGY", LagomResult)
    assert found.is_asynchronous
    assert (found.options.name, found.trials, found.direction) == ("mine", 4, "MIN")
    assert found.optimization_key == "metric"
    assert found.space == {
        "kernel": {"type": "int", "low": 2, "high": 8, "log": False},
        "dropout": {"type": "float", "low": 0.01, "high": 0.99, "log": False},
    }
    assert repr(found.rule()) == repr(MedianStop(min_finished=3, direction="min"))
    assert found.search().ask(2) == plan(train, **by_name(direction="min", seed=7)).search().ask(2)


@pytest.mark.parametrize(
    ("optimizer", "searchspace", "function", "first", "total"),
    [
        ("gridsearch", LISTS, of_lists, {"units": 8, "opt": "sgd"}, 6),
        ("none", Searchspace(), alone, {}, 4),
        ("None", None, alone, {}, 4),
        (SingleRun, None, alone, {}, 4),
        (None, None, alone, {}, 4),
    ],
)
def test_what_is_proposed_first(optimizer, searchspace, function, first, total):
    found = plan(function, searchspace=searchspace, optimizer=optimizer, num_trials=4)
    assert found.trials == found.search().total == total
    assert found.search().ask(1)[0].params == first


def test_asha_has_the_budgets_of_its_settings():
    given = by_name(
        num_trials=7, optimizer=Asha(reduction_factor=2, resource_min=1, resource_max=4)
    )

    def with_budget(kernel, dropout, budget):
        return kernel

    search = plan(with_budget, **given, seed=1).search()
    assert search.ask(1)[0].budget == 1
    assert plan(train, **by_name(optimizer="asha", num_trials=7)).settings["optimizer"] == {
        "optimizer": "asha",
        "reduction_factor": 2,
        "min_budget": 1,
        "max_budget": 4,
    }


class Halving(AbstractOptimizer):
    """Needs no constructor of the base's, and adds a hyperparameter."""

    def __init__(self, factor=0.5):
        self.factor = factor

    def initialize(self):
        self.rates = [self.factor**n for n in range(self.num_trials)]

    def get_suggestion(self, trial=None):
        if not self.rates:
            return None
        return Trial({"kernel": self.searchspace.kernel[0], "lr": self.rates.pop(0)})

    def finalize_experiment(self, trials):
        pass


def of_halving(kernel, lr):
    return lr


@pytest.mark.parametrize(
    ("optimizer", "factor", "said"),
    [(Halving, 0.5, {}), (Halving(0.25), 0.25, {"is_object": True})],
)
def test_an_own_optimizer_is_a_class_or_an_object(optimizer, factor, said):
    found = plan(of_halving, **by_name(optimizer=optimizer, num_trials=2))
    assert isinstance(found.search(), AdaptedOptimizer)
    assert found.settings["optimizer"] == {"optimizer": f"{__name__}:Halving", **said}
    assert found.trials is None  # the optimizer says when it ends
    for _ in range(2):  # each search begins with what the optimizer knew
        search = found.search()
        asked = [search.ask(1)[0].params for _ in range(2)]
        assert asked == [{"kernel": 2, "lr": 1.0}, {"kernel": 2, "lr": factor}]
        assert search.ask(1) == []


class Typed(Halving):
    def get_suggestion(self, trial=None):
        kinds = self.searchspace.names()
        return Trial({"units": self.searchspace.units[0], "opt": kinds["units"]})


def test_an_own_optimizer_gets_the_search_space_that_the_program_made():
    found = plan(of_lists, searchspace=LISTS, optimizer=Typed, num_trials=2)
    assert found.search().ask(1)[0].params == {"units": 8, "opt": "DISCRETE"}


class Never(AbstractEarlyStop):
    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return None


@pytest.mark.parametrize("policy", [Never, Never()])
def test_an_own_rule_is_asked_as_the_call_says(policy):
    rule = plan(train, **by_name(es_policy=policy, es_min=2, es_interval=5, direction="min")).rule()
    assert isinstance(rule, AdaptedEarlyStop)
    assert rule.direction == "MIN"
    assert rule.settings == {"policy": f"{__name__}:Never", "es_min": 2, "es_interval": 5}
    assert plan(train, **by_name(es_policy="none")).rule() is None


def test_a_training_in_several_processes_returns_what_it_does_in_maggy():
    found = plan(distributed, TfDistributedConfig(dict, hparams={"lr": 1}), num_workers=3)
    assert (found.verb, found.result_type) == ("lagom", LagomListResult)
    assert (found.group.shape.framework, found.group.shape.workers) == ("mirrored", 3)
    assert found.optimization_key == "Metric"
    call = described([distributed, TorchDistributedConfig(dict, hparams={"lr": 1})], {})
    flow, arguments = verb_of(call)  # PyTorch may be missing, which a plan is an error without
    assert inspect.signature(flow.fn).return_annotation is LagomTrainingResult
    assert arguments["metric_key"] == "Metric"


@pytest.mark.parametrize("call", [lambda: plan(alone), lambda: plan(alone, BaseConfig())])
def test_without_hyperparameters_the_function_is_trained_once(call):
    found = call()
    assert (found.verb, found.trials, found.direction) == ("lagom", 1, None)
    assert not found.needs_metric


# Wrong calls


def everything_below(*directories):
    return {
        os.path.join(parent, name)
        for directory in directories
        for parent, folders, files in os.walk(directory)
        for name in (*folders, *files)
    }


@pytest.fixture
def nothing_starts(tmp_path):
    """The same files and child processes after a test as before."""
    home = os.environ["PREFECT_HOME"]
    before = everything_below(tmp_path, home), set(psutil.Process().children(recursive=True))
    yield
    after = everything_below(tmp_path, home), set(psutil.Process().children(recursive=True))
    assert after[0] - before[0] == set()
    assert after[1] - before[1] == set()


CONFIG = OptimizationConfig(2, "randomsearch", SPACE)
TORCH = TorchDistributedConfig(dict)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("args", "given", "kind", "words"),
    [
        # two styles in one call
        ((train, CONFIG), {"searchspace": SPACE}, InvalidArgumentError, "there is a config, too"),
        ((train, CONFIG), {"direction": "min"}, InvalidArgumentError, "there is a config, too"),
        ((train, TORCH), {"num_trials": 3}, InvalidArgumentError, "there is a config, too"),
        ((train, SPACE), {"config": CONFIG}, InvalidArgumentError, "there is a config, too"),
        ((train, "name"), {"config": CONFIG}, InvalidArgumentError, "there is a config, too"),
        ((train, CONFIG), {"map_fun": train}, InvalidFunctionError, "must be given, and once"),
        # options that this kind of experiment does not have
        ((train, CONFIG), {"num_workers": 2}, UnknownArgumentError, "num_workers: .*lagom has no"),
        (
            (distributed, TORCH),
            {"max_seconds": 2},
            UnknownArgumentError,
            "max_seconds: .*lagom has",
        ),
        ((alone,), {"warm_start": "last"}, UnknownArgumentError, "warm_start: .*lagom has no such"),
        # what only the search can judge
        ((train, CONFIG), {"seed": -1}, InvalidArgumentError, "^seed: "),
        ((train, CONFIG), {"max_seconds": 0}, InvalidArgumentError, "^max_seconds: "),
        ((train, CONFIG), {"initial": [{"kernel": 9}]}, InvalidArgumentError, "initial"),
        (
            (of_halving,),
            by_name(optimizer=Halving, initial=[{"kernel": 2}]),
            InvalidArgumentError,
            "initial: .*begins with its own",
        ),
        ((of_halving,), by_name(), SignatureMismatchError, "missing: lr"),
        ((train,), {"num_trials": 3}, SignatureMismatchError, "missing: kernel, dropout"),
        (
            (train, OptimizationConfig(2, "gridsearch", SPACE)),
            {},
            InvalidSpaceError,
            "must be DISCRETE or CATEGORICAL",
        ),
        (
            (alone, AblationConfig(AblationStudy())),
            {},
            InvalidArgumentError,
            "it leaves nothing out",
        ),
    ],
)
def test_a_wrong_call_is_an_error_before_anything_starts(args, given, kind, words):
    with pytest.raises(kind, match=words):
        experiment.lagom(*args, **given)


@pytest.mark.usefixtures("nothing_starts")
def test_launch_with_a_search_space_is_judged_as_a_search():
    with pytest.raises(InvalidArgumentError, match="did you mean randomsearch"):
        experiment.launch(map_fun=train, searchspace=SPACE, optimizer="randomserch")
    with pytest.raises(UnknownArgumentError, match=r"args_dict: .* experiment\.lagom has no such"):
        experiment.launch(train, searchspace=SPACE, args_dict={"kernel": [2]})
    with (
        pytest.warns(HopsmlWarning, match="es_interval=300 of Maggy 0.1 is in seconds"),
        pytest.raises(InvalidArgumentError, match="num_trials"),
    ):
        experiment.launch(train, SPACE, "gp", num_trials=0, es_interval=300)
