"""Verbs as Prefect deployments: where workers find them, and what their run forms let through."""

from __future__ import annotations

import asyncio
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from hopsml_flows import experiment
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.earlystop import MedianStop
from hopsml_flows.errors import (
    FunctionNotFoundError,
    InvalidArgumentError,
    InvalidProjectError,
    InvalidSpaceError,
)
from hopsml_flows.execution import TrainingFunction
from hopsml_flows.search import BaseSearch, Categorical, Float

VERBS = [name for name in experiment.__all__ if isinstance(getattr(experiment, name), Flow)]


def training(rate, units=1):
    return rate * units


def problems(verb, **parameters):
    """What the server says of parameters that a form sends."""
    schema = getattr(experiment, verb).parameters.model_dump_for_openapi()
    return [error.message for error in validate({"train": "m:f", **parameters}, schema)]


@pytest.mark.parametrize("name", VERBS)
def test_a_deployment_names_the_verb_by_its_module(name):
    verb = getattr(experiment, name)
    deployment = verb.to_deployment("mine", cron="0 2 * * *", tags=["nightly"])
    assert deployment.entrypoint == f"hopsml_flows.experiment.{name}"
    assert load_flow_from_entrypoint(deployment.entrypoint) is verb
    assert deployment.flow_name == name.replace("_", "-")
    assert parameter_schema(verb) == verb.parameters  # `prefect deploy` makes its own
    renamed = verb.with_options(name="renamed").to_deployment("mine")
    assert (renamed.entrypoint, renamed.flow_name) == (deployment.entrypoint, "renamed")


def test_a_deployment_takes_parameters_as_python_has_them():
    deployment = experiment.random_search.to_deployment(
        "mine",
        parameters={
            "train": training,
            "boundary_dict": {"rate": Float(1e-3, 1, log=True), "units": np.array([1, 4])},
            "direction": "min",
            "samples": np.int64(3),
            "cluster": ClusterConfig("local", n_workers=2),
        },
    )
    assert deployment.parameters == {
        "train": f"{__name__}:training",
        "boundary_dict": [
            {"name": "rate", "type": "float", "low": 0.001, "high": 1.0, "log": True},
            {"name": "units", "type": "int", "low": 1, "high": 4, "log": False},
        ],
        "direction": "MIN",
        "samples": 3,
        "cluster": {"kind": "local", "n_workers": 2},
    }
    assert problems("random_search", **deployment.parameters) == []


def test_a_deployment_keeps_a_function_that_only_its_worker_has():
    deployment = experiment.launch.to_deployment("mine", parameters={"train": "only/there.py:f"})
    assert deployment.parameters == {"train": "only/there.py:f"}


class Own(BaseSearch):
    total = 3

    def __init__(self, step=1):
        super().__init__()

    def _propose(self, number):
        return {"x": number}


class Rule:
    def judge(self, trial, curve):
        return None

    def end(self, trial, curve):
        pass


def of_a_script(kind):
    return type(kind.__name__, (kind,), {"__module__": "__main__"})


SCRIPT = str(Path(__file__).with_name("script.py"))


@pytest.fixture(autouse=True)
def script(monkeypatch):
    """The script that Python was started with."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", SCRIPT, raising=False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"optimizer": Own}, {"optimizer": f"{__name__}:Own"}),
        (
            {"optimizer": {"optimizer": Own, "step": 2}},
            {"optimizer": {"optimizer": f"{__name__}:Own", "step": 2}},
        ),
        ({"early_stop": Rule}, {"early_stop": f"{__name__}:Rule"}),
        (
            {"early_stop": {"rule": MedianStop, "interval": 2}},
            {
                "early_stop": {
                    "rule": "hopsml_flows.trials.early_stop.median:MedianStop",
                    "interval": 2,
                }
            },
        ),
        (
            {"early_stop": MedianStop(interval=2)},
            {"early_stop": {"rule": "median", "min_finished": 10, "interval": 2}},
        ),
        ({"early_stop": None}, {"early_stop": None}),
    ],
)
def test_a_deployment_keeps_what_makes_an_optimizer_or_a_rule(given, kept):
    deployment = experiment.optimize.to_deployment("mine", parameters=given)
    assert deployment.parameters == kept


def test_a_deployment_names_the_class_of_a_script_by_its_path():
    given = {"optimizer": of_a_script(Own)}
    deployment = experiment.optimize.to_deployment("mine", parameters=given)
    place, _, name = deployment.parameters["optimizer"].rpartition(":")
    assert name == "Own"
    assert Path(place).absolute() == Path(SCRIPT).absolute()


@pytest.mark.parametrize(
    ("name", "given"),
    [("optimizer", Own(2)), ("early_stop", Rule()), ("early_stop", {"rule": Rule()})],
)
def test_a_deployment_refuses_an_object_of_which_it_would_keep_the_class_only(name, given):
    with pytest.raises(InvalidArgumentError, match=rf"^{name}: must be a name, a class or an"):
        experiment.optimize.to_deployment("mine", parameters={name: given})


def test_a_deployment_refuses_bounds_that_are_none_and_passwords():
    with pytest.raises(InvalidSpaceError, match=r"^boundary_dict\['rate'\]: must have exactly two"):
        experiment.random_search.to_deployment(
            "x", parameters={"boundary_dict": {"rate": [1, 2, 3]}}
        )
    with pytest.raises(InvalidProjectError, match="password") as caught:
        experiment.launch.to_deployment("x", parameters={"project": "s3://me:secret@bucket/demo"})
    assert "secret" not in str(caught.value)


def in_a_loop(verb, source):
    async def load():
        return await verb.from_source(source), await verb.afrom_source(source)

    first, second = asyncio.run(load())
    assert first._storage == second._storage
    return first


@pytest.mark.parametrize("load", [lambda verb, source: verb.from_source(source), in_a_loop])
def test_a_verb_with_code_from_elsewhere_leaves_the_verb_itself_as_it_was(load, tmp_path):
    verb = experiment.grid_search
    before = verb._entrypoint
    loaded = load(verb, str(tmp_path))
    assert isinstance(loaded, type(verb))
    deployment = loaded.to_deployment("mine", parameters={"direction": "max"})
    assert deployment.entrypoint == "hopsml_flows.experiment.grid_search"
    assert deployment.storage.destination == tmp_path
    assert deployment.parameters == {"direction": "MAX"}
    assert (verb._storage, verb._entrypoint) == (None, before)


def test_a_flow_of_the_users_own_is_loaded_from_the_source(tmp_path):
    (tmp_path / "flows.py").write_text(
        "from hopsml_flows import experiment\n"
        "def training(): pass\n"
        "mine = experiment.launch.with_options(name='mine', retries=2)\n"
    )
    loaded = experiment.launch.from_source(str(tmp_path), "flows.py:mine")
    assert (loaded.name, loaded.retries) == ("mine", 2)
    assert loaded.to_deployment("x").entrypoint == "flows.py:mine"


@pytest.mark.parametrize("name", VERBS)
def test_every_parameter_has_a_description(name):
    fields = getattr(experiment, name).parameters.properties
    assert [field for field, schema in fields.items() if not schema.get("description")] == []


def test_forms_have_drop_downs_and_fields_for_hyperparameters():
    fields = experiment.differential_evolution.parameters.properties
    assert fields["direction"]["enum"] == ["MAX", "MIN"]
    assert "rand1bin" in fields["strategy"]["enum"]
    assert fields["updating"]["enum"] == ["deferred", "immediate"]
    text, config = fields["cluster"]["anyOf"]
    assert text["type"] == "string"
    assert {"auto", "local", "cuda", "slurm"} <= set(config["properties"]["kind"]["enum"])
    json, entries = fields["boundary_dict"]["anyOf"]
    # A dict of names that no schema knows is shown by the first alternative, as JSON.
    assert (json["type"], "properties" in json) == ("object", False)
    assert list(entries["items"]["properties"]) == ["name", "type", "low", "high", "log", "choices"]
    assert fields["boundary_dict"]["default"] == []  # shows the second one
    assert "boundary_dict" in experiment.differential_evolution.parameters.required


@pytest.mark.parametrize(
    ("verb", "parameters"),
    [
        ("grid_search", {"grid_dict": {"rate": [1]}, "direction": "UP"}),
        ("grid_search", {"grid_dict": {"rate": []}}),
        ("grid_search", {"grid_dict": {"rate": 1}}),
        ("grid_search", {"grid_dict": {}}),
        ("launch", {"args_dict": []}),
        ("random_search", {"boundary_dict": []}),
        ("random_search", {"boundary_dict": {}}),
        ("random_search", {"boundary_dict": {"rate": [1, 2]}, "samples": "many"}),
        ("random_search", {"boundary_dict": {"rate": {"type": "flaot", "low": 1, "high": 2}}}),
        ("random_search", {"boundary_dict": [{"name": "rate", "type": "float", "low": "a"}]}),
        ("random_search", {"boundary_dict": [{"type": "float", "low": 1, "high": 2}]}),
        ("differential_evolution", {"boundary_dict": {"rate": [1, 2]}, "strategy": "best"}),
        ("differential_evolution", {"boundary_dict": {"rate": [1, 2]}, "crossover": 1.5}),
        ("differential_evolution", {"boundary_dict": {"rate": [1, 2]}, "mutation": 0}),
        ("launch", {"cluster": {"kind": "cloud"}}),
        ("launch", {"cluster": {"workers": 2}}),
        ("launch", {"retries": -1}),
        ("launch", {"trial_timeout": 0}),
        ("launch", {"train": ""}),
    ],
)
def test_a_form_refuses(verb, parameters):
    assert problems(verb, **parameters)


@pytest.mark.parametrize(
    ("verb", "parameters"),
    [
        ("launch", {}),
        ("launch", {"args_dict": None, "seed": None, "tags": None}),
        ("grid_search", {"grid_dict": {"rate": [1, "a", None, [1]]}, "cluster": "tcp://h:1"}),
        ("random_search", {"boundary_dict": {"rate": [0.1, 1], "kind": ["a", "b"]}}),
        ("random_search", {"boundary_dict": {"rate": {"type": "int", "low": 1, "high": 2}}}),
        (
            "random_search",
            {"boundary_dict": [{"name": "a", "type": "categorical", "choices": ["a", 1, True]}]},
        ),
    ],
)
def test_a_form_accepts(verb, parameters):
    assert problems(verb, **parameters) == []


def test_what_a_run_gets_is_judged_by_the_verb_itself():
    verb = experiment.random_search
    given = {"train": "json:dumps", "boundary_dict": {"obj": [1, 1]}}
    assert verb.validate_parameters(given) == given
    with pytest.raises(TypeError, match="boundary_dict"):
        verb.validate_parameters({"train": "json:dumps"})
    with pytest.raises(TypeError, match="samles"):
        verb.validate_parameters({**given, "samles": 3})


def test_a_file_that_starts_an_experiment_is_refused_as_the_source_of_a_function(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    program = "from hopsml_flows import experiment\ndef f(): return 1\nexperiment.{}\n"
    (tmp_path / "program.py").write_text(program.format("launch(f, project='p')"))
    (tmp_path / "serving.py").write_text(program.format("launch.to_deployment('x')"))
    for place in ("program.py", "program", "serving.py"):
        with pytest.raises(FunctionNotFoundError, match="__main__"):
            TrainingFunction(f"{place}:f")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__main__:never_there", "a notebook or a prompt defines"),
        ("json:dumps.<locals>.inner", "name a function at the top level of its module"),
        ("json:<lambda>", "name a function at the top level of its module"),
    ],
)
def test_a_function_that_nobody_else_can_find_is_said_to_be_one(text, message):
    with pytest.raises(FunctionNotFoundError, match=message):
        TrainingFunction(text)


@pytest.mark.parametrize(
    ("value", "image"),
    [((3, 3), "[3, 3]"), (math.nan, "'NaN'"), ({1: "x"}, "{'1': 'x'}"), ({2, 1}, "[1, 2]"),
     (Path("a"), "'a'"), ([math.inf], "['Infinity']")],
    ids=repr,
)  # fmt: skip
def test_values_that_would_reach_the_function_as_others_are_refused(value, image):
    wrong = rf"must be a JSON value: runs of a deployment would get {re.escape(image)}"
    for verb, name, space in (
        (experiment.grid_search, "grid_dict", {"x": [1, value]}),
        (experiment.launch, "args_dict", {"x": [value]}),
        (experiment.random_search, "boundary_dict", {"x": Categorical([0, value])}),
    ):
        with pytest.raises(InvalidSpaceError, match=rf"^{name}\['x'\]: {wrong}"):
            verb.to_deployment("nightly", parameters={"train": "a.b:c", name: space})
