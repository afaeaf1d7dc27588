"""How functions of Maggy's newer generations are called, and what becomes of what they return."""

from __future__ import annotations

import asyncio
import functools
import inspect

import cloudpickle
import pytest

from hopsml_flows.execution import TrainingFunction, argument_order, check_names
from hopsml_flows.execution.payload import packed, unpacked
from hopsml_flows.execution.signature import call
from hopsml_flows.maggy.named_arguments import NamedArguments


class Model:
    pass


def echo(hparams, model, module, dataset, train_set, test_set, reporter):
    return {
        "Metric": 1,
        "hparams": hparams,
        "models": (model, module),
        "sets": (dataset, train_set, test_set),
        "reporter": reporter,
    }


def adapted(function, given=None, names=("units",), key="Metric", **settings):
    return NamedArguments(function, hyperparameters=names, given=given, key=key, **settings)


def test_it_is_called_like_a_function_that_takes_hyperparameters_by_name():
    function = adapted(echo)
    check_names(function, ["units"], argument="searchspace")
    assert argument_order(function) == ("units", "reporter")
    returned = call(function, {"units": 8}, reporter="the reporter")
    assert returned["hparams"] == {"units": 8}
    assert returned["reporter"] == "the reporter"


def test_what_the_configuration_lacks_is_none():
    returned = adapted(echo)(units=8, reporter=None)
    assert returned["models"] == (None, None)
    assert returned["sets"] == (None, None, None)


def test_what_has_a_default_keeps_it_unless_the_configuration_has_it():
    def train(hparams, model=Model, dataset="default"):
        return {"Metric": 1, "model": model, "dataset": dataset}

    assert adapted(train)(units=8)["model"] is Model
    assert adapted(train, {"model": int})(units=8)["model"] is int
    assert adapted(train, {"model": None})(units=8)["model"] is Model


@pytest.mark.parametrize(
    ("given", "sets"),
    [
        ({"train_set": "a", "test_set": "b"}, (["a", "b"], "a", "b")),
        ({"dataset": ["a", "b"]}, (["a", "b"], "a", "b")),
        ({"dataset": ["a", "b", "c"]}, (["a", "b", "c"], None, None)),
        ({"train_set": "a"}, (["a", None], "a", None)),
        ({}, (None, None, None)),
    ],
)
def test_two_sets_are_a_dataset_and_a_dataset_of_two_is_both_sets(given, sets):
    assert adapted(echo, given)(units=8, reporter=None)["sets"] == sets


def test_a_model_and_a_module_are_the_same():
    for given in ({"model": Model}, {"module": Model}):
        assert adapted(echo, given)(units=8, reporter=None)["models"] == (Model, Model)


def test_hyperparameters_of_those_names_are_hyperparameters():
    def train(model, hparams):
        return [model, hparams]

    function = adapted(train, {"model": Model}, names=("model", "hparams"))
    assert function(model="small", hparams=3)["returned"] == ["small", 3]


def test_fixed_hyperparameters_are_in_the_dict_or_passed_where_they_are_named():
    def by_dict(hparams):
        return {"Metric": 1, **hparams}

    def by_name(lr):
        return lr

    fixed = {"lr": 0.5, "epochs": 3}
    assert adapted(by_dict, fixed=fixed, names=())() == {"Metric": 1, **fixed}
    assert adapted(by_name, fixed=fixed, names=())() == 0.5


def test_each_trial_gets_a_dict_of_its_own():
    def train(hparams):
        hparams["changed"] = True
        return len(hparams)

    function = adapted(train, fixed={"lr": 0.5})
    assert [function(units=8), function(units=8)] == [3, 3]


def test_a_name_that_python_does_not_allow_is_a_key_of_the_dict():
    def train(hparams, reporter):
        return hparams["learning rate"]

    function = adapted(train, names=("learning rate", "lambda"))
    check_names(function, ["learning rate", "lambda"], argument="searchspace")
    assert call(function, {"learning rate": 0.5, "lambda": 1}, reporter=None) == 0.5


def test_hyperparameters_that_are_not_known_beforehand_are_taken():
    def train(hparams):
        return sum(hparams.values())

    function = adapted(train, names=None)
    check_names(function, ["units", "budget"], argument="searchspace")
    assert call(function, {"units": 8, "budget": 2}) == 10


@pytest.mark.parametrize(
    ("returned", "outputs"),
    [
        (0.5, 0.5),
        ({"Metric": 0.5}, {"Metric": 0.5}),
        ({"accuracy": 0.5, "loss": 2}, {"Metric": 0.5, "accuracy": 0.5, "loss": 2}),
        ({"loss": 2, "Metric": 0.5}, {"loss": 2, "Metric": 0.5}),
        ([0.5, 2], {"Metric": 0.5, "returned": [0.5, 2]}),
        ((0.5,), {"Metric": 0.5, "returned": [0.5]}),
        ({}, {}),
        ([], []),
        (None, None),
        (0, 0),
        ({"accuracy": 0}, {"Metric": 0, "accuracy": 0}),
    ],
)
def test_the_first_value_is_the_metric_where_no_value_has_its_key(returned, outputs):
    assert adapted(lambda hparams: returned)(units=8) == outputs


def test_without_a_key_what_was_returned_stays_as_it_is():
    assert adapted(lambda hparams: [0.5, 2], key=None)(units=8) == [0.5, 2]


def test_a_key_that_a_dict_lacks_is_not_replaced_by_its_first_value():
    outputs = {"loss": 2, "accuracy": 0.5}
    assert adapted(lambda hparams: outputs, key="acuracy")(units=8) == outputs
    assert adapted(lambda hparams: outputs, key="accuracy")(units=8) == outputs
    listed = adapted(lambda hparams: [0.5, 2], key="accuracy")(units=8)
    assert listed == {"accuracy": 0.5, "returned": [0.5, 2]}


def test_a_budget_is_passed_under_the_functions_name_for_it_where_there_is_one():
    def train(units, resource=None):
        return [units, resource]

    function = adapted(train, key=None, budget="resource")
    assert function.arguments == ["units", "resource"]
    check_names(function, ["units"], argument="space", given=["budget"])
    assert call(function, {"units": 8}, budget=3) == [8, 3]
    assert call(function, {"units": 8}) == [8, None]
    by_dict = adapted(lambda hparams: hparams, key=None, budget="budget")
    assert call(by_dict, {"units": 8}, budget=3) == {"units": 8, "budget": 3}


def test_the_key_is_the_experiments():
    function = adapted(lambda hparams: {"accuracy": 0.5, "f1": 0.25}, key="f1")
    assert function(units=8) == {"accuracy": 0.5, "f1": 0.25}


def test_an_asynchronous_function_runs_to_its_end():
    async def train(hparams):
        await asyncio.sleep(0)
        return [hparams["units"]]

    assert adapted(train)(units=8)["Metric"] == 8


def test_it_has_the_name_and_the_source_of_the_function():
    for function in (echo, functools.partial(echo, model=None)):
        train = TrainingFunction(adapted(function))
        assert train == f"{__name__}:echo"
        assert train.name == "echo"
        assert train.source_file is not None
        assert train.source_file.name == "test_named_arguments.py"
    assert inspect.unwrap(adapted(echo)) is echo


def test_it_travels_to_a_worker_with_a_function_that_cannot_be_imported():
    unit = 3

    def train(hparams, model):
        return [hparams["units"] * unit, model]

    function = unpacked(packed(adapted(train, {"model": Model}), by_value=False))
    assert function(units=2)["returned"] == [6, Model]
    assert cloudpickle.loads(cloudpickle.dumps(function))(units=1)["Metric"] == 3
