"""Maggy's trial, with the identifier that Maggy gives it."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from hopsml_flows.errors import DamagedFileError, InvalidArgumentError
from hopsml_flows.maggy.trial import trial_id
from hopsml_flows.trial import Trial


def test_a_trial_has_the_identifier_that_maggy_gives_it():
    trial = Trial({"param1": 5, "param2": "ada"})
    assert trial.trial_id == "3d1cc9fdb1d4d001"
    assert Trial({"param2": "ada", "param1": 5}).trial_id == "3d1cc9fdb1d4d001"
    assert trial.params == {"param1": 5, "param2": "ada"}
    assert trial.status == Trial.PENDING
    assert trial_id({}) == "99914b932bd37a50"


def test_numbers_of_numpy_are_numbers():
    assert trial_id({"units": np.int64(5)}) == trial_id({"units": 5})


@pytest.mark.parametrize("params", [None, 5, [("a", 1)]])
def test_hyperparameters_are_a_dict(params):
    with pytest.raises(ValueError, match="params: must be a dict of hyperparameters"):
        Trial(params)


def test_hyperparameters_are_named_by_strings():
    with pytest.raises(InvalidArgumentError, match="must name hyperparameters by strings"):
        Trial({5: 1})


def test_a_step_counts_once():
    trial = Trial({})
    steps = [(0, 0.5), (1, 0.25), (1, 0.75), (2, None), (2, 1.0)]
    taken = [trial.append_metric({"step": step, "value": value}) for step, value in steps]
    assert taken == [0, 1, None, None, 2]
    assert trial.metric_history == [0.5, 0.25, 1.0]
    assert trial.step_history == [0, 1, 2]
    assert trial.metric_dict == {0: 0.5, 1: 0.25, 2: 1.0}


def test_it_can_be_marked_as_one_to_stop():
    trial = Trial({})
    assert not trial.get_early_stop()
    trial.set_early_stop()
    assert trial.get_early_stop()
    with trial.lock:
        assert trial.early_stop


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t)), lambda t: t]
)
def test_it_comes_back_from_json(again):
    trial = Trial({"param1": 5, "param2": "ada"}, info_dict={"sample_type": "random"})
    trial.append_metric({"step": 3, "value": 0.5})
    trial.final_metric, trial.status = 0.5, Trial.FINALIZED
    read = Trial.from_json(again(trial).to_json())
    assert isinstance(read, Trial)
    assert read.to_dict() == trial.to_dict()
    assert read.metric_dict == {3: 0.5}
    assert json.loads(trial.to_json())["__class__"] == "Trial"


def test_other_json_is_no_trial():
    for text in ("{}", '{"__class__": "Other"}', "[]"):
        with pytest.raises(DamagedFileError, match="is not a Trial object"):
            Trial.from_json(text)
