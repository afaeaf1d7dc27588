"""Calls of ``lagom`` as programs of all of Maggy's releases write them, and what they mean.

The programs are written anew in the shape of the published ones.
"""

from __future__ import annotations

import inspect
import json
import pickle

import pytest

from hopsml_flows import Searchspace
from hopsml_flows.ablation import AblationStudy
from hopsml_flows.config import BaseConfig, HyperparameterOptConfig
from hopsml_flows.earlystop import AbstractEarlyStop, MedianStop
from hopsml_flows.errors import (
    HopsmlWarning,
    InvalidArgumentError,
    InvalidFunctionError,
    InvalidSpaceError,
    SignatureMismatchError,
    UnknownArgumentError,
    UnsupportedOperationError,
)
from hopsml_flows.execution.signature import BUDGET, check_names
from hopsml_flows.execution.signature import call as call_of_trial
from hopsml_flows.experiment_config import (
    AblationConfig,
    OptimizationConfig,
    TorchDistributedConfig,
)
from hopsml_flows.experiment_config.tf_distributed import TfDistributedConfig
from hopsml_flows.maggy.calls import described, is_search
from hopsml_flows.maggy.descriptions import (
    AblationCall,
    DistributedCall,
    SearchCall,
    SingleCall,
)
from hopsml_flows.maggy.early_stop_adapter import AdaptedEarlyStop
from hopsml_flows.maggy.named_arguments import NamedArguments
from hopsml_flows.maggy.tensorflow_process import TensorFlowProcess, _place
from hopsml_flows.maggy.torch_process import TorchProcess
from hopsml_flows.optimizer import AbstractOptimizer, Asha, GridSearch, RandomSearch, SingleRun
from hopsml_flows.search import Direction
from hopsml_flows.trials.early_stop.registry import early_stop_rule

OPTIONS = ("project", "cluster", "seed", "resume", "name")


def lagom(*args, **given):
    return described(args, given, options=OPTIONS)


def mnist(kernel, pool, dropout, reporter):
    for step in range(3):
        reporter.broadcast(metric=dropout, step=step)
    return kernel + pool


def mnist_space():
    return Searchspace(
        kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]), dropout=("DOUBLE", [0.01, 0.99])
    )


def no_hyperparameters():
    return 0.5


class Rule(AbstractEarlyStop):
    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return None


class Own(AbstractOptimizer):
    def initialize(self):
        pass

    def get_suggestion(self, trial=None):
        return None

    def finalize_experiment(self, trials):
        pass


# 0.x: arguments by name


def test_the_readme_of_0_1_launches_a_search_by_name():
    space = mnist_space()
    given = {
        "map_fun": mnist,
        "searchspace": space,
        "optimizer": "randomsearch",
        "direction": "max",
        "num_trials": 15,
        "name": "MNIST",
        "es_interval": 300,
        "es_min": 5,
    }
    assert is_search([], given)
    assert is_search([mnist, space], {})
    assert not is_search([mnist, {"kernel": [2]}], {"name": "MNIST"})
    assert is_search([], {"map_fun": mnist, "optimizer": "none", "num_trials": 3})
    assert is_search([mnist], {"num_trials": 3})
    assert not is_search([mnist], {})
    assert not is_search([mnist, {"kernel": [2]}], {"num_trials": 3})
    assert not is_search([mnist], {"args_dict": {"kernel": [2]}, "num_trials": 3})
    call = lagom(**given)
    assert isinstance(call, SearchCall)
    assert call.train.callable is mnist
    assert call.searchspace is space
    assert (call.optimizer, call.settings, call.num_trials) == ("randomsearch", {}, 15)
    assert (call.direction, call.optimization_key) == (Direction.MAX, "metric")
    assert (call.early_stop, call.es_min, call.es_interval) == ("median", 5, 300)
    assert (call.name, call.description, call.options) == ("MNIST", None, {})


def test_the_heartbeat_has_no_effect_and_a_warning_says_so():
    with pytest.warns(HopsmlWarning, match=r"^hb_interval=5 of experiment\.lagom has no effect"):
        lagom(mnist, searchspace=mnist_space(), optimizer="randomsearch", hb_interval=5)
    with pytest.warns(HopsmlWarning, match=r"^hb_interval=3 "):
        lagom(mnist, OptimizationConfig(2, "randomsearch", mnist_space(), hb_interval=3))


@pytest.mark.parametrize("name", ["train_fn", "map_fun", "train"])
def test_the_function_has_the_name_of_each_release(name):
    call = lagom(**{name: mnist}, searchspace=mnist_space(), optimizer="RandomSearch")
    assert call.train.callable is mnist
    assert call.optimizer == "randomsearch"
    assert call.num_trials == 1
    assert call.name is None


def test_the_second_argument_of_the_first_releases_was_the_search_space():
    call = lagom(mnist, mnist_space(), "randomsearch", "min", 25, "test", 1, "none", 10)
    assert (call.optimizer, call.direction, call.num_trials) == ("randomsearch", "MIN", 25)
    assert (call.name, call.early_stop, call.es_interval) == ("test", "none", 10)


def test_the_second_argument_of_later_releases_was_the_name():
    call = lagom(mnist, "no-name", "optimization", mnist_space(), "gp", "min", 9)
    assert (call.name, call.optimizer, call.num_trials) == (None, "gp", 9)


def test_a_pytorch_program_minimizes_over_types_in_any_case():
    def train(kernel, dropout, lr, reporter):
        reporter.broadcast(metric=lr)
        return lr

    space = Searchspace(kernel=("Integer", [2, 8]), dropout=("integer", [1, 9]))
    space.add("lr", ("DOUBLE", [0.0001, 0.1]))
    call = lagom(
        train_fn=train,
        searchspace=space,
        optimizer="randomsearch",
        direction="min",
        num_trials=4,
        name="pytorch-mnist",
        es_interval=1,
        es_min=5,
    )
    assert call.direction is Direction.MIN
    assert call.searchspace.names() == {"kernel": "INTEGER", "dropout": "INTEGER", "lr": "DOUBLE"}


def test_the_churn_program_passes_its_function_by_position_and_has_no_reporter():
    def train(max_depth, min_child_weight, estimators):
        return {"accuracy": 0.5}

    space = Searchspace(max_depth=("INTEGER", [2, 8]), min_child_weight=("INTEGER", [2, 8]))
    space.add("estimators", ("DISCRETE", [50, 100, 200]))
    call = lagom(
        train,
        searchspace=space,
        optimizer="randomsearch",
        direction="max",
        num_trials=6,
        name="churn",
        optimization_key="accuracy",
        description="a model of XGBoost",
    )
    assert call.train.callable is train
    assert (call.optimization_key, call.description) == ("accuracy", "a model of XGBoost")


def test_a_grid_has_lists_only():
    def train(units):
        return units

    space = Searchspace(units=("DISCRETE", [8, 16]))
    for optimizer in ("gridsearch", GridSearch()):
        assert lagom(train, searchspace=space, optimizer=optimizer).optimizer == "gridsearch"
    ranges = Searchspace(units=("INTEGER", [8, 16]))
    with pytest.raises(InvalidSpaceError, match=r"searchspace\['units'\]: must be DISCRETE or"):
        lagom(train, searchspace=ranges, optimizer="gridsearch")


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        ("TPE", "tpe"),
        ("gp", "gp"),
        (RandomSearch(), "randomsearch"),
        (RandomSearch, "randomsearch"),
        (RandomSearch(5, mnist_space(), []), "randomsearch"),
        ("Asha", "asha"),
        (Asha, "asha"),
    ],
)
def test_an_optimizer_is_given_by_its_name_as_an_object_or_as_a_class(optimizer, name):
    assert lagom(mnist, searchspace=mnist_space(), optimizer=optimizer).optimizer == name


def resource_of_0_5(kernel, resource):
    return kernel / resource


def budget_of_master(kernel, budget, reporter):
    return kernel / budget


def of_hparams(hparams):
    return hparams["kernel"] / hparams["budget"]


def without_budget(kernel):
    return kernel


@pytest.mark.parametrize("train", [resource_of_0_5, budget_of_master, of_hparams])
def test_the_budget_of_asha_has_the_name_that_the_function_takes(train):
    space = Searchspace(kernel=("INTEGER", [2, 8]))
    given = lagom(train, searchspace=space, optimizer=Asha(3, 1, 9), num_trials=9)
    assert given.settings == {"reduction_factor": 3, "min_budget": 1, "max_budget": 9}
    named = lagom(train, searchspace=space, optimizer="asha", num_trials=9)
    assert named.settings == {"reduction_factor": 2, "min_budget": 1, "max_budget": 4}
    check_names(named.train.callable, ["kernel"], argument="space", given=(BUDGET,))
    assert call_of_trial(named.train.callable, {"kernel": 6}, None, 2) == 3


def of_any(kernel, **rest):
    return kernel, rest


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (lambda space: {"searchspace": space, "optimizer": "asha", "num_trials": 9}, "resource"),
        (lambda space: {"config": OptimizationConfig(9, "asha", space)}, "budget"),
    ],
    ids=["by name", "1.0"],
)
def test_a_function_that_takes_any_argument_gets_the_budget_as_in_its_release(given, name):
    space = Searchspace(kernel=("INTEGER", [2, 8]))
    found = lagom(of_any, **given(space)).train.callable
    assert call_of_trial(found, {"kernel": 6}, None, 2) == (6, {name: 2})
    searched = Searchspace(kernel=("INTEGER", [2, 8]), resource=("INTEGER", [1, 9]))
    found = lagom(of_any, **given(searched)).train.callable
    values = {"kernel": 6, "resource": 5}
    assert call_of_trial(found, values, None, 2) == (6, {"resource": 5, "budget": 2})


def test_a_function_of_hparams_gets_the_budget_of_a_configuration_of_1_1():
    space = Searchspace(kernel=("INTEGER", [2, 8]))
    config = HyperparameterOptConfig(9, "asha", space)
    found = lagom(of_any, config=config).train.callable
    assert call_of_trial(found, {"kernel": 6}, None, 2)["Metric"] == 6
    assert call_of_trial(found, {"kernel": 6}, None, 2)["returned"] == [6, {"budget": 2}]


@pytest.mark.parametrize(
    ("train", "name"), [(resource_of_0_5, "resource"), (budget_of_master, "budget")]
)
def test_a_function_that_needs_a_budget_is_told_which_optimizer_gives_it(train, name):
    space = Searchspace(kernel=("INTEGER", [2, 8]))
    words = f'missing: {name}, which optimizer="asha" gives'
    with pytest.raises(SignatureMismatchError, match=words):
        lagom(train, searchspace=space, optimizer="randomsearch", num_trials=9)
    with pytest.raises(SignatureMismatchError, match=words):
        lagom(train, config=HyperparameterOptConfig(9, "randomsearch", space))


def test_a_function_may_do_without_the_budget():
    space = Searchspace(kernel=("INTEGER", [2, 8]))
    call = lagom(without_budget, searchspace=space, optimizer="asha", num_trials=9)
    assert call.train.callable is without_budget


def test_a_budget_that_is_searched_is_a_hyperparameter():
    space = Searchspace(kernel=("INTEGER", [2, 8]), budget=("INTEGER", [1, 9]))
    call = lagom(of_hparams, searchspace=space, optimizer="asha", num_trials=9)
    assert call_of_trial(call.train.callable, {"kernel": 6, "budget": 3}, None, 2) == 2


def test_an_own_optimizer_is_passed_on_and_may_add_hyperparameters():
    own = Own()
    call = lagom(resource_of_0_5, searchspace=mnist_space(), optimizer=own, num_trials=3)
    assert call.optimizer is own
    assert call.train.callable is resource_of_0_5
    adapted = lagom(of_hparams, searchspace=mnist_space(), optimizer=own).train.callable
    assert adapted(kernel=6, budget=3) == 2


@pytest.mark.parametrize("rule", [Rule, Rule()])
def test_an_own_rule_is_passed_on(rule):
    call = lagom(mnist, searchspace=mnist_space(), optimizer="gp", es_policy=rule)
    assert call.early_stop is rule


def test_a_rule_has_its_name_in_any_case():
    call = lagom(mnist, searchspace=mnist_space(), optimizer="gp", es_policy="None")
    assert call.early_stop == "none"


class Never:
    def judge(self, trial, curve):
        return None

    def end(self, trial, curve):
        pass


@pytest.mark.parametrize(
    ("policy", "kind", "settings"),
    [
        ("Median", MedianStop, {"min_finished": 5, "interval": 2}),
        (MedianStop, MedianStop, {"min_finished": 5, "interval": 2}),
        (MedianStop(direction="min"), MedianStop, {"min_finished": 10, "interval": 1}),
        (Rule, AdaptedEarlyStop, {"policy": f"{__name__}:Rule", "es_min": 5, "es_interval": 2}),
        (Rule(), AdaptedEarlyStop, {"policy": f"{__name__}:Rule", "es_min": 5, "es_interval": 2}),
        (Never, Never, None),
        (Never(), Never, None),
        ("none", type(None), None),
    ],
)
def test_a_rule_becomes_this_packages(policy, kind, settings):
    given = {"searchspace": mnist_space(), "optimizer": "gp", "direction": "min"}
    call = lagom(mnist, **given, es_policy=policy, es_min=5, es_interval=2)
    rule = early_stop_rule(call.rule, direction=call.direction)
    assert type(rule) is kind
    assert getattr(rule, "settings", None) == settings
    assert getattr(rule, "direction", "MIN") == "MIN"


def test_without_a_search_space_the_function_is_called_as_often_as_asked_for():
    call = lagom(no_hyperparameters, optimizer="none", num_trials=3)
    assert (call.optimizer, call.num_trials, len(call.searchspace)) == ("none", 3, 0)
    assert lagom(no_hyperparameters, optimizer=SingleRun(), num_trials=3).optimizer == "none"
    assert lagom(no_hyperparameters, num_trials=3).optimizer == "none"


def test_without_anything_the_function_is_called_once():
    call = lagom(train_fn=no_hyperparameters, name="MNIST")
    assert isinstance(call, SingleCall)
    assert (call.name, call.optimization_key) == ("MNIST", None)
    assert lagom(no_hyperparameters).name is None
    assert lagom(no_hyperparameters, None).name is None
    assert lagom(no_hyperparameters, optimization_key="f1").optimization_key == "f1"
    assert lagom(no_hyperparameters, BaseConfig(name="base")).name == "base"


def test_options_of_this_package_go_with_each_style():
    options = {"seed": 3, "cluster": "local"}
    config = OptimizationConfig(2, "randomsearch", mnist_space(), name="of the config")
    assert lagom(mnist, config, **options).options == options
    assert lagom(mnist, config, **options).name == "of the config"
    call = lagom(mnist, searchspace=mnist_space(), optimizer="gp", name="mine", **options)
    assert (call.options, call.name) == (options, "mine")


# Ablation


def test_the_titanic_program_is_an_ablation_study():
    def train(dataset_function, model_function):
        return 0.5

    study = AblationStudy()
    call = lagom(
        train_fn=train,
        experiment_type="ablation",
        ablation_study=study,
        ablator="loco",
        name="Titanic-LOCO",
    )
    assert isinstance(call, AblationCall)
    assert call.study is study
    assert call.train.callable is train
    assert (call.ablator, call.direction, call.optimization_key) == ("loco", "MAX", "metric")
    same = lagom(train, AblationConfig(study, ablator="LOCO", direction="min", description="d"))
    assert (same.study, same.ablator, same.direction) == (study, "loco", Direction.MIN)
    assert (same.name, same.description) == ("ablationStudy", "d")


# 1.0: configurations


def test_the_mnist_program_of_1_0_has_a_configuration():
    config = OptimizationConfig(
        num_trials=4,
        optimizer="randomsearch",
        searchspace=mnist_space(),
        direction="max",
        es_interval=1,
        es_min=5,
        name="hp_tuning_test",
    )
    for call in (
        lagom(mnist, config),
        lagom(train_fn=mnist, config=config),
        lagom(mnist, config=config),
    ):
        assert call.train.callable is mnist
        assert (call.name, call.num_trials, call.es_min) == ("hp_tuning_test", 4, 5)
        assert (call.optimization_key, call.early_stop) == ("metric", "median")
    unnamed = lagom(mnist, OptimizationConfig(4, "tpe", mnist_space()))
    assert unnamed.name == "HPOptimization"


def module(x):
    return x


def of_torch(module, hparams, train_set, test_set):
    return {"test result": module(hparams["lr"]), "sets": [train_set, test_set]}


def test_a_torch_program_trains_in_several_processes():
    config = TorchDistributedConfig(
        module=module, train_set="train", test_set="test", hparams={"lr": 0.5}, name="torch"
    )
    call = lagom(of_torch, config)
    assert isinstance(call, DistributedCall)
    assert (call.framework, call.optimization_key, call.name) == ("torch", "Metric", "torch")
    assert str(call.train) == f"{__name__}:of_torch"
    function = call.train.callable
    assert isinstance(function, TorchProcess)
    assert inspect.signature(function).parameters == {}
    assert function.arguments == ["hparams", "module", "train_set", "test_set"]
    pickle.loads(pickle.dumps(function))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backend": "deepspeed"}, "DeepSpeed is not supported"),
        ({"deepspeed_config": {"fp16": {"enabled": True}}}, "DeepSpeed is not supported"),
        ({"zero_lvl": 3}, "zero_lvl=3, ZeRO's sharding, is not supported: write zero_lvl=0"),
        ({"mixed_precision": True}, "mixed_precision=True is not supported: use torch.autocast"),
    ],
)
def test_what_is_not_supported_of_torch_is_an_error_that_says_so(settings, words):
    with pytest.raises(UnsupportedOperationError, match=words):
        TorchDistributedConfig(module, **settings)


class Model:
    def __init__(self, nlayers):
        self.nlayers = nlayers


def of_tensorflow(model, train_set, test_set, hparams):
    return [model(hparams["nlayers"]).nlayers, train_set, test_set]


def test_a_tensorflow_program_has_a_model_and_sets():
    x, y = (1, 2), (3, 4)
    config = TfDistributedConfig(
        model=Model, train_set=(x, y), test_set=(x, y), hparams={"nlayers": 2}
    )
    call = lagom(of_tensorflow, config)
    assert (call.framework, call.optimization_key) == ("tensorflow", "Metric")
    function = call.train.callable
    assert isinstance(function, TensorFlowProcess)
    assert function.arguments == ["hparams", "model", "train_set", "test_set"]
    pickle.loads(pickle.dumps(function))


def test_paths_need_a_function_that_reads_them():
    with pytest.raises(InvalidArgumentError, match="process_data: must be a function that reads"):
        TfDistributedConfig(Model, "a.csv", "b.csv")
    with pytest.raises(InvalidFunctionError, match="process_data: must be a function; got 5"):
        TfDistributedConfig(Model, "a.csv", "b.csv", process_data=5)


def test_the_configuration_that_maggys_own_test_has_is_taken():
    config = TfDistributedConfig(
        name="tf_test", model=Model, train_set=None, test_set=None, hparams={"nlayers": 2}
    )
    assert lagom(of_tensorflow, config).name == "tf_test"


PAIR = {"chief": ["a:1"], "worker": ["b:1"]}


@pytest.mark.parametrize(
    ("cluster", "task", "place"),
    [
        ({"worker": ["a:1", "b:1"]}, ("worker", 1), (1, 2)),
        (PAIR, ("chief", 0), (0, 2)),
        (PAIR, ("worker", 0), (1, 2)),
    ],
)
def test_a_process_knows_its_place_among_those_that_train(monkeypatch, cluster, task, place):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert _place() == (0, 1)
    config = {"cluster": cluster, "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert _place() == place


# 1.1: hyperparameters as a dict


def train_of_1_1(model, train_set, test_set, hparams, reporter):
    if "argument_param" in hparams:
        reporter.append(hparams["argument_param"])
    return model, train_set, test_set


def test_the_test_of_1_1_gets_its_hyperparameters_as_a_dict():
    config = HyperparameterOptConfig(
        searchspace=Searchspace(argument_param=("DOUBLE", [1, 5])),
        optimizer="randomsearch",
        direction="max",
        num_trials=5,
        name="test",
        hb_interval=1,
        es_interval=10,
    )
    call = lagom(train_fn=train_of_1_1, config=config)
    assert isinstance(call, SearchCall)
    assert (call.optimization_key, call.es_interval) == ("Metric", 10)
    assert list(inspect.signature(call.train.callable).parameters) == ["argument_param", "reporter"]
    assert str(call.train) == f"{__name__}:train_of_1_1"
    reporter = []
    returned = call.train.callable(argument_param=2.5, reporter=reporter)
    assert reporter == [2.5]
    assert returned == {"Metric": None, "returned": [None, None, None]}


def test_a_function_with_hparams_gets_them_in_each_style():
    def train(hparams, reporter):
        return hparams["kernel"]

    space = Searchspace(kernel=("INTEGER", [2, 8]))
    for call in (
        lagom(train, searchspace=space, optimizer="randomsearch"),
        lagom(train, OptimizationConfig(2, "randomsearch", space)),
        lagom(train, HyperparameterOptConfig(2, "randomsearch", space)),
    ):
        assert call.train.callable(kernel=5, reporter=None) == 5


def test_a_function_without_hparams_gets_hyperparameters_by_name_in_1_1_too():
    def train(kernel, model, dataset):
        return [kernel, model, dataset]

    space = Searchspace(kernel=("INTEGER", [2, 8]))
    config = HyperparameterOptConfig(2, "randomsearch", space, model=Model, dataset=["a", "b"])
    returned = lagom(train, config).train.callable(kernel=5)
    assert returned == {"Metric": 5, "returned": [5, Model, ["a", "b"]]}


def test_without_a_configuration_of_1_1_the_metric_has_its_key():
    def train(hparams):
        return {"accuracy": 0.5, "loss": 1}

    space = Searchspace(kernel=("INTEGER", [2, 8]))
    call = lagom(train, searchspace=space, optimizer="gp", optimization_key="f1")
    assert call.train.callable(kernel=5) == {"accuracy": 0.5, "loss": 1}


def test_a_described_function_can_be_sent_to_a_worker():
    config = HyperparameterOptConfig(2, "tpe", Searchspace(argument_param=("DOUBLE", [1, 5])))
    call = lagom(train_of_1_1, config)
    assert isinstance(call.train.callable, NamedArguments)
    again = pickle.loads(pickle.dumps(call.train.callable))
    assert again(argument_param=1.0, reporter=[])["Metric"] is None


# What is wrong

SPACE = mnist_space()
CONFIG = OptimizationConfig(2, "randomsearch", SPACE)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"searchspace": SPACE}, InvalidArgumentError, "searchspace: .* there is a config, too"),
        ({"num_trials": 3}, InvalidArgumentError, "num_trials: 3 cannot be used"),
        ({"name": "x"}, InvalidArgumentError, "give all of Maggy's arguments to it"),
        ({"hb_interval": 1}, InvalidArgumentError, "hb_interval: 1 cannot be used"),
    ],
)
def test_the_two_styles_are_not_mixed(given, kind, words):
    with pytest.raises(kind, match=words):
        lagom(mnist, CONFIG, **given)


@pytest.mark.parametrize(
    ("args", "given", "kind", "words"),
    [
        ((), {}, InvalidFunctionError, r"train: must be given, and once; got \[\]"),
        ((mnist,), {"train_fn": mnist}, InvalidFunctionError, "train: must be given, and once"),
        (
            (),
            {"train_fn": mnist, "map_fun": mnist},
            InvalidFunctionError,
            "must be given, and once",
        ),
        ((5,), {}, InvalidFunctionError, "train: must be a function"),
        (
            (mnist, SPACE),
            {"searchspace": SPACE},
            InvalidArgumentError,
            "another searchspace by name",
        ),
        ((mnist, CONFIG), {"config": CONFIG}, InvalidArgumentError, "another config by name"),
        (
            (mnist, {"kernel": [2]}),
            {},
            InvalidArgumentError,
            "config: must be an OptimizationConfig",
        ),
        ((mnist, OptimizationConfig), {}, InvalidArgumentError, "config: must be an Optimization"),
        (
            (mnist, CONFIG, 3),
            {},
            InvalidArgumentError,
            "must have at most 2 by position; got '3 arg",
        ),
        ((mnist,), {"serachspace": SPACE}, UnknownArgumentError, "did you mean searchspace"),
        ((mnist,), {"num_trial": 3}, UnknownArgumentError, "did you mean num_trials"),
        ((mnist,), {"xyz": 3}, UnknownArgumentError, "no such argument$"),
        ((mnist,), {"sede": 3}, UnknownArgumentError, "did you mean seed"),
        (
            (mnist,),
            {"experiment_type": "search"},
            InvalidArgumentError,
            'must be "optimization" or',
        ),
        (
            (mnist,),
            {"ablation_study": AblationStudy()},
            InvalidArgumentError,
            'type="optimization" has none',
        ),
        (
            (mnist,),
            {"experiment_type": "ablation", "searchspace": SPACE},
            InvalidArgumentError,
            'searchspace: .*experiment_type="ablation" has none',
        ),
        (
            (mnist,),
            {"experiment_type": "ablation"},
            InvalidArgumentError,
            "must be an AblationStudy",
        ),
        (
            (mnist,),
            {"experiment_type": "ablation", "ablation_study": AblationStudy(), "ablator": "other"},
            InvalidArgumentError,
            'ablator: must be "loco"',
        ),
    ],
)
def test_a_wrong_call_is_a_typed_error_that_names_the_argument(args, given, kind, words):
    with pytest.raises(kind, match=words):
        lagom(*args, **given)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"optimizer": "randomserch"}, InvalidArgumentError, "did you mean randomsearch"),
        ({"optimizer": 5}, InvalidArgumentError, "or an AbstractOptimizer"),
        ({"optimizer": dict}, InvalidArgumentError, "or an AbstractOptimizer"),
        ({"optimizer": AbstractOptimizer}, InvalidArgumentError, "making one without arguments"),
        ({"optimizer": SingleRun}, InvalidArgumentError, "optimizer: must be one that searches"),
        ({"optimizer": None}, InvalidArgumentError, "optimizer: must be one that searches"),
        ({"optimizer": "none"}, InvalidArgumentError, "optimizer: must be one that searches"),
        ({"searchspace": None}, InvalidSpaceError, "searchspace: must have hyperparameters for"),
        ({"searchspace": Searchspace()}, InvalidSpaceError, "must have hyperparameters for"),
        ({"searchspace": {"kernel": [2, 8]}}, InvalidSpaceError, "must be a Searchspace"),
        ({"num_trials": 0}, InvalidArgumentError, "num_trials: must be an integer of at least 1"),
        ({"num_trials": 2.5}, InvalidArgumentError, "num_trials: must be an integer"),
        ({"direction": "up"}, InvalidArgumentError, "direction: must be Direction.MAX"),
        ({"optimization_key": ""}, InvalidArgumentError, "optimization_key: must be a string"),
        ({"es_policy": "meadian"}, InvalidArgumentError, "did you mean median"),
        ({"es_policy": 5}, InvalidArgumentError, "es_policy: must be"),
        ({"es_interval": 0}, InvalidArgumentError, "es_interval: must be an integer of at least 1"),
        ({"es_min": -1}, InvalidArgumentError, "es_min: must be an integer of at least 0"),
        ({"name": ""}, InvalidArgumentError, "name: must be a string that is not empty"),
        ({"description": 5}, InvalidArgumentError, "description: must be a string"),
    ],
)
def test_a_wrong_value_is_the_same_typed_error_in_both_styles(given, kind, words):
    right = {"searchspace": SPACE, "optimizer": "randomsearch", "num_trials": 3}
    with pytest.raises(kind, match=words):
        lagom(mnist, **{**right, **given})
    with pytest.raises(kind, match=words):
        OptimizationConfig(**{**right, **given})
    with pytest.raises(kind, match=words):
        HyperparameterOptConfig(**{**right, **given})


def test_hyperparameters_that_the_function_lacks_are_a_typed_error():
    def train(kernel, reporter):
        return kernel

    with pytest.raises(SignatureMismatchError, match="not an argument of the function: dropout"):
        lagom(train, searchspace=SPACE, optimizer="randomsearch")
    with pytest.raises(SignatureMismatchError, match="not an argument of the function"):
        lagom(train, HyperparameterOptConfig(2, "randomsearch", SPACE))
    with pytest.raises(SignatureMismatchError, match="missing: kernel, pool, dropout"):
        lagom(mnist)

    def with_another(hparams, other):
        return other

    with pytest.raises(SignatureMismatchError, match="missing: other"):
        lagom(with_another, HyperparameterOptConfig(2, "randomsearch", SPACE))
    with pytest.raises(SignatureMismatchError, match="missing: other"):
        lagom(with_another, TorchDistributedConfig(module))
