from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.errors import InvalidArgumentError, InvalidClusterError, SignatureMismatchError
from hopsml_flows.plan import group_options
from hopsml_flows.plan.group_options import checked_group, group_of_search
from hopsml_flows.trials import Framework

LOCAL = ClusterConfig(kind="local")
RUNNING = ClusterConfig(address="tcp://127.0.0.1:1")


def group(framework, cluster=LOCAL, **arguments):
    given = {"num_workers": None, "wait_for_workers": None, "environment": {}, **arguments}
    if framework is Framework.PARAMETER_SERVER:
        given.setdefault("num_ps", 1)
    return checked_group(framework, cluster, **given)


@pytest.mark.parametrize(
    ("framework", "cluster", "workers"),
    [
        (Framework.MIRRORED, LOCAL, 1),
        (Framework.PARAMETER_SERVER, LOCAL, 2),
        (Framework.TORCH, LOCAL, 2),
        (Framework.MIRRORED, ClusterConfig(kind="local", n_workers=3), 3),
        (Framework.PARAMETER_SERVER, ClusterConfig(kind="local", n_workers=5), 3),
    ],
)
def test_without_a_number_there_are_as_many_workers_as_usual_or_as_fit(framework, cluster, workers):
    assert group(framework, cluster).shape.workers == workers


def test_a_running_cluster_is_filled():
    options = group(Framework.PARAMETER_SERVER, RUNNING, num_ps=2, evaluator=True)
    assert options.fills_cluster
    assert options.filling(7).shape.workers == 3
    with pytest.raises(InvalidClusterError, match=r"at least 5 workers \(1 chief, 1 worker, 2 ps"):
        options.filling(4)
    assert not group(Framework.MIRRORED, RUNNING, num_workers=2).fills_cluster


def test_gpus_make_one_mirrored_process_or_one_torch_process_each(monkeypatch):
    monkeypatch.setattr(group_options, "visible_gpus", lambda: ["0", "1", "2"])
    auto = ClusterConfig()
    assert group(Framework.MIRRORED, auto).shape.workers == 1
    assert group(Framework.TORCH, auto).shape.workers == 3
    assert group(Framework.TORCH, auto).use_gpus
    for without in (LOCAL, ClusterConfig(gpus_per_trial=0)):
        assert not group(Framework.TORCH, without).use_gpus
        assert group(Framework.TORCH, without).shape.workers == 2


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("num_workers", 0),
        ("num_workers", 1.5),
        ("num_workers", True),
        ("num_workers", 10**8),
        ("num_ps", 0),
        ("num_ps", "one"),
        ("evaluator", 1),
        ("wait_for_workers", -1),
        ("wait_for_workers", float("nan")),
        ("wait_for_workers", "long"),
        ("environment", {"A": 1}),
        ("environment", {"A=B": "1"}),
        ("environment", {"A": "1\0"}),
        ("environment", {"A\0": "1"}),
        ("environment", ["A=1"]),
    ],
)
def test_a_wrong_argument_is_named(argument, value):
    with pytest.raises(InvalidArgumentError, match=f"^{argument}:"):
        experiment.parameter_server.plan(lambda: 1, cluster="local", **{argument: value})


def test_fewer_workers_than_processes_are_refused_before_anything_starts(tmp_path):
    with pytest.raises(
        InvalidClusterError, match=r"n_workers: must be at least 5, one per process"
    ):
        experiment.parameter_server(
            lambda: 1,
            num_workers=2,
            evaluator=True,
            project=str(tmp_path / "project"),
            cluster=ClusterConfig(kind="local", n_workers=4),
        )
    with pytest.raises(InvalidClusterError, match="at least 3"):
        group_of_search(ClusterConfig(n_workers=2), 3)
    assert not (tmp_path / "project").exists()


def test_a_training_function_with_arguments_is_refused():
    with pytest.raises(SignatureMismatchError, match="missing: rate"):
        experiment.mirrored(lambda rate: rate)


def test_a_trial_of_one_process_is_no_group():
    assert group_of_search(LOCAL, 1) is None
    with pytest.raises(InvalidArgumentError, match=r"^processes_per_trial:"):
        experiment.grid_search.plan(lambda x: x, {"x": [1]}, processes_per_trial=0)


def test_a_framework_that_is_missing_is_said_before_anything_starts(monkeypatch):
    from hopsml_flows.errors import MissingPackageError
    from hopsml_flows.execution.group import guard

    monkeypatch.setattr(guard, "lacks", lambda package: True)
    with pytest.raises(MissingPackageError, match=r"mirrored needs tensorflow.*pip install"):
        experiment.mirrored(lambda: 1)
    with pytest.raises(MissingPackageError, match="distributed needs torch"):
        experiment.distributed(lambda: 1)
