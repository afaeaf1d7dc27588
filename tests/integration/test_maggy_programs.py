"""Programs in the shape of Maggy's published ones, and what ``lagom`` gives for each."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hopsml_flows import Searchspace, experiment
from hopsml_flows.earlystop import AbstractEarlyStop
from hopsml_flows.experiment import LagomResult
from hopsml_flows.experiment_config import OptimizationConfig
from hopsml_flows.optimizer import AbstractOptimizer, Asha
from hopsml_flows.service.replay import replay
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trial import Trial
from hopsml_flows.trials import State
from tests.documents import ROOT

PROGRAMS = ROOT / "examples" / "maggy"

RUNNER = """
import json, runpy, sys, warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("default")
    result = runpy.run_path(sys.argv[1], run_name="__main__")["result"]
told = {
    "given": dict(result) if isinstance(result, dict) else list(result),
    "trials": [
        {"params": t.params, "metric": t.metric, "state": t.state.value, "outputs": t.outputs,
         "log": f"{result.path}/{t.directory}/output.log"}
        for t in result.trials
    ],
    "path": result.path,
    "function": result.function,
    "best": result.best_params,
    "warned": [str(one.message) for one in caught if one.category.__name__ == "HopsmlWarning"],
}
json.dump(told, open(sys.argv[2], "w"))
"""


@pytest.fixture
def run_program(prefect_server, tmp_path):
    """Run a program as a script; returns what it printed, and what its result says."""

    def run(name):
        told = tmp_path / "told.json"
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, str(PROGRAMS / name), str(told)],
            cwd=tmp_path,
            env={
                **os.environ,
                "PREFECT_API_URL": prefect_server,
                "HOPSML_PROJECT": str(tmp_path / "project"),
                "HOPSML_TENSORBOARD": "false",
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, json.loads(told.read_text())

    return run


def check_search(told, num_trials, *, worse=min, better=max):
    """Check what is so of every search in which no trial was stopped or failed."""
    given, trials = told["given"], told["trials"]
    metrics = [trial["metric"] for trial in trials]
    assert told["function"] == "lagom"
    assert len(trials) == given["num_trials"] == num_trials
    assert sorted(given["metric_list"]) == sorted(metrics)
    assert given["avg"] == pytest.approx(sum(metrics) / num_trials)
    assert (given["best_val"], given["worst_val"]) == (better(metrics), worse(metrics))
    assert {"params": given["best_config"], "metric": given["best_val"]} in [
        {name: trial[name] for name in ("params", "metric")} for trial in trials
    ]
    assert given["best_config"] == given["best_hp"] == told["best"]
    assert given["worst_config"] == given["worst_hp"]
    assert given["early_stopped"] == 0
    assert {trial["state"] for trial in trials} == {"FINISHED"}


def test_configurations_of_1_0_in_the_program_for_iris(run_program):
    printed, told = run_program("iris.py")
    check_search(told, 4)
    best = told["given"]["best_config"]
    assert 2 <= best["number_layers"] <= 4
    assert 0.001 <= best["learning_rate"] <= 0.01
    assert f"{best['number_layers']} layers, learning rate {best['learning_rate']}\n" in printed
    assert told["warned"] == []


def test_hyperparameters_as_a_dict_in_the_test_of_1_1(run_program):
    _, told = run_program("randomsearch.py")
    check_search(told, 5)
    for trial in told["trials"]:
        expected = trial["params"]["argument_param"] + trial["params"]["param2"] + 1.9
        assert trial["metric"] == pytest.approx(expected)
        assert trial["outputs"]["Metric"] == trial["outputs"]["accuracy"] == trial["metric"]


def test_the_churn_program_reads_a_table_of_the_project(run_program, tmp_path):
    printed, told = run_program("churn.py")
    check_search(told, 6)
    assert f"the table is {tmp_path}/project/Resources/churn.csv\n" in printed
    assert {trial["params"]["estimators"] for trial in told["trials"]} <= {5, 20, 40}
    assert told["given"]["best_val"] > 0.8


@pytest.mark.slow
def test_launch_of_0_1_searches(run_program):
    _, told = run_program("mnist_launch.py")
    check_search(told, 6)
    first, second = told["warned"]
    assert first.startswith("es_interval=300 of Maggy 0.1 is in seconds, and has no effect")
    assert second.startswith("hb_interval=5 of experiment.lagom has no effect")
    for trial in told["trials"]:
        printed = Path(trial["log"]).read_text()
        assert f"accuracy: {trial['metric']}" in printed


@pytest.mark.slow
def test_arguments_by_name_and_records_of_the_project(run_program):
    _, told = run_program("fashion_mnist.py")
    check_search(told, 4)
    for trial in told["trials"]:
        log = Path(trial["log"])
        assert "loss " in log.read_text()
        assert list(log.parent.rglob("events.out.tfevents*"))


@pytest.mark.slow
def test_a_space_that_grows_and_a_grid(run_program):
    printed, told = run_program("extremeearth.py")
    check_search(told, 4)
    assert "units DISCRETE [8, 16]\nactivation CATEGORICAL ['relu', 'tanh']\n" in printed
    assert sorted(tuple(trial["params"].values()) for trial in told["trials"]) == [
        (8, "relu"),
        (8, "tanh"),
        (16, "relu"),
        (16, "tanh"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("mnist_tf_dist.py", 0.3), ("iris_tf_dist.py", 0.0)])
def test_tensorflow_trains_in_all_processes(run_program, name, least):
    printed, told = run_program(name)
    (trial,) = told["trials"]
    assert told["function"] == "lagom"
    assert told["given"] == [trial["metric"]]
    assert trial["metric"] > least
    assert f"{trial['metric']}\n" in printed
    logs = {log.name for log in Path(told["path"]).glob("*_output.log")}
    assert logs == {"chief_0_output.log", "worker_0_output.log"}


class InTurn(AbstractOptimizer):
    """Suggests two good trials, then bad ones."""

    def initialize(self):
        self.qualities = [2.0, 2.0, 0.5, 0.25]

    def get_suggestion(self, trial=None):
        if not self.qualities:
            return None
        return Trial({"units": self.searchspace.units[0], "quality": self.qualities.pop(0)})

    def finalize_experiment(self, trials):
        assert len(trials) == 4


class Hopeless(AbstractEarlyStop):
    """Stops trials of a low quality."""

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        assert (direction, finalized_trials[0].status) == ("max", "FINALIZED")
        return to_check.trial_id if to_check.params["quality"] < 1 else None


def of_quality(units, quality, reporter):
    import time

    for _ in range(2 if quality > 1 else 2000):
        reporter.broadcast(metric=quality)
        time.sleep(0.02)
    return {"accuracy": quality + units}


def test_an_own_optimizer_and_an_own_rule(options, project):
    result = experiment.lagom(
        of_quality,
        searchspace=Searchspace(units=("DISCRETE", [8, 16])),
        optimizer=InTurn,
        num_trials=4,
        direction="max",
        name="own",
        optimization_key="accuracy",
        es_policy=Hopeless,
        es_min=0,
        **options,
    )
    assert isinstance(result, LagomResult)
    assert [trial.state for trial in result.trials] == [State.FINISHED] * 2 + [State.STOPPED] * 2
    # The last report of a stopped trial is its metric.
    assert [trial.metric for trial in result.trials] == [10.0, 10.0, 0.5, 0.25]
    assert sorted(result["metric_list"]) == [0.25, 0.5, 10.0, 10.0]
    assert (result["best_val"], result["worst_val"], result["avg"]) == (10.0, 0.25, 5.1875)
    assert result["best_hp"] == {"units": 8, "quality": 2.0}
    assert result["worst_config"] == {"units": 8, "quality": 0.25}
    assert (result["num_trials"], result["early_stopped"]) == (4, 2)
    again = replay(Project(str(project)), ExperimentPaths(result.id))
    assert (again.proposals, again.stops, list(again.mismatches)) == (4, 2, [])


def test_a_search_goes_on_with_resume(options):
    def train(kernel, reporter):
        reporter.broadcast(metric=kernel)
        return kernel

    def search(**more):
        space = Searchspace(kernel=("INTEGER", [2, 8]))
        config = OptimizationConfig(4, "randomsearch", space, direction="min", name="again")
        return experiment.lagom(train, config, **options, **more)

    result = search(seed=3)
    again = search(resume=result.id)
    assert again.id == result.id
    assert dict(again) == dict(result)
    assert result["best_val"] == result["best_config"]["kernel"] == min(result["metric_list"])


def test_asha_gives_trials_their_budgets_as_resource(options):
    def train(kernel, resource, reporter):
        reporter.broadcast(metric=kernel * resource, step=resource)
        return {"metric": kernel * resource, "resource": resource}

    result = experiment.lagom(
        train_fn=train,
        searchspace=Searchspace(kernel=("INTEGER", [2, 80])),
        optimizer=Asha(reduction_factor=2, resource_min=1, resource_max=4),
        num_trials=12,
        name="asha",
        seed=2,
        **options,
    )
    resources = [trial.outputs["resource"] for trial in result.trials]
    assert len(resources) == result["num_trials"] == 12
    assert resources[:2] == [1, 1]
    assert set(resources) == {1, 2, 4}
    for trial in result.trials:
        assert trial.metric == trial.params["kernel"] * trial.outputs["resource"]
    spent = result.best.outputs["resource"]
    assert result["best_hp"] == {"kernel": result.best.params["kernel"], "resource": spent}
    assert result["best_config"] == {"kernel": result.best.params["kernel"], "budget": spent}
    assert result["best_val"] == max(trial.metric for trial in result.trials)


def test_without_hyperparameters(options):
    def train_fn():
        return {"accuracy": 0.0}

    once = experiment.lagom(train_fn=train_fn, name="MNIST", optimization_key="accuracy", **options)
    assert (once["best_val"], once["best_config"], once["num_trials"]) == (0.0, {}, 1)
    thrice = experiment.lagom(
        lambda: 0, optimizer="none", searchspace=Searchspace(), num_trials=3, **options
    )
    assert thrice["metric_list"] == [0, 0, 0]  # a metric of 0 is one
    assert (thrice["best_config"], thrice["avg"]) == ({}, 0)


needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not among the dependencies"
)


@pytest.mark.torch
@needs_torch
def test_less_is_better_in_the_program_for_pytorch(run_program):
    _, told = run_program("pytorch_mnist.py")
    check_search(told, 4, better=min, worse=max)


@pytest.mark.torch
@needs_torch
def test_pytorch_trains_in_all_processes(run_program):
    _, told = run_program("torch_dist.py")
    assert told["given"] == {"test result": told["trials"][0]["metric"]}
    assert told["given"]["test result"] < 0.1
