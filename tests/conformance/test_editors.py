"""What type checkers and editors know of the verbs."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import jedi
import pytest
from IPython.core.oinspect import Inspector
from prefect.utilities.callables import parameter_schema

from hopsml_flows import experiment
from hopsml_flows.plan import options

PROGRAM = """\
from hopsml_flows import experiment


def train(x: int) -> float:
    return 0.5


path, params, outputs = experiment.grid_search(train, {"x": [1, 2]}, tags=["a"])
reveal_type(path)
reveal_type(params)
reveal_type(outputs)
root, only = experiment.launch(train, {"x": [1]}, isolation="process")
reveal_type(only)
reveal_type(experiment.random_search(train, {"x": [1, 9]}, samples=2).best)
experiment.grid_search(train, {"x": [1]}, optimisation_key="a")
experiment.grid_search(train, {"x": [1]}, retries="a")
experiment.mirrored(train, isolation="process")
"""

VERBS = [
    "launch", "grid_search", "random_search", "differential_evolution", "mirrored",
    "collective_all_reduce", "parameter_server", "distributed", "optimize", "ablation",
]  # fmt: skip

FORMS = json.loads((Path(__file__).parent / "run_forms.json").read_text())
"""The run forms without their descriptions, as they were before options were declared once."""


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def lines_of(pattern, text):
    return {int(line): said for line, said in re.findall(pattern, text, re.MULTILINE)}


@pytest.mark.timeout(900)
def test_mypy_knows_the_results_and_rejects_unknown_arguments(program):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", program.name],
        cwd=program.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    notes = lines_of(r'^program\.py:(\d+): note: Revealed type is "(.*)"$', done.stdout)
    assert notes == {
        9: "str",
        10: "dict[str, Any]",
        11: "dict[str, Any]",
        13: "dict[str, Any] | None",
        14: "hopsml_flows.trials.model.TrialResult | None",
    }
    errors = lines_of(r"^program\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout)
    assert errors == {15: "call-arg", 16: "arg-type", 17: "call-arg"}


def test_pyright_knows_the_results_and_rejects_unknown_arguments(program):
    done = subprocess.run(
        [
            sys.executable, "-m", "basedpyright", "--outputjson",
            "--pythonpath", sys.executable, program.name,
        ],
        cwd=program.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = json.loads(done.stdout)["generalDiagnostics"]
    shown = {
        found["range"]["start"]["line"] + 1: found["message"].rpartition(" is ")[2].strip('"')
        for found in said
        if found["severity"] == "information"
    }
    assert shown == {
        9: "str",
        10: "dict[str, Any]",
        11: "dict[str, Any]",
        13: "dict[str, Any] | None",
        14: "TrialResult | None",
    }
    errors = {
        found["range"]["start"]["line"] + 1: found["rule"]
        for found in said
        if found["severity"] == "error"
    }
    assert errors == {15: "reportCallIssue", 16: "reportArgumentType", 17: "reportCallIssue"}


@pytest.mark.parametrize("verb", VERBS)
def test_jedi_completes_the_arguments(verb):
    code = f"experiment.{verb}("
    interpreter = jedi.Interpreter(code, [{"experiment": experiment}])
    (signature,) = interpreter.get_signatures()
    names = [parameter.name for parameter in signature.params]
    assert names == list(inspect.signature(getattr(experiment, verb)).parameters)
    interpreter = jedi.Interpreter(f"{code}sync_", [{"experiment": experiment}])
    assert "sync_interval=" in {found.name_with_symbols for found in interpreter.complete()}


@pytest.mark.parametrize("verb", VERBS)
def test_ipython_shows_names_defaults_and_short_types(verb):
    shown = Inspector(theme_name="nocolor")._get_info(getattr(experiment, verb), verb)["text/plain"]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    signature = plain[plain.index("Signature:") : plain.index("Type:")]  # then follow paths
    assert len(signature) < 1500
    for name, parameter in inspect.signature(getattr(experiment, verb)).parameters.items():
        assert re.search(rf"^\s+{name}: [\w |]+( = .+)?,$", signature, re.MULTILINE)
        if parameter.default is not inspect.Parameter.empty:
            assert f"{name}: {parameter.annotation!r} = {parameter.default!r}" in signature


@pytest.mark.parametrize("verb", VERBS)
def test_the_docstring_describes_each_argument_once_in_the_signatures_order(verb):
    flow = getattr(experiment, verb)
    block = flow.__doc__.partition("Args:\n")[2].partition("\n\n")[0]
    described = re.findall(r"^    (\w+): \S", block, re.MULTILINE)
    assert described == list(inspect.signature(flow).parameters)
    assert max(map(len, flow.__doc__.splitlines())) <= 96


@pytest.mark.parametrize("verb", VERBS)
def test_run_forms_are_what_they_were(verb):
    schema = parameter_schema(getattr(experiment, verb)).model_dump(mode="json")
    for field in schema["properties"].values():
        assert field.pop("description")
    assert schema == FORMS[verb]
    assert list(schema["properties"]) == list(FORMS[verb]["properties"])


@pytest.mark.parametrize(
    "kind", [options.CommonOptions, options.WarmOptions, options.TrainingOptions]
)
def test_each_option_has_a_field_for_its_judged_value(kind):
    assert set(get_type_hints(kind)) <= set(options.Options.__dataclass_fields__)
