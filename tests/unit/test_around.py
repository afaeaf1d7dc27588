from __future__ import annotations

import inspect

import pytest

from hopsml_flows.ablation import around_winner
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Categorical, Float, Int, SearchSpace


def train(lr=0.1, units=32, activation="relu", dropout=0.5, batch=64):
    return lr


def bare(**hyperparameters):
    return 0.0


def around(space, winner, *, function=train, of="digits:train", name="digits:train"):
    described = SearchSpace(space).describe() if isinstance(space, dict) else space
    record = {"id": "digits-7", "train": of, "search_space": described}
    return around_winner(record, winner, inspect.signature(function), function=name)


def only(space, winner, **options):
    (arm,) = around({"lr": space}, {"lr": winner}, **options).arms
    return arm


def test_each_hyperparameter_is_set_back_in_turn_and_the_others_are_kept():
    space = {"lr": Float(1e-4, 1.0, log=True), "units": Int(8, 64), "activation": ["relu", "tanh"]}
    winner = {"lr": 0.02, "units": 50, "activation": "tanh"}
    found = around(space, winner)
    assert found.params() == winner
    assert [found.params(arm) for arm in found.arms] == [
        {"lr": 0.1, "units": 50, "activation": "tanh"},
        {"lr": 0.02, "units": 32, "activation": "tanh"},
        {"lr": 0.02, "units": 50, "activation": "relu"},
    ]
    assert all(arm.is_default for arm in found.arms)
    assert (found.experiment, found.unchanged) == ("digits-7", ())


@pytest.mark.parametrize(
    ("domain", "winner", "middle"),
    [
        (Float(0.0, 1.0), 0.3, 0.5),
        (Float(-1e308, 0.7e308), 0.0, -0.15e308),
        (Float(1e-4, 1e-2, log=True), 0.007, 1e-3),
        (Int(8, 64), 50, 36),
        (Int(1, 10), 9, 5),
        (Int(1, 1024, log=True), 900, 32),
        (Int(-5, 4), 4, -1),
        (Categorical([128, 16, 32, 64]), 128, 32),
        (Categorical([128, 16, 32, 64]), 32, 64),
        (Categorical(["adam", "sgd", "adagrad"]), "sgd", "adam"),
        (Categorical(["adam", "sgd", "adagrad"]), "adam", "sgd"),
        (Categorical([True, False]), True, False),
    ],
)
def test_without_a_default_the_middle_of_the_range_is_taken(domain, winner, middle):
    arm = only(domain, winner, function=bare)
    assert arm.value == pytest.approx(middle) if isinstance(middle, float) else middle == arm.value
    assert type(arm.value) is type(middle)
    assert not arm.is_default


def test_a_winner_that_has_the_default_is_moved_to_the_middle():
    arm = only(Float(0.0, 1.0), 0.1)
    assert (arm.name, arm.is_default) == ("lr=0.5 (middle)", False)


def test_a_default_that_no_file_can_hold_is_passed_over():
    def of_object(lr=print):
        return lr

    arm = only(Float(0.0, 1.0), 0.1, function=of_object)
    assert (arm.name, arm.value) == ("lr=0.5 (middle)", 0.5)


def test_hyperparameters_without_another_value_have_no_arm():
    space = {"lr": Float(0.0, 0.2), "units": Int(5, 5), "dropout": Float(0.0, 1.0)}
    found = around(space, {"lr": 0.1, "units": 5, "dropout": 0.2})
    assert [arm.parameter for arm in found.arms] == ["dropout"]
    assert found.unchanged == ("lr", "units")


def test_the_value_lists_of_a_grid_are_choices():
    found = around_winner(
        {"id": "g", "train": "m:train", "search_space": {"batch": [16, 64, 16], "units": [8]}},
        {"batch": 16, "units": 8},
        inspect.signature(train),
        function="m:train",
    )
    assert [arm.name for arm in found.arms] == ["batch=64 (default)"]
    assert found.unchanged == ("units",)


def test_a_script_may_be_named_from_another_directory():
    assert around({"lr": [0.0, 1.0]}, {"lr": 0.7}, of="jobs/digits.py:train", name="digits:train")
    assert around(
        {"lr": [0.0, 1.0]}, {"lr": 0.7}, of="jobs/digits.py:train", name="digits.py:train"
    )


def message_of(*args, **options):
    with pytest.raises(InvalidArgumentError) as caught:
        around(*args, **options)
    return str(caught.value)


def test_a_search_of_another_function_is_an_error():
    assert message_of({"lr": [0.0, 1.0]}, {"lr": 0.7}, name="digits:evaluate") == (
        "around: 'digits-7' cannot be used, because it is an experiment of digits:train, "
        "not of digits:evaluate"
    )


def test_a_search_without_a_winner_is_an_error():
    assert "it has no best trial" in message_of({"lr": [0.0, 1.0]}, None)


def test_an_experiment_that_searched_nothing_is_an_error():
    assert "it searched no hyperparameters" in message_of([], {})
    study = {"ablated_feature": ["None", "age"], "ablated_layer": ["None"]}
    winner = dict.fromkeys(study, "None")
    assert "because it is an ablation study" in message_of(study, winner)


def test_a_hyperparameter_that_the_function_lost_is_an_error():
    message = message_of({"rate": [0.0, 1.0]}, {"rate": 0.7})
    assert "the function has no argument rate any more" in message


def test_a_winner_without_a_value_is_an_error():
    assert "has no value of units" in message_of({"lr": [0.0, 1.0], "units": [1, 9]}, {"lr": 0.7})


def test_a_search_space_that_cannot_be_read_is_an_error():
    record = {"id": "x", "train": "m:train", "search_space": {"lr": {"type": "floot"}}}
    with pytest.raises(InvalidArgumentError, match="the search space of its record cannot be read"):
        around_winner(record, {"lr": 1.0}, inspect.signature(train), function="m:train")


def test_a_search_in_which_nothing_can_be_set_back_is_an_error():
    assert "the only value that it can have" in message_of({"units": Int(5, 5)}, {"units": 5})
