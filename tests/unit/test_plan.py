from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import TrainingFunction
from hopsml_flows.experiment import Direction
from hopsml_flows.plan.check import prepare
from hopsml_flows.plan.options import CommonOptions, Options
from hopsml_flows.storage import Project


def training(rate, units=1):
    return rate * units


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_grid_is_planned_with_its_size_space_and_domains():
    plan = experiment.grid_search.plan(training, {"rate": [0.1, 0.2], "units": range(3)})
    assert (plan.verb, plan.experiment_type) == ("grid_search", "PARALLEL_EXPERIMENTS")
    assert plan.trials == 6
    assert plan.space == {"rate": [0.1, 0.2], "units": [0, 1, 2]}
    assert list(plan.domains) == ["rate", "units"]
    assert (plan.direction, plan.optimization_key) == (Direction.MAX, "metric")
    assert plan.needs_metric
    assert plan.own_directory


@pytest.mark.parametrize("verb", ["grid_search", "mirrored"])
def test_an_experiment_without_a_name_has_that_of_its_function(verb):
    arguments = () if verb == "mirrored" else ({"rate": [1]},)
    flow, elsewhere = getattr(experiment, verb), {"cluster": "tcp://10.0.0.1:8786"}

    def train_digits(rate=1):
        return rate

    assert flow.plan(train_digits, *arguments, **elsewhere).options.name == "train_digits"
    named = flow.plan(train_digits, *arguments, name="mine", **elsewhere)
    assert named.options.name == "mine"
    for wrong in ("", "  ", 3):
        with pytest.raises(InvalidArgumentError, match="name: must be a string"):
            flow.plan(train_digits, *arguments, name=wrong, **elsewhere)


def test_a_random_search_without_a_seed_draws_one_and_keeps_it():
    bounds = {"rate": [0.1, 0.2]}
    plan = experiment.random_search.plan(training, bounds)
    assert plan.trials == 10
    assert isinstance(plan.options.seed, int)
    assert plan.search().ask() == plan.search().ask()
    other = experiment.random_search.plan(training, bounds)
    assert plan.search().ask() != other.search().ask()


def test_the_same_seed_plans_the_same_search():
    bounds = {"rate": [0.1, 0.2]}
    one, other = (experiment.random_search.plan(training, bounds, seed=3) for _ in range(2))
    assert one.search().ask() == other.search().ask()


def test_a_launch_without_arguments_is_one_trial_in_the_experiments_directory():
    plan = experiment.launch.plan(lambda: 1)
    assert (plan.trials, plan.own_directory, plan.needs_metric) == (1, False, False)
    assert (plan.experiment_type, plan.direction) == ("EXPERIMENT", None)
    assert [proposal.params for proposal in plan.search().ask()] == [{}]


def test_a_launch_with_arguments_is_a_trial_for_each_position():
    plan = experiment.launch.plan(training, {"rate": [1, 2], "units": [5, 3]})
    assert (plan.trials, plan.own_directory) == (2, True)
    assert plan.experiment_type == "PARALLEL_EXPERIMENTS"
    assert [proposal.params for proposal in plan.search().ask()] == [
        {"rate": 1, "units": 5},
        {"rate": 2, "units": 3},
    ]


def test_a_launch_may_repeat_a_value():
    plan = experiment.launch.plan(training, {"rate": [1, 1], "units": [5, 3]})
    assert plan.trials == 2


def test_the_verbs_take_hopsmls_arguments_by_position_and_default():
    assert list(inspect.signature(experiment.launch.fn).parameters)[:6] == [
        "train", "args_dict", "name", "local_logdir", "description", "metric_key",
    ]  # fmt: skip
    assert list(inspect.signature(experiment.grid_search.fn).parameters)[:7] == [
        "train", "grid_dict", "direction", "name", "local_logdir", "description",
        "optimization_key",
    ]  # fmt: skip
    assert list(inspect.signature(experiment.random_search.fn).parameters)[:8] == [
        "train", "boundary_dict", "direction", "samples", "name", "local_logdir", "description",
        "optimization_key",
    ]  # fmt: skip
    assert list(inspect.signature(experiment.differential_evolution.fn).parameters)[:11] == [
        "train", "boundary_dict", "direction", "generations", "population", "mutation", "crossover",
        "name", "local_logdir", "description", "optimization_key",
    ]  # fmt: skip
    evolution = inspect.signature(experiment.differential_evolution.fn).parameters
    assert [evolution[name].default for name in list(evolution)[3:7]] == [4, 6, 0.5, 0.7]
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(experiment.random_search.fn).parameters.items()
    }
    assert (defaults["samples"], defaults["name"], defaults["direction"]) == (
        10, None, Direction.MAX,
    )  # fmt: skip
    assert (defaults["cluster"], defaults["retries"]) == ("auto", 1)


VERBS = ["launch", "grid_search", "random_search", "differential_evolution"]


@pytest.mark.parametrize("verb", VERBS)
def test_everything_beyond_hopsmls_arguments_is_keyword_only(verb):
    parameters = inspect.signature(getattr(experiment, verb).fn).parameters
    for name in ("project", "cluster", "seed", "retries", "tags", "resume"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY


def test_what_prefect_stores_of_a_plan_is_json(tmp_path):
    given = {"grid_dict": {"rate": np.array([0.1, 0.2])}, "project": Project("p"), "tags": ("a",)}
    plan = experiment.grid_search.plan(training, **given)
    changed = plan.parameters(given)
    assert changed["train"] == f"{__name__}:training"
    assert changed["grid_dict"] == {"rate": [0.1, 0.2]}
    assert changed["project"] == str(tmp_path / "p")
    assert changed["tags"] == ["a"]


def test_what_a_record_keeps_of_numpy_arguments_is_json():
    plan = experiment.differential_evolution.plan(
        training, {"rate": [0.0, 1.0], "units": [1, 9]},
        generations=np.int64(2), population=np.int64(4), mutation=np.float32(0.5),
        initial=[{"rate": np.float64(0.5), "units": np.int64(2)}],
    )  # fmt: skip
    settings = json.loads(json.dumps(dict(plan.settings)))
    assert (settings["generations"], settings["population"], settings["mutation"]) == (2, 4, 0.5)
    assert settings["initial"] == [{"rate": 0.5, "units": 2}]


def test_options_are_read_into_their_types(tmp_path):
    given = {
        "project": "p", "cluster": "local", "seed": np.int64(3), "retries": np.int32(0),
        "trial_timeout": np.int8(9), "tags": ["a", "b", "a"],
    }  # fmt: skip
    options = Options.checked(
        CommonOptions, given, train=TrainingFunction(training), name="n", description=None,
        local_logdir=False,
    )  # fmt: skip
    assert options.project.local_root == tmp_path / "p"
    assert options.cluster == ClusterConfig("local")
    assert (options.seed, options.retries, options.tags) == (3, 0, ("a", "b"))
    assert options.trial_timeout == 9.0


def test_making_and_checking_a_plan_leaves_no_trace(tmp_path):
    prepare(experiment.grid_search.plan(training, {"rate": [1]}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "patterns"),
    [(False, ()), (True, ("**",)), ("*.keras", ("*.keras",)), (["a", "./b/", "a"], ("a", "b"))],
)
def test_kept_files_are_patterns(given, patterns):
    plan = experiment.launch.plan(lambda: 1, keep_files=given)
    assert plan.options.keep_files.keep == patterns


SEARCHES = {
    "launch": (experiment.launch, ({"rate": [1]},)),
    "grid_search": (experiment.grid_search, ({"rate": [1]},)),
    "random_search": (experiment.random_search, ({"rate": [0.1, 0.2]},)),
    "differential_evolution": (experiment.differential_evolution, ({"rate": [0.1, 0.2]},)),
}


@pytest.mark.parametrize("verb", SEARCHES)
def test_trials_share_their_workers_process_unless_each_is_to_have_its_own(verb):
    flow, arguments = SEARCHES[verb]
    assert flow.plan(training, *arguments).isolation == "worker"
    assert flow.plan(training, *arguments, isolation="process").isolation == "process"
    for wrong in ("thread", None, 1, ["worker"], np.array(["worker"])):
        with pytest.raises(InvalidArgumentError, match='isolation: must be "worker" or "process"'):
            flow.plan(training, *arguments, isolation=wrong)


def test_trials_of_several_processes_always_have_fresh_ones():
    grid = experiment.grid_search.plan(lambda rate: 1, {"rate": [1]}, processes_per_trial=2)
    assert grid.isolation == "process"
    training = experiment.distributed.plan(lambda: 1, cluster="tcp://10.0.0.1:8786")
    assert training.isolation == "process"


@pytest.mark.parametrize(
    "verb", [*(flow for flow, _ in SEARCHES.values()), experiment.mirrored,
             experiment.parameter_server, experiment.distributed],
)  # fmt: skip
def test_every_verb_can_keep_files(verb):
    assert inspect.signature(verb.fn).parameters["keep_files"].default is False
