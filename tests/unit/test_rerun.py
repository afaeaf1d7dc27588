"""What is run again, and how it is compared: no trial runs here."""

from __future__ import annotations

import ast
import enum
import io
import json
import math
import os
import pickle
import subprocess
import sys
import zipfile

import pytest

from hopsml_flows.cli.rerun import rerun as command
from hopsml_flows.errors import (
    DamagedFileError,
    FunctionNotFoundError,
    HopsmlWarning,
    InvalidArgumentError,
    MissingPackageError,
    NotFoundError,
    SavedEnvironmentError,
    SignatureMismatchError,
)
from hopsml_flows.execution import Job
from hopsml_flows.execution.function import LOADED_PREFIX
from hopsml_flows.execution.saved_source import cells_source
from hopsml_flows.flows.rerun import rerun
from hopsml_flows.rerun.metrics import RepeatedMetric, repeated_metrics
from hopsml_flows.rerun.request import read_request
from hopsml_flows.rerun.saved_environment import (
    Requirements,
    build_environment,
    requirements_of,
)
from hopsml_flows.rerun.unpacked_program import look_first_in, saved_function, unpack
from hopsml_flows.search import Why
from hopsml_flows.service import find_stored
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking.versions.notebook import notebook_program
from hopsml_flows.tracking.versions.stored_program import StoredProgram
from hopsml_flows.trials import Failure, State, Trial, TrialResult, commit_text, trial_seed
from tests.written import ID, over, result

STARTS = """
from __future__ import annotations
from hopsml_flows import experiment

def training(x: Missing) -> Missing:
    return x + OFFSET

OFFSET = 2
outcome = experiment.launch(training)
print(outcome.best)
OFFSET = 3
"""


def archive(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return stream.getvalue()


@pytest.fixture
def directory(tmp_path):
    """Where programs are unpacked; afterwards nothing of them is left in this process."""
    place, path, loaded = tmp_path / "program", [*sys.path], {*sys.modules}
    place.mkdir()
    yield place
    sys.path[:] = path
    for name in {*sys.modules} - loaded:
        if name.startswith(LOADED_PREFIX) or str(place) in str(
            getattr(sys.modules[name], "__file__", "")
        ):
            del sys.modules[name]


def found(train, program, directory):
    unpack(program, directory)
    look_first_in(directory, ())
    return saved_function(train, program, directory)


def test_a_script_that_starts_its_experiment_is_loaded_without_starting_it(directory):
    function = found("work/train.py:training", StoredProgram(STARTS.encode()), directory)
    assert str(function) == "work/train.py:training"
    assert function.callable(1) == 3  # nothing that follows the experiment was executed
    assert function.callable.__annotations__ == {"x": "Missing", "return": "Missing"}


def test_a_script_of_several_experiments_is_loaded_up_to_the_function(directory):
    other = "def other(x): return x\nbefore = experiment.launch(other)\nprint(before.best)\n"
    source = STARTS.replace("def training", f"{other}\ndef training")
    assert found("train.py:training", StoredProgram(source.encode()), directory).callable(1) == 3


AGAIN = "again = experiment.rerun('last', project='project')\nprint(again.metrics)\n"


@pytest.mark.parametrize(
    "source",
    [
        STARTS.replace("outcome =", f"{AGAIN}OFFSET = 9\noutcome ="),
        STARTS.replace("def training", f"{AGAIN}\ndef training"),
    ],
    ids=["after the function", "before it"],
)
def test_a_script_that_runs_another_experiment_again_is_loaded_up_to_there(
    directory, tmp_path, monkeypatch, source
):
    monkeypatch.chdir(tmp_path)
    kept(tmp_path, [result(1, {"x": 1}, 0.5)])
    function = found("train.py:training", StoredProgram(source.encode()), directory)
    assert function.callable(1) == 3
    assert len(list((tmp_path / "project/Experiments").iterdir())) == 1


GUARDED = """
import sys
from hopsml_flows import experiment

def training(x):
    return x + OFFSET + more

if __name__ == "__main__":
    OFFSET = 2
    if "__main__" == __name__:
        more = 10
    else:
        more = 20
    def main():
        global more
        more = 30
        experiment.launch(training)
        more = 40
    main()
    OFFSET = 3
else:
    OFFSET = more = 0
"""


@pytest.mark.parametrize("with_modules", [False, True])
def test_the_script_that_was_started_is_executed_as_main_up_to_its_experiment(
    directory, with_modules
):
    facts = {"script": "train.py"}
    modules = None
    if with_modules:
        modules = archive(**{"code/train.py": GUARDED, "code/other.py": ""})
        facts["modules"] = {"script": "code/train.py"}
    program = StoredProgram(GUARDED.encode(), modules=modules, facts=facts)
    assert found("/home/ada/code/train.py:training", program, directory).callable(1) == 33


@pytest.mark.parametrize("facts", [{}, {"script": "run.py"}])
def test_a_file_that_was_imported_is_not_executed_as_main(directory, facts):
    program = StoredProgram(GUARDED.encode(), facts=facts)
    assert found("train.py:training", program, directory).callable(1) == 1


def test_a_script_that_fails_as_main_still_has_its_function(directory):
    source = GUARDED.replace("    more = 10", "    more = 10\n        sys.exit('no data')")
    program = StoredProgram(source.encode(), facts={"script": "train.py"})
    with pytest.warns(HopsmlWarning, match="SystemExit: no data under if __name__"):
        function = found("train.py:training", program, directory)
    assert function.callable(1) == 13


def test_a_script_that_fails_as_main_before_it_has_its_function_is_refused(directory):
    source = GUARDED.replace("    more = 10", "    more = 10\n        sys.exit('no data')")
    early = source.replace("def training", "def later")
    program = StoredProgram(early.encode(), facts={"script": "train.py"})
    with pytest.raises(FunctionNotFoundError, match="SystemExit: no data"):
        found("train.py:training", program, directory)


def test_a_script_finds_the_modules_that_were_kept_with_it(directory):
    script = (
        "import kept_helper\ntraining = lambda x: x\ndef train(x):\n return kept_helper.add(x)\n"
    )
    modules = archive(**{"run_it.py": script, "kept_helper.py": "def add(x): return x + 1"})
    program = StoredProgram(b"", modules=modules, facts={"modules": {"script": "run_it.py"}})
    assert found("/gone/run_it.py:train", program, directory).callable(1) == 2


def test_a_function_of_a_package_is_imported_from_what_was_kept(directory):
    modules = archive(
        **{
            "kept_pack/__init__.py": "",
            "kept_pack/values.py": "A = 5",
            "kept_pack/train.py": "from kept_pack.values import A\ndef f(x): return A * x",
        }
    )
    program = StoredProgram(b"print('a script of another name')", modules=modules)
    assert found("kept_pack.train:f", program, directory).callable(2) == 10


def test_a_module_that_is_the_whole_program_is_found(directory):
    program = StoredProgram(b"def f(x): return x * 3")
    assert found("kept_alone:f", program, directory).callable(2) == 6


def test_a_notebook_is_made_of_its_executed_cells_in_their_order(directory):
    cells = [
        "%load_ext tensorboard\nbase = 10",
        "def f(x):\n    return 0",
        "raise ValueError('a cell that failed')\nbase = 0",
        "!ls\n%%time\n",
        "%%time\nbase = base + 1",
        "%%bash\nexit 1",
        "def f(x):\n    return x + base",
        "from hopsml_flows import experiment\nr = experiment.launch(f)\nbase = 0",
    ]
    program = StoredProgram(notebook_program(None, cells), ".ipynb")
    assert found("__main__:f", program, directory).callable(1) == 12


VALID = '''\
rate = 0.1  # too high?
words = """
%matplotlib inline
!ls
what?
"""
rest = (57
    % 10)
'''


@pytest.mark.parametrize(
    "magic", ["", "%load_ext tensorboard\n", "!pip install \\\n   a\n", "f?\n"]
)
def test_lines_that_are_python_stay_whatever_they_look_like(directory, magic):
    cells = ["def f(x):\n    return rate, words, rest", f"{VALID}{magic}scale = 2"]
    program = StoredProgram(notebook_program(None, cells), ".ipynb")
    function = found("__main__:f", program, directory).callable
    assert function(1) == (0.1, "\n%matplotlib inline\n!ls\nwhat?\n", 7)
    assert function.__globals__["scale"] == 2


def test_magics_are_left_out_wherever_they_stand():
    cell = "for x in y:\n    !ls {x}\n    z = x?\n    %time x\nif 1:\n    ?x\ndone = 1"
    left = "for x in y:\n    pass\n    pass\n    pass\nif 1:\n    pass\ndone = 1"
    assert ast.dump(ast.parse(cells_source([cell]))) == ast.dump(ast.parse(left))


def test_a_notebook_that_does_not_say_what_was_executed_gives_its_cells(directory):
    cells = [
        {"cell_type": "markdown", "source": "def f(x): return 0"},
        {"cell_type": "code", "source": ["def f(x):\n", "    return x"]},
    ]
    program = StoredProgram(json.dumps({"cells": cells}).encode(), ".ipynb")
    assert found("__main__:f", program, directory).callable(1) == 1


@pytest.mark.parametrize(
    ("train", "content", "told"),
    [
        ("train.py:g", "def f(x): pass", "no 'g'"),
        ("train.py:f.inner", "def f(x): pass", "no 'inner'"),
        ("train.py:f", "f = 1", "is no function"),
        ("train.py:f", "def f(", "is no Python"),
        ("train.py:f", "1 / 0\ndef f(x): pass", "ZeroDivisionError"),
        ("train.py:f", "import sys\nsys.exit('no data')\ndef f(x): pass", "SystemExit: no data"),
        ("no_such_module_here:f", "print(1)", "no module 'no_such_module_here'"),
    ],
)
def test_a_program_without_the_function_is_refused(directory, train, content, told):
    with pytest.raises(FunctionNotFoundError, match=told):
        found(train, StoredProgram(content.encode()), directory)


def damaged():
    """An archive whose compressed bytes are none."""
    stream, name = io.BytesIO(), "kept.py"
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, "x = 1\n" * 1000)
    content = bytearray(stream.getvalue())
    begin = content.index(name.encode()) + len(name)
    content[begin : begin + 8] = b"\xff" * 8
    return bytes(content)


def test_an_archive_whose_content_is_damaged_is_told(directory):
    with pytest.raises(DamagedFileError, match=r"program\.zip cannot be unpacked \(error: "):
        unpack(StoredProgram(None, modules=damaged()), directory)


@pytest.mark.parametrize(
    "modules", [b"no archive", archive(**{"../outside.py": "x"}), archive(**{"/outside.py": "x"})]
)
def test_an_archive_that_leads_elsewhere_is_refused(directory, modules):
    with pytest.raises(DamagedFileError, match=r"program\.zip"):
        unpack(StoredProgram(None, modules=modules), directory)
    assert not (directory.parent / "outside.py").exists()


def kept(tmp_path, results, *, program="def f(x): return x", **record):
    project = Project(tmp_path / "project")
    over(project, ID, results, **{"train": "train.py:f", **record})
    if program is not None:
        project.replace(ExperimentPaths(ID).program(".py"), program)
    return find_stored(project, ID)


def test_trials_are_run_again_with_their_parameters_and_seeds(tmp_path):
    failed = result(2, {"x": 2}, state=State.FAILED, failure=Failure("ValueError", "no"))
    trials = [result(1, {"x": 1}, 0.5, seed=99), failed, result(3, {"x": 3}, 0.7, budget=9)]
    earlier = kept(
        tmp_path,
        trials,
        direction="MIN",
        optimization_key="loss",
        options={"seed": 7, "seed_trials": False, "isolation": "process", "cluster": "gone:1"},
    )
    request = read_request(earlier, None, {"cluster": "local"})
    assert request.numbers == (1, 3)
    arguments = dict(request.arguments)
    assert arguments.pop("trials") == [
        {"number": 1, "params": {"x": 1}, "seed": 99, "budget": None},
        {"number": 3, "params": {"x": 3}, "seed": trial_seed(7, 3), "budget": 9},
    ]
    assert arguments.pop("project") is earlier.project
    assert arguments == {
        "seed": 7,
        "seed_trials": False,
        "isolation": "process",
        "cluster": "local",
        "experiment": ID,
        "trial": None,
        "name": "digits",
        "direction": "MIN",
        "optimization_key": "loss",
        "group": None,
    }
    one = read_request(earlier, "0002", {})
    assert one.numbers == (2,)
    assert one.arguments["trial"] == 2


class Optimizer(str, enum.Enum):  # noqa: UP042 - as scripts have it
    ADAM = "adam"


def test_trials_get_the_numbers_that_json_lacks_and_a_note_tells_of_lost_types(tmp_path):
    params = {"limit": math.inf, "layers": (64, 32), "by": Optimizer.ADAM, "word": "NaN", "n": 1}
    outputs = {"loss": math.inf, "accuracy": 0.5}
    trials = [result(1, params, 0.5, outputs=outputs), result(2, {"limit": -math.inf}, 0.5)]
    request = read_request(kept(tmp_path, trials), None, {})
    one, two = request.arguments["trials"]
    assert one["params"] == {
        "limit": math.inf, "layers": [64, 32], "by": "adam", "word": "NaN", "n": 1,
    }  # fmt: skip
    assert two["params"] == {"limit": -math.inf}
    assert request.notes == {
        1: (
            "layers (tuple) is given as JSON has it",
            "by (Optimizer) is given as JSON has it",
            "word has text that may have been a number",
        )
    }
    assert [each.outputs for each in request.recorded] == [outputs, {"accuracy": 0.5}]
    told = repeated_metrics("m", request.recorded, request.recorded, request.numbers, request.notes)
    assert [each.note.partition(";")[0] for each in told] == [request.notes[1][0], ""]


def test_a_trial_that_was_cut_off_has_the_parameters_that_it_began_with(tmp_path):
    earlier = kept(tmp_path, [result(1, {"x": 1}, 0.5)])
    paths = ExperimentPaths(ID)
    for name, params in (("0002-x=2", '{"x": 2}'), ("0003-x=3", None)):
        earlier.project.make_directory(paths.trial(name))
        earlier.project.replace(paths.trial(name, "output.log"), "")
        if params:
            earlier.project.replace(paths.trial(name, ".hparams.json"), params)
    [again] = read_request(earlier, 2, {}).arguments["trials"]
    assert again == {"number": 2, "params": {"x": 2}, "seed": trial_seed(ID, 2), "budget": None}
    assert read_request(earlier, 2, {}).recorded == ()
    with pytest.raises(NotFoundError, match="never got parameters"):
        read_request(earlier, 3, {})
    with pytest.raises(NotFoundError):
        read_request(earlier, 4, {})


def begun(earlier, directory, outputs=None):
    """Files of a trial that no summary tells of."""
    paths = ExperimentPaths(ID)
    earlier.project.make_directory(paths.trial(directory))
    earlier.project.replace(paths.trial(directory, ".hparams.json"), '{"x": 1}')
    earlier.project.replace(paths.trial(directory, "output.log"), "")
    if outputs is not None:
        earlier.project.replace(paths.trial(directory, ".outputs.json"), outputs)


def test_a_trial_that_confirms_a_winner_has_its_fresh_seed(tmp_path):
    earlier = kept(tmp_path, [result(1, {"x": 1}, 0.5)], options={"seed": 7})
    done = result(1000001, {"x": 1}, 0.25, seed=4321, budget=9)
    begun(earlier, f"confirmation/{done.name}", commit_text(done, files=[]))
    for text in (1000001, "1000001", done.name):
        request = read_request(earlier, text, {})
        assert request.arguments["trials"] == [
            {"number": 1000001, "params": {"x": 1}, "seed": 4321, "budget": 9}
        ]
        [recorded] = request.recorded
        assert (recorded.number, recorded.metric) == (1000001, 0.25)
    begun(earlier, "confirmation/1000002-x=1")
    without_seed = result(1000003, {"x": 1}, 0.25)
    begun(earlier, f"confirmation/{without_seed.name}", commit_text(without_seed, files=[]))
    for number in (1000002, 1000003):
        with pytest.raises(NotFoundError, match="fresh seed, and has no result that tells which"):
            read_request(earlier, number, {})
    begun(earlier, "confirmation/1000004-x=1", "{}")
    with pytest.raises(DamagedFileError):
        read_request(earlier, 1000004, {})


def test_a_trial_that_ended_after_the_last_summary_is_compared(tmp_path):
    earlier = kept(tmp_path, [result(1, {"x": 1}, 0.5)])
    done = result(2, {"x": 1}, 0.75, seed=5)
    begun(earlier, done.name, commit_text(done, files=[]))
    request = read_request(earlier, 2, {})
    assert request.arguments["trials"][0]["seed"] == 5
    assert [each.metric for each in request.recorded] == [0.75]
    begun(earlier, "0003-x=1", "{}")  # damaged: it has no result
    assert read_request(earlier, 3, {}).recorded == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"program": None}, "keeps no program"),
        ({"train": "train.py:main.<locals>.f"}, "no name at the top level"),
        ({"train": "train.py:<lambda>"}, "no name at the top level"),
        ({"results": []}, "no trial of it has a result"),
        ({"options": {"num_workers": 2}, "function": "lagom"}, "cannot be repeated"),
        ({"function": "ablation"}, "the study, which makes dataset and model of each trial, is"),
        ({"options": {"interactions": 1}, "function": "lagom"}, "is not kept"),
    ],
)
def test_what_cannot_be_repeated_is_refused(tmp_path, changes, told):
    earlier = kept(tmp_path, **{"results": [result(1, {"x": 1}, 0.5)], **changes})
    with pytest.raises(InvalidArgumentError, match=told):
        read_request(earlier, None, {})


@pytest.mark.parametrize("cluster", ["debug", {"kind": "debug"}, "debug.yaml"])
def test_a_debugger_s_rerun_leaves_out_what_only_a_process_can_have(tmp_path, monkeypatch, cluster):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "debug.yaml").write_text("kind: debug\n")
    options = {"isolation": "process", "trial_timeout": 60.0, "retries": 2}
    earlier = kept(tmp_path, [result(1, {"x": 1}, 0.5)], options=options)
    assert options.items() <= read_request(earlier, None, {"cluster": "local"}).arguments.items()
    arguments = dict(read_request(earlier, None, {"cluster": cluster}).arguments)
    assert "isolation" not in arguments
    plan = rerun.plan(train, **arguments)  # refuses what it cannot have
    assert (plan.options.retries, plan.options.trial_timeout) == (2, None)


def test_a_study_around_a_winner_is_repeated_as_a_search_is(tmp_path):
    trials = [result(5, {"x": 1}, 0.5, repeat=3, seed=11), result(6, {"x": 4}, 0.75, repeat=3)]
    options = {"around": "digits-1", "interactions": 1, "seed": 7}
    earlier = kept(tmp_path, results=trials, function="ablation", options=options)
    request = read_request(earlier, None, {})
    assert request.numbers == (5, 6)
    assert [one["seed"] for one in request.arguments["trials"]] == [11, trial_seed(7, 3)]


def test_a_distributed_training_keeps_its_processes(tmp_path):
    options = {"num_workers": 3, "num_ps": 1, "evaluator": True}
    earlier = kept(tmp_path, [result(1, {}, 0.5)], function="parameter_server", options=options)
    group = read_request(earlier, None, {}).arguments["group"]
    assert group == {"framework": "parameter_server", **options}


def trial(number, metric=None, **changes):
    told = {"state": State.FINISHED, **changes}
    return TrialResult(number, f"{number:04d}", {}, metric=metric, **told)


def test_metrics_are_compared_trial_by_trial():
    failure = Failure("ValueError", "no")
    then = [
        trial(2, 0.5),
        trial(5, 0.7, state=State.STOPPED, why_stopped=Why("median", 0.7, "it is bad", 3)),
        trial(6, 0.8, continues=2),
        trial(7, state=State.FAILED, failure=failure),
    ]
    now = [trial(1, 0.5), trial(2, 0.9), trial(3, state=State.FAILED, failure=failure)]
    told = repeated_metrics("accuracy", then, now, (2, 5, 6, 7))
    assert [(each.trial, each.recorded, each.now) for each in told] == [
        (2, 0.5, 0.5),
        (5, 0.7, 0.9),
        (6, 0.8, None),
        (7, None, None),
    ]
    assert [each.name for each in told] == ["accuracy"] * 4
    assert [each.note for each in told] == [
        "",
        "it was stopped early",
        "it went on from trial 2; failed now: ValueError: no",
        "it had failed; no result now",
    ]
    assert told[1].difference == pytest.approx(0.2)


def test_without_a_metric_the_outputs_that_are_numbers_are_compared():
    then = [trial(1, outputs={"loss": 0.5, "plot": "a.png", "log": "a/output.log"}), trial(2)]
    now = [trial(1, outputs={"loss": 0.25, "epochs": 3}), trial(2)]
    told = repeated_metrics(None, then, now, (1, 2))
    assert [(each.trial, each.name, each.recorded, each.now) for each in told] == [
        (1, "loss", 0.5, 0.25),
        (1, "epochs", None, 3),
        (2, "metric", None, None),
    ]


@pytest.mark.parametrize(
    ("recorded", "now", "tolerance", "within"),
    [
        (0.5, 0.5, 0.0, True),
        (0.5, 0.51, 0.0, False),
        (0.5, 0.51, 0.02, True),
        (0.51, 0.5, 0.001, False),
        (math.inf, math.inf, 0.0, True),
        (math.inf, -math.inf, 1.0, False),
        (math.nan, math.nan, 0.0, True),
        (math.nan, 0.5, 9.0, False),
        (0.5, None, 9.0, False),
        (None, None, 0.0, True),
    ],
)
def test_numbers_are_within_a_tolerance_or_not(recorded, now, tolerance, within):
    assert RepeatedMetric(1, "m", recorded, now).is_within(tolerance) is within


ENVIRONMENT = """\
# Python 3.12.1 (cpython)
# Linux-6.1
# GPU 1 x A100
# driver 550.1
hopsml-flows==0.1.0
Local_Tool==2.0
numpy==2.1.0
of-git==1.0
of-url==1.0
"""

LOCK = """\
lock-version = "1.0"
created-by = "hopsml-flows"

[[packages]]
name = "numpy"
version = "2.1.0"
wheels = [{name = "numpy.whl", path = "numpy.whl", hashes = {record-sha256 = "aa"}}]

[[packages]]
name = "of-git"
vcs = {type = "git", url = "https://host/repo.git", commit-id = "c0ffee", subdirectory = "py"}

[[packages]]
name = "of-url"
archive = {url = "https://host/of-url.tar.gz", hashes = {sha256 = "aa"}}

[[packages]]
name = "local-tool"
directory = {path = "/home/ada/local tool", editable = true}
"""


def test_an_environment_is_built_from_versions_and_from_where_packages_came_from():
    assert requirements_of(ENVIRONMENT, LOCK.encode()) == Requirements(
        "3.12.1",
        (
            "local-tool @ file:///home/ada/local%20tool",
            "numpy==2.1.0",
            "of-git @ git+https://host/repo.git@c0ffee#subdirectory=py",
            "of-url @ https://host/of-url.tar.gz",
        ),
    )
    assert requirements_of(ENVIRONMENT, None).lines[0] == "local-tool==2.0"


def test_an_experiment_without_packages_has_no_environment_to_build():
    for text in (None, "", "numpy==2.1.0\n"):
        with pytest.raises(SavedEnvironmentError, match="no list"):
            requirements_of(text, None)
    with pytest.raises(DamagedFileError, match=r"pylock\.toml"):
        requirements_of(ENVIRONMENT, b"[[packages")


def test_a_package_that_cannot_be_installed_is_named_and_leaves_no_environment(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = Requirements(python, ("no-such-package-of-anyone==1.0",))
    with pytest.raises(SavedEnvironmentError, match="no-such-package-of-anyone"):
        build_environment(wanted)
    assert not any(entry.is_dir() for entry in (tmp_path / "cache/environments").iterdir())
    # Without packages it can be built, and is found again.
    built = build_environment(Requirements(python, ()))
    assert os.access(built, os.X_OK)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    with pytest.raises(MissingPackageError, match="pip install uv"):
        build_environment(Requirements(python, ()))


def train(x, budget=1):
    return x * budget


def planned(*trials, function=train, **arguments):
    told = [{"number": n, "params": p, "seed": s, "budget": b} for n, p, s, b in trials]
    return rerun.plan(function, trials=told, experiment=ID, **arguments)


def test_the_plan_has_the_trials_with_their_budgets_and_seeds(tmp_path):
    plan = planned(
        (3, {"x": 1}, 30, 9), (5, {"x": 2}, 50, None), direction="MIN", project=tmp_path / "project"
    )
    assert [(p.params, p.budget) for p in plan.search().ask()] == [({"x": 1}, 9), ({"x": 2}, None)]
    assert plan.repeats.seeds == {1: 30, 2: 50}
    assert plan.repeats.as_json() == {"experiment": ID, "trial": None}
    assert plan.space == {"x": [1, 2]}
    assert plan.needs_metric
    assert plan.own_directory
    assert (plan.verb, plan.experiment_type) == ("rerun", "PARALLEL_EXPERIMENTS")
    one = planned((1, {}, 7, None), function=lambda: 1, project=tmp_path / "project")
    assert not one.own_directory
    assert one.experiment_type == "EXPERIMENT"


def test_the_flow_run_of_many_trials_keeps_their_numbers_alone(tmp_path):
    trials = [
        {"number": n, "params": {"x": "a long text " * 10}, "seed": n, "budget": None}
        for n in range(1, 10_001)
    ]
    given = {"train": train, "trials": trials, "experiment": ID, "project": tmp_path / "project"}
    plan = rerun.plan(**given)
    stored = json.loads(json.dumps(plan.parameters(given), allow_nan=False))
    assert stored["trials"] == list(range(1, 10_001))
    assert len(json.dumps(trials)) > 524_288 > len(json.dumps(stored))  # Prefect's limit
    with pytest.raises(InvalidArgumentError, match=f"`hopsml rerun {ID}` reads the trials"):
        rerun.plan(**stored)


def test_parameters_that_the_function_does_not_take_are_refused_before_anything_starts(tmp_path):
    with pytest.raises(SignatureMismatchError):
        planned((1, {"x": 1, "z": 2}, 7, None), project=tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_a_job_gives_repeated_trials_the_seeds_that_they_had(tmp_path):
    job = Job(
        function=b"",
        project=Project(tmp_path),
        experiment_id=ID,
        optimization_key=None,
        needs_metric=False,
        local_logdir=False,
        directory="",
        seed=7,
        trial_seeds={1: 30},
    )
    seeds = [job.trial_seed(Trial(number, f"000{number}", {})) for number in (1, 2)]
    assert seeds == [30, trial_seed(7, 2)]


def test_a_request_is_gone_when_its_program_begins(tmp_path):
    look = f"import os\nraise RuntimeError(str(os.listdir({str(tmp_path / 'run')!r})))"
    request = read_request(kept(tmp_path, [result(1, {"x": 1}, 0.5)], program=look), 1, {})
    (tmp_path / "run").mkdir()
    (tmp_path / "run/request").write_bytes(pickle.dumps(request))
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "hopsml_flows.rerun.child", str(tmp_path / "run")],
        stdin=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:  # fmt: skip
        assert process.wait(120) == 1
    answer = pickle.loads((tmp_path / "run/answer").read_bytes())
    assert "RuntimeError: ['program']" in str(answer.error)


@pytest.mark.parametrize("tolerance", [-0.5, math.nan, math.inf])
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(InvalidArgumentError, match="--check"):
        command("last", check=tolerance)
