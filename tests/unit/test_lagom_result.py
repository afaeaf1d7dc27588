"""The result of ``lagom``: Maggy's dict, and this package's result."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

from hopsml_flows.maggy.lagom_result import LagomListResult, LagomResult, LagomTrainingResult
from hopsml_flows.search import Direction
from hopsml_flows.trials import ExperimentResult, Failure, State, TrialResult

KEYS = {
    *("best_id", "best_val", "best_config", "best_hp"),
    *("worst_id", "worst_val", "worst_config", "worst_hp"),
    *("avg", "metric_list", "num_trials", "early_stopped"),
}


def trial(number, metric, state=State.FINISHED, ended=0.0):
    params = {"param1": 5, "param2": "ada"} if number == 1 else {"x": number}
    return TrialResult(number, f"{number:04d}", params, state, metric, {"m": metric}, ended=ended)


FAILED = TrialResult(9, "0009", {"x": 9}, State.FAILED, failure=Failure("ValueError", "no"))


def result(*trials, direction=Direction.MAX):
    measured = [one for one in trials if one.metric is not None]
    best = min(measured, key=lambda one: direction.loss(one.metric), default=None)
    return LagomResult(
        "id-1", "lagom", "/p/id-1", State.FINISHED, direction, best, trials, 3.0, "run", "m"
    )


def test_it_has_maggys_keys():
    found = result(trial(1, 0.75, ended=2), trial(2, 0.25, State.STOPPED, ended=1), FAILED)
    assert isinstance(found, dict)
    assert set(found) == KEYS
    assert found["best_id"] == "3d1cc9fdb1d4d001"
    assert found["best_val"] == 0.75
    assert found["best_config"] == found["best_hp"] == {"param1": 5, "param2": "ada"}
    assert found["worst_val"] == 0.25
    assert found["worst_config"] == found["worst_hp"] == {"x": 2}
    assert len(found["worst_id"]) == 16
    assert found["avg"] == 0.5
    assert found["metric_list"] == [0.25, 0.75]  # in the order in which they ended
    assert found["num_trials"] == 2
    assert found["early_stopped"] == 1
    json.dumps(found)


def test_a_budget_is_a_hyperparameter_as_each_release_calls_it():
    small = dataclasses.replace(trial(1, 0.25), budget=1)
    large = dataclasses.replace(trial(1, 0.75), budget=4)
    found = result(small, large)
    assert found["best_config"] == {"param1": 5, "param2": "ada", "budget": 4}
    assert found["best_hp"] == {"param1": 5, "param2": "ada", "resource": 4}
    assert found["worst_config"]["budget"] == found["worst_hp"]["resource"] == 1
    assert found["best_id"] != found["worst_id"]
    assert found.best_params == {"param1": 5, "param2": "ada"}


def test_the_smaller_is_the_better_where_that_is_so():
    found = result(trial(1, 0.75), trial(2, 0.25), direction=Direction.MIN)
    assert (found["best_val"], found["worst_val"]) == (0.25, 0.75)


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -1.0])
def test_a_metric_of_zero_is_a_metric(value):
    found = result(trial(1, value), trial(2, value))
    assert (found["best_val"], found["worst_val"], found["avg"]) == (value, value, value)
    assert found["metric_list"] == [value, value]
    assert found.best_metric == value


def test_it_is_the_packages_result():
    found = result(trial(1, 0.75), FAILED)
    assert isinstance(found, ExperimentResult)
    assert found.best_params == {"param1": 5, "param2": "ada"}
    assert found.failed == (FAILED,)
    assert repr(found).startswith("<LagomResult id-1: FINISHED, best m 0.75 (trial 1), 2 trials, 1")
    assert "<table>" in found._repr_html_()


def test_without_a_metric_its_values_are_none():
    found = result(FAILED)
    assert set(found) == KEYS
    assert found["best_id"] is found["worst_config"] is found["avg"] is None
    assert (found["metric_list"], found["num_trials"], found["early_stopped"]) == ([], 0, 0)
    assert found  # no empty dict


@pytest.mark.parametrize(
    "again",
    [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy, dataclasses.replace],
)
def test_it_can_be_pickled_and_copied(again):
    found = result(trial(1, 0.75), FAILED)
    same = again(found)
    assert type(same) is LagomResult
    assert dict(same) == dict(found)
    assert same == found
    assert same.trials == found.trials


def test_it_equals_the_dict_that_it_is():
    found = result(trial(1, 0.75))
    assert found == dict(found)
    assert found != {}


def test_a_training_has_one_metric():
    one = trial(1, 0.0)
    found = LagomTrainingResult(
        "id-1", "lagom", "/p/id-1", State.FINISHED, None, one, (one,), 3.0, None, "Metric"
    )
    assert found == {"test result": 0.0}
    assert found.outputs == {"m": 0.0}
    assert dict(pickle.loads(pickle.dumps(found))) == found
    assert repr(found).startswith("<LagomTrainingResult id-1")


def test_a_training_with_tensorflow_is_a_list():
    one = trial(1, 0.0)
    found = LagomListResult(
        "id-1", "lagom", "/p/id-1", State.FINISHED, None, one, (one,), 3.0, None, "Metric"
    )
    assert found == [0.0]
    assert (found[0], found[-1], found["test result"], len(found)) == (0.0, 0.0, 0.0, 1)
    assert found.outputs == {"m": 0.0}
    assert repr(found).startswith("<LagomListResult id-1")
    for same in (pickle.loads(pickle.dumps(found)), copy.copy(found), dataclasses.replace(found)):
        assert type(same) is LagomListResult
        assert list(same) == [0.0]
        assert same.trials == (one,)


def test_a_training_without_a_metric_is_an_empty_list():
    found = LagomListResult(
        "id-1", "lagom", "/p/id-1", State.FAILED, None, None, (FAILED,), 3.0, None, "Metric"
    )
    assert found == []
    assert found["test result"] is None
    assert found.failed == (FAILED,)
