from __future__ import annotations

import pickle

import pytest

from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.errors import InvalidClusterError


@pytest.mark.parametrize("kind", ["auto", "local", "cuda"])
def test_a_kind_is_named_by_a_string(kind):
    assert ClusterConfig.parse(kind) == ClusterConfig(kind=kind)


@pytest.mark.parametrize(
    "address",
    ["tcp://host:8786", "tls://10.0.0.1:1", "ws://host:80", "ucx://h:1", "tcp://[::1]:8786"],
)
def test_an_address_is_a_running_scheduler(address):
    config = ClusterConfig.parse(address)
    assert (config.kind, config.address) == ("address", address)


def test_a_config_is_taken_as_it_is_and_a_dict_as_its_fields():
    config = ClusterConfig(n_workers=2, idle_timeout=None)
    assert ClusterConfig.parse(config) is config
    assert ClusterConfig.parse({"n_workers": 2, "idle_timeout": None}) == config


@pytest.mark.parametrize(
    "wrong",
    ["", "Local", "gpu", "address", "host:8786", "tcp://host", "tcp://:8786", "http://host:8786",
     "tcp://host:8786/x", "tcp://ho st:1", "://", None, 5, True, ["local"], b"local",
     {"workers": 2}, {1: 2, "a": 3}, {"kind": "gpu"}, {"address": 5}],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_refused_naming_the_cluster(wrong):
    with pytest.raises(InvalidClusterError, match=r"^cluster"):
        ClusterConfig.parse(wrong)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_workers", 0),
        ("n_workers", -1),
        ("n_workers", 1.5),
        ("n_workers", "2"),
        ("n_workers", True),
        ("idle_timeout", 0),
        ("idle_timeout", -1),
        ("idle_timeout", float("nan")),
        ("idle_timeout", float("inf")),
        ("idle_timeout", "60"),
        ("start_timeout", None),
        ("start_timeout", 0),
        ("start_timeout", True),
        ("options", [("a", 1)]),
        ("options", None),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_value(field, value):
    with pytest.raises(InvalidClusterError, match=rf"^cluster\.{field}: ") as caught:
        ClusterConfig(**{field: value})
    assert repr(value) in str(caught.value)


def test_the_kind_address_needs_one():
    with pytest.raises(
        InvalidClusterError, match=r"^cluster\.address: must be given for kind 'address'"
    ):
        ClusterConfig(kind="address")


def test_a_config_pickles():
    config = ClusterConfig("local", n_workers=3, options={"a": 1})
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize("share", [None, 0, 1, 0.5, 0.25, 1 / 3])
def test_a_trial_gets_a_gpu_a_share_of_one_or_none(share):
    assert ClusterConfig(gpus_per_trial=share).gpus_per_trial == share


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"gpus_per_trial": -1}, "must be 0, or a number from 0.001"),
        ({"gpus_per_trial": float("nan")}, "must be 0, or a number from 0.001"),
        ({"gpus_per_trial": "half"}, "must be 0, or a number from 0.001"),
        ({"gpus_per_trial": True}, "must be 0, or a number from 0.001"),
        ({"gpus_per_trial": 0.4}, "1 divided by a whole number"),
        ({"gpus_per_trial": 2}, "1 divided by a whole number"),
        ({"kind": "cuda", "gpus_per_trial": 0}, "must be above 0"),
    ],
)
def test_other_shares_are_refused(fields, allowed):
    with pytest.raises(InvalidClusterError, match=allowed) as caught:
        ClusterConfig(**fields)
    assert caught.value.argument == "cluster.gpus_per_trial"


def test_a_running_scheduler_may_have_workers_with_several_gpus():
    config = ClusterConfig(address="tcp://host:8786", gpus_per_trial=2)
    assert config.gpus_per_trial == 2
