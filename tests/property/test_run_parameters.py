"""What a flow run stores as its parameters can be run again, as it is, for the same experiment."""

from __future__ import annotations

import inspect
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.utilities.callables import get_call_parameters
from prefect.utilities.schema_tools.validation import validate

from hopsml_flows import experiment
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.search import Categorical, Float, Int
from hopsml_flows.storage import Project
from hopsml_flows.values.plain import json_value


def training(rate, units=1, layers=None):
    return rate


def anything(**hyperparameters):
    return 0


def stored_by(verb, *args, **kwargs):
    """The plan of a call in Python, and the parameters that Prefect's server has of its run."""
    bound = inspect.signature(verb.fn).bind(*args, **kwargs)
    plan = verb.plan(*args, **kwargs)
    called = get_call_parameters(verb.fn, (), plan.parameters(bound.arguments))
    return plan, json.loads(json.dumps(verb.serialize_parameters(called), allow_nan=False))


def as_browsers_have_it(value):
    """JSON that a form sends back: JavaScript writes 1.0 as 1."""
    if isinstance(value, float) and value == math.floor(value) and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: as_browsers_have_it(inner) for name, inner in value.items()}
    return [as_browsers_have_it(inner) for inner in value] if isinstance(value, list) else value


def plan_again(verb, parameters):
    """The plan that a deployment's run makes of parameters that its form let through."""
    assert validate(parameters, verb.parameters.model_dump_for_openapi()) == []
    return verb.plan(**verb.validate_parameters(parameters))


def same(plan):
    """All that an experiment depends on, as JSON."""
    search = plan.make_search(5)
    options = plan.options
    return json_value(
        "plan",
        {
            "verb": plan.verb,
            "train": str(plan.train),
            "project": options.project.url,
            "cluster": options.cluster.as_dict(),
            "options": [
                options.name, options.description, options.local_logdir, options.retries,
                options.trial_timeout, options.tags, options.resume, options.sync_interval,
                options.seed_is_drawn or options.seed, options.tensorboard,
                options.keep_files.keep, options.isolation,
            ],
            "direction": plan.direction,
            "key": plan.optimization_key,
            "space": plan.space,
            "settings": plan.settings,
            "proposals": [proposal.params for proposal in search.ask(5)],
        },
    )  # fmt: skip


CALLS = {
    "launch": (experiment.launch, [], {}),
    "launch with arguments": (
        experiment.launch,
        [{"rate": np.linspace(0, 1, 3), "units": range(3), "layers": ((1, 2), [3], None)}],
        {"metric_key": "m", "tags": {"a"}, "cluster": ClusterConfig("local", n_workers=2),
         "tensorboard": True, "keep_files": ("*.keras", "checkpoints/**")},
    ),
    "grid": (
        experiment.grid_search,
        [{"rate": (0.1, np.float32(0.5)), "units": np.array([1, 2])}, "min"],
        {"retries": np.int64(2), "trial_timeout": 9, "cluster": {"kind": "local"}, "seed": 3,
         "keep_files": True, "isolation": "process"},
    ),
    "random": (
        experiment.random_search,
        [{"rate": Float(1e-3, 1, log=True), "units": [1, 16], "layers": ["a", "b"]}],
        {"samples": np.int32(7), "cluster": "tcp://10.0.0.1:8786", "seed": np.uint8(4),
         "keep_files": "*.h5", "isolation": "worker"},
    ),
    "evolution": (
        experiment.differential_evolution,
        [{"rate": (0.0, 2.0), "units": Int(1, 8), "layers": Categorical([(64, 32), None, 1.5])}],
        {
            "direction": experiment.Direction.MIN,
            "population": np.int64(5), "mutation": np.float64(0.75), "strategy": "rand1bin",
            "initial": ({"rate": np.float64(0.5), "units": np.int64(2), "layers": None},),
            "cluster": ClusterConfig(kind="slurm", n_workers=3, memory_limit=None,
                                     options={"queue": "gpu", "cores": 1}),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", [lambda stored: stored, as_browsers_have_it], ids=["json", "form"])
@pytest.mark.parametrize("call", CALLS)
def test_a_run_from_python_can_be_run_again_from_its_parameters(call, form, tmp_path):
    verb, arguments, options = CALLS[call]
    train = training if arguments else anything
    plan, stored = stored_by(verb, train, *arguments, project=Project(tmp_path), **options)
    assert stored["train"] == f"{__name__}:{train.__name__}"
    assert same(plan_again(verb, form(stored))) == same(plan)


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
whole = st.integers(-(2**40), 2**40)
scalars = st.one_of(finite, whole, st.booleans(), st.text(max_size=5), st.none())
values = st.one_of(scalars, st.lists(scalars, max_size=2))


def pairs(numbers):
    return st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1])


choices = st.lists(values, min_size=2, max_size=4, unique_by=lambda value: repr(value))
domains = st.one_of(
    pairs(finite).map(list),
    pairs(finite).map(np.array),
    pairs(whole),
    pairs(finite).map(lambda pair: Float(*pair)),
    pairs(st.integers(1, 99)).map(lambda pair: Int(*pair, log=True)),
    choices.map(Categorical),
    st.lists(st.text(max_size=3), min_size=2, unique=True),
)
names = st.text("abc_xyz", min_size=1, max_size=4)


@given(space=st.dictionaries(names, domains, min_size=1, max_size=4), browser=st.booleans())
def test_any_bounds_come_back_from_a_form_as_they_were(space, browser):
    plan, stored = stored_by(experiment.random_search, anything, space, project="p", samples=3)
    form = as_browsers_have_it(stored) if browser else stored
    again = plan_again(experiment.random_search, form)
    assert list(again.space) == list(plan.space)
    numbers = {"float", "int"}
    for name, domain in plan.domains.items():
        described = domain.describe()
        if described["type"] in numbers:
            assert again.domains[name] == domain
        assert json_value(name, again.space[name]) == json_value(name, described)


@settings(max_examples=30)
@given(
    grid=st.dictionaries(names, st.lists(values, min_size=1, max_size=3), min_size=1, max_size=3)
)
def test_any_grid_comes_back_as_it_was(grid):
    plan, stored = stored_by(experiment.grid_search, anything, grid, project="p")
    assert same(plan_again(experiment.grid_search, stored)) == same(plan)
