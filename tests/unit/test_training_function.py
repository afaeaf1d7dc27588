from __future__ import annotations

import functools
import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import cloudpickle
import prefect
import pytest

from hopsml_flows.errors import FunctionNotFoundError, InvalidFunctionError
from hopsml_flows.execution import TrainingFunction, packed
from hopsml_flows.execution.payload import unpacked


def training(rate):
    return rate * 2


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, rate):
        return rate * self.factor

    def method(self, rate):
        return rate * self.factor


@prefect.task
def task(rate):
    return rate * 3


HERE = __name__


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the user's that only this test's working directory has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    name = f"users_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "helper.py").write_text("FACTOR = 7\n")
    (tmp_path / name / "model.py").write_text(
        textwrap.dedent(
            f"""
            from {name} import helper

            def training(rate):
                return rate * helper.FACTOR

            class Group:
                @staticmethod
                def inner(rate):
                    return rate

            value = 5
            """
        )
    )
    (tmp_path / name / "broken.py").write_text("1 / 0\n")
    (tmp_path / name / "exits.py").write_text("raise SystemExit('usage: …')\n")
    (tmp_path / name / "needs.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / name / "syntax.py").write_text("def (\n")
    yield name
    for loaded in [entry for entry in sys.modules if entry.partition(".")[0] == name]:
        del sys.modules[loaded]


def in_a_fresh_process(data: bytes, *arguments, cwd):
    """Call a packed function where none of this process's modules are."""
    code = (
        "import json, sys\n"
        "arguments = json.loads(sys.argv[1])\n"
        "from hopsml_flows.execution.payload import unpacked\n"
        "function = unpacked(sys.stdin.buffer.read(), own_process=True)\n"
        "print(json.dumps(function(*arguments)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        input=data, capture_output=True, cwd=cwd, env=environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("train", "text", "doubled"),
    [
        (training, f"{HERE}:training", 4),
        (Scaled(5), f"{HERE}:Scaled", 10),
        (Scaled(5).method, f"{HERE}:Scaled.method", 10),
        (functools.partial(training, rate=9), f"{HERE}:training", 4),
        (task, f"{HERE}:task", 6),
    ],
)
def test_a_callable_or_task_is_named_by_module_and_name_and_carries_the_function(
    train, text, doubled
):
    function = TrainingFunction(train)
    assert function == text
    assert isinstance(function, str)
    assert function.callable(rate=2) == doubled


@pytest.mark.parametrize(
    ("train", "name"),
    [
        (training, "training"),
        (Scaled(5), "Scaled"),
        (Scaled(5).method, "method"),
        (functools.partial(Scaled(5).method), "method"),
        (task, "task"),
        (f"{HERE}:task", "task"),
        (lambda rate: rate, "experiment"),
        (functools.partial(lambda rate: rate), "experiment"),
    ],
)
def test_an_experiment_is_called_after_its_function(train, name):
    assert TrainingFunction(train).name == name


def test_a_lambda_and_a_closure_have_a_name_too():
    def inner(rate):
        return rate

    assert TrainingFunction(lambda rate: rate).endswith("<lambda>")
    assert TrainingFunction(inner).endswith("<locals>.inner")
    assert TrainingFunction(inner).name == "inner"


def test_a_training_function_of_a_training_function_is_itself():
    function = TrainingFunction(training)
    assert TrainingFunction(function) is function


def test_only_its_name_travels_when_pickled():
    again = pickle.loads(pickle.dumps(TrainingFunction(training)))
    assert type(again) is str
    assert again == f"{HERE}:training"


@pytest.mark.parametrize("wrong", [None, 5, ["a"], Scaled, {"a": 1}, b"a:b"], ids=repr)
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(InvalidFunctionError, match=r"^train: must be a function"):
        TrainingFunction(wrong)


def test_an_import_string_leads_to_a_module_of_the_working_directory(package):
    before = list(sys.path)
    function = TrainingFunction(f"{package}.model:training")
    assert function == f"{package}.model:training"
    assert function.callable(2) == 14
    # Worker processes, which get this process's path, find it too.
    assert sys.path == [*before, os.getcwd()]


def test_a_module_that_lies_elsewhere_leaves_the_path_as_it_was(package):
    before = list(sys.path)
    TrainingFunction("json:dumps")
    with pytest.raises(FunctionNotFoundError):
        TrainingFunction("nowhere.at_all:training")
    assert sys.path == before


def test_an_import_string_may_lead_into_a_class(package):
    assert TrainingFunction(f"{package}.model:Group.inner").callable(2) == 2


@pytest.mark.parametrize("absolute", [True, False])
def test_an_import_string_may_name_a_file(package, tmp_path, absolute):
    (tmp_path / "neighbour.py").write_text("FACTOR = 3\n")
    script = tmp_path / "my script.py"
    script.write_text("import neighbour\ndef training(rate):\n    return rate * neighbour.FACTOR\n")
    place = str(script) if absolute else script.name
    function = TrainingFunction(f"{place}:training")
    assert function.callable(2) == 6
    assert function.source_file == script
    # Named from the callable alone, it leads back to the same place.
    assert TrainingFunction(function.callable) == f"{script.name}:training"
    assert TrainingFunction(TrainingFunction(function.callable)).callable(2) == 6


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{package}.model:nothing", "there is no 'nothing' in '{package}.model'"),
        ("{package}.model:Group.nothing", "there is no 'nothing' in"),
        ("{package}.nowhere:training", "there is no module '{package}.nowhere'"),
        ("no_such_package.model:training", "there is no module 'no_such_package'"),
        ("{package}.model.deeper:training", "there is no module '{package}.model.deeper'"),
        ("{package}.needs:training", "there is no module (needed by it) 'no_such_module_anywhere'"),
        ("{package}.broken:training", "importing '{package}.broken' raised ZeroDivisionError"),
        ("{package}.exits:training", "importing '{package}.exits' raised SystemExit"),
        ("{package}.syntax:training", "importing '{package}.syntax' raised SyntaxError"),
        ("{package}.model:value", "'value' is no function"),
        ("{package}.model:Group", "'Group' is no function"),
        ("{package}.model:", "must be 'package.module:name'"),
        (":training", "must be 'package.module:name'"),
        ("training", "must be 'package.module:name'"),
        ("", "must be 'package.module:name'"),
        (".model:training", "importing '.model' raised"),
        ("nowhere.py:training", "there is no file 'nowhere.py'"),
        ("{package}/broken.py:training", "running '{package}/broken.py' raised ZeroDivisionError"),
        ("{package}/exits.py:training", "running '{package}/exits.py' raised SystemExit"),
        ("{package}/helper.py:training", "there is no 'training' in '{package}/helper.py'"),
    ],
)
def test_an_import_string_that_leads_nowhere_is_refused_saying_which_part(package, text, part):
    text = text.format(package=package)
    with pytest.raises(FunctionNotFoundError) as caught:
        TrainingFunction(text)
    assert str(caught.value).startswith("train: ")
    assert part.format(package=package) in str(caught.value)
    assert caught.value.value == text


def test_a_file_that_fails_to_run_is_not_kept_as_a_module(package):
    before = set(sys.modules)
    with pytest.raises(FunctionNotFoundError):
        TrainingFunction(f"{package}/broken.py:training")
    assert set(sys.modules) == before


def test_the_source_file_is_where_the_function_was_written():
    here = Path(__file__)
    for train in (training, task, Scaled(1), Scaled(1).method, functools.partial(training)):
        assert TrainingFunction(train).source_file == here


@pytest.mark.parametrize("train", [print, functools.partial(max, 1)])
def test_a_builtin_has_no_source_file(train):
    assert TrainingFunction(train).source_file is None


def test_what_was_typed_at_a_prompt_has_a_name_and_no_source_file():
    code = (
        "from hopsml_flows.execution import TrainingFunction\n"
        "class Object:\n"
        "    def __call__(self, x): return x\n"
        "def typed(x): return x\n"
        "for train in (Object(), typed, lambda x: x):\n"
        "    print(TrainingFunction(train), TrainingFunction(train).source_file)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [
        "__main__:Object None", "__main__:typed None", "__main__:<lambda> None",
    ], done.stderr  # fmt: skip


def test_a_function_of_a_script_is_named_by_the_scripts_path(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "from hopsml_flows.execution import TrainingFunction\n"
        "def training(x): return x\n"
        "print(TrainingFunction(training))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert done.stdout == "train.py:training\n", done.stderr


def test_closures_lambdas_partials_and_objects_survive_packing():
    factor = 3

    def closure(rate):
        return rate * factor

    for train, returned in [
        (closure, 6),
        (lambda rate: rate * factor, 6),
        (functools.partial(lambda a, b: a - b, 10), 8),
        (Scaled(5), 10),
    ]:
        assert unpacked(packed(train, by_value=False))(2) == returned


def test_a_function_of_a_module_travels_by_name_where_workers_share_it(package):
    function = TrainingFunction(f"{package}.model:training").callable
    by_name = pickle.loads(packed(function, by_value=False))
    by_value = pickle.loads(packed(function, by_value=True))
    assert len(by_name.stream) < 200 < len(by_value.stream)
    assert not by_name.sources
    assert any(file.endswith("model.py") for file in by_value.sources)


def test_by_value_a_function_runs_where_neither_it_nor_its_helpers_are(package, tmp_path):
    function = TrainingFunction(f"{package}.model:training").callable
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert in_a_fresh_process(packed(function, by_value=True), 2, cwd=elsewhere) == 14


@pytest.mark.parametrize("by_value", [True, False])
def test_a_function_of_a_file_travels_by_value(package, tmp_path, by_value):
    script = tmp_path / "script.py"
    script.write_text("FACTOR = 3\ndef training(rate):\n    return rate * FACTOR\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for train in ("training", "training"):
        function = TrainingFunction(f"script.py:{train}").callable
        assert in_a_fresh_process(packed(function, by_value=by_value), 2, cwd=elsewhere) == 6


def test_packing_leaves_the_users_registration_of_modules_as_it_was(package, tmp_path):
    function = TrainingFunction(f"{package}.model:training").callable
    module = sys.modules[f"{package}.helper"]
    before = cloudpickle.list_registry_pickle_by_value()
    cloudpickle.register_pickle_by_value(module)
    try:
        packed(function, by_value=True)
        assert cloudpickle.list_registry_pickle_by_value() == before | {module.__name__}
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def test_a_module_with_a_second_name_or_a_wrong_one_does_not_disturb_packing(package, monkeypatch):
    function = TrainingFunction(f"{package}.model:training").callable
    helper = sys.modules[f"{package}.helper"]
    monkeypatch.setitem(sys.modules, "second_name_of_helper", helper)
    spare = type(sys)("not_in_sys_modules")
    spare.__file__ = helper.__file__
    monkeypatch.setitem(sys.modules, "alias_of_spare", spare)
    before = cloudpickle.list_registry_pickle_by_value()
    assert unpacked(packed(function, by_value=True))(2) == 14
    assert cloudpickle.list_registry_pickle_by_value() == before


def test_what_cannot_be_pickled_is_refused_with_advice_and_leaves_nothing_registered(package):
    before = cloudpickle.list_registry_pickle_by_value()
    import threading

    lock = threading.Lock()

    def training(rate):
        with lock:
            return rate

    with pytest.raises(InvalidFunctionError, match=r"cannot be sent.*lock.*inside the function"):
        packed(training, by_value=True)
    assert cloudpickle.list_registry_pickle_by_value() == before


def test_a_function_beside_a_flow_that_prefect_loads_from_a_file(tmp_path, monkeypatch):
    """A deployment's own flow, such as ``flows.py:pipeline``, passes functions of its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    # Prefect gives the module a name of its own where this one is taken.
    monkeypatch.setitem(sys.modules, "taken", sys)
    (tmp_path / "taken.py").write_text(
        "from prefect import flow\n"
        "FACTOR = 3\n"
        "def training(rate): return rate * FACTOR\n"
        "@flow\n"
        "def pipeline(): return training\n"
    )
    pipeline = prefect.flows.load_flow_from_entrypoint("taken.py:pipeline")
    function = TrainingFunction(pipeline.fn())
    assert function == "taken.py:training"
    assert TrainingFunction(str(function)).callable(2) == 6
    assert in_a_fresh_process(packed(function.callable, by_value=False), 5, cwd="/") == 15
