"""Wrong arguments of the verbs: a typed error, and not a process, a server or a file."""

from __future__ import annotations

import math
import os
import socket

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import open_cluster
from hopsml_flows.errors import (
    FunctionNotFoundError,
    InvalidArgumentError,
    InvalidClusterError,
    InvalidFunctionError,
    InvalidProjectError,
    InvalidSpaceError,
    SignatureMismatchError,
)
from hopsml_flows.experiment import Direction


def training(rate, units=1):
    return rate * units


def everything_below(*directories):
    return {
        os.path.join(parent, name)
        for directory in directories
        for parent, folders, files in os.walk(directory)
        for name in (*folders, *files)
    }


@pytest.fixture(autouse=True)
def nothing_is_started_or_written(tmp_path, monkeypatch):
    """Holds for every test here: the same files and child processes after as before."""
    monkeypatch.chdir(tmp_path)
    home = os.environ["PREFECT_HOME"]
    before = everything_below(tmp_path, home), set(psutil.Process().children(recursive=True))
    yield
    after = everything_below(tmp_path, home), set(psutil.Process().children(recursive=True))
    assert after[0] - before[0] == set()
    assert after[1] - before[1] == set()


def grid(train=training, grid_dict=None, **options):
    return experiment.grid_search(train, grid_dict or {"rate": [1, 2]}, **options)


def random(train=training, boundary_dict=None, **options):
    return experiment.random_search(train, boundary_dict or {"rate": [0.1, 0.2]}, **options)


def launch(train=training, args_dict=None, **options):
    return experiment.launch(train, args_dict or {"rate": [1, 2]}, **options)


def evolution(train=training, boundary_dict=None, **options):
    bounds = boundary_dict or {"rate": [0.1, 0.2]}
    return experiment.differential_evolution(train, bounds, **options)


VERBS = pytest.mark.parametrize("verb", [launch, grid, random, evolution])
SPACE_VERBS = pytest.mark.parametrize("verb", [random, evolution])


@VERBS
@pytest.mark.parametrize("train", [None, 5, "", ["a"], int], ids=repr)
def test_what_is_no_function(verb, train):
    with pytest.raises(InvalidArgumentError, match=r"^train: ") as caught:
        verb(train)
    assert isinstance(caught.value, (InvalidFunctionError, FunctionNotFoundError))


@VERBS
@pytest.mark.parametrize(
    ("train", "part"),
    [
        ("no_such_package:training", "no module 'no_such_package'"),
        ("json:no_such_name", "no 'no_such_name' in 'json'"),
        ("json:JSONDecoder", "'JSONDecoder' is no function"),
        ("nowhere/train.py:training", "no file 'nowhere/train.py'"),
        ("training", "must be 'package.module:name'"),
    ],
)
def test_an_import_string_that_does_not_resolve(verb, train, part):
    with pytest.raises(FunctionNotFoundError, match=part):
        verb(train)


@pytest.mark.parametrize(
    ("verb", "argument", "names", "problem"),
    [
        (grid, "grid_dict", {"unit": [1]}, r"missing: rate; not an argument.*: unit"),
        (random, "boundary_dict", {"units": [1, 2]}, r"missing: rate"),
        (evolution, "boundary_dict", {"rate": [1, 2], "x": [1, 2]}, r"not an argument.*: x"),
        (launch, "args_dict", {"rate": [1], "x": [1]}, r"not an argument of the function: x"),
    ],
)
def test_hyperparameters_that_do_not_match_the_signature(verb, argument, names, problem):
    with pytest.raises(SignatureMismatchError, match=rf"^{argument}: .*{problem}"):
        verb(training, names)


def test_a_launch_without_arguments_of_a_function_that_needs_some():
    with pytest.raises(SignatureMismatchError, match=r"^args_dict: .*missing: rate"):
        experiment.launch(training)


@pytest.mark.parametrize("values", [[], (), "ab", 5, None, {"a": 1}, {1, 2}], ids=repr)
def test_value_lists_that_are_empty_or_no_lists(values):
    with pytest.raises(InvalidSpaceError, match=r"^grid_dict\['rate'\]"):
        grid(training, {"rate": values})
    with pytest.raises(InvalidSpaceError, match=r"^args_dict\['rate'\]"):
        launch(training, {"rate": values})


@pytest.mark.parametrize("wrong", [{}, [], None, "ab", 5], ids=repr)
def test_spaces_that_are_empty_or_no_dicts(wrong):
    with pytest.raises(InvalidSpaceError, match=r"^grid_dict"):
        experiment.grid_search(training, wrong)
    for verb in (experiment.random_search, experiment.differential_evolution):
        with pytest.raises(InvalidSpaceError, match=r"^boundary_dict"):
            verb(training, wrong)


@pytest.mark.parametrize("wrong", [{}, [], "ab", 5], ids=repr)
def test_arguments_of_a_launch_that_are_empty_or_no_dict(wrong):
    with pytest.raises(InvalidSpaceError, match=r"^args_dict"):
        experiment.launch(training, wrong)


def test_lists_of_unequal_length_for_launch():
    with pytest.raises(InvalidSpaceError, match="equal length"):
        launch(training, {"rate": [1, 2], "units": [1]})


@pytest.mark.parametrize("verb", [grid, launch])
def test_a_value_that_json_cannot_hold(verb):
    with pytest.raises(InvalidSpaceError, match=r"\['rate'\]"):
        verb(training, {"rate": [object()]})


@SPACE_VERBS
@pytest.mark.parametrize(
    "bounds",
    [
        [1, 2, 3], [], 5, None, "ab", [1, "2"], [None, 2], [True, 2], ["one", "one"], ["\udce9"],
        [0.1, math.nan], [math.nan, 0.1], [0.1, math.inf], [-math.inf, 0.1],
    ],
    ids=repr,
)  # fmt: skip
def test_bounds_of_wrong_length_type_or_value(verb, bounds):
    with pytest.raises(InvalidSpaceError, match=r"^boundary_dict\['rate'\]"):
        verb(training, {"rate": bounds})


@pytest.mark.parametrize("verb", [grid, random, evolution])
@pytest.mark.parametrize("direction", ["up", "", None, 1, True])
def test_an_unknown_direction(verb, direction):
    with pytest.raises(InvalidArgumentError, match=r"^direction: "):
        verb(direction=direction)


@pytest.mark.parametrize("samples", [0, -3, 2.5, "5", None, True])
def test_samples_below_one_or_no_integer(samples):
    with pytest.raises(InvalidArgumentError, match=r"^samples: "):
        random(samples=samples)


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("generations", [0, -1, 2.5, "4", None, True]),
        ("population", [3, 0, -6, 6.0, "6", None, True]),
        ("mutation", [0, -0.5, 2.01, math.nan, math.inf, "0.5", None, True, 10**400]),
        ("crossover", [-0.01, 1.01, math.nan, "0.7", None, True, 10**400]),
        ("strategy", ["rand2bin", "", None, 1]),
        ("updating", ["eager", "", None, 1]),
        ("initial", [None, 5, "x", {"rate": 0.15}, [{"rate": 0.15}] * 7]),
        ("tol", [-0.1, math.nan, math.inf, "0", None, True, 10**400]),
        ("patience", [0, -1, 1.5, "2", True]),
        ("max_failed_generations", [0, -1, 1.5, "2", None, True]),
    ],
)
def test_wrong_arguments_of_differential_evolution(argument, values):
    for value in values:
        with pytest.raises(InvalidArgumentError, match=rf"^{argument}: "):
            evolution(**{argument: value})


@pytest.mark.parametrize(
    "point",
    [
        {"rate": 0.3, "units": 2},
        {"rate": "0.15", "units": 2},
        {"rate": 0.15, "units": 2.0},
        {"rate": 0.15, "units": 9},
        {"rate": 0.15},
        {"rate": 0.15, "units": 2, "more": 1},
        {},
        [0.15, 2],
        None,
        "rate",
    ],
    ids=repr,
)
def test_initial_points_outside_the_space_or_of_other_names(point):
    bounds = {"rate": [0.1, 0.2], "units": [1, 3]}
    with pytest.raises(InvalidArgumentError, match=r"^initial\[1\]"):
        evolution(training, bounds, initial=[{"rate": 0.15, "units": 2}, point])


@VERBS
@pytest.mark.parametrize(
    "resume",
    ["", " ", "../other", "a/b", "-a", "A-1", "a_b", "a.b", "a\n", 5, True, ["a"], b"a", "a" * 101,
     "a" * 300],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_an_experiment_to_resume_that_cannot_be_one(verb, resume):
    with pytest.raises(InvalidArgumentError, match=r"^resume: must be an experiment's identifier"):
        verb(resume=resume)


@VERBS
def test_an_experiment_to_resume_that_is_not_there(verb, tmp_path):
    for resume in ("digits-1", "a" * 100):
        with pytest.raises(
            InvalidArgumentError, match=rf"^resume: must be an experiment of .*{resume}"
        ):
            verb(resume=resume, project=str(tmp_path / "project"))


@VERBS
@pytest.mark.parametrize(
    "project",
    ["", "  ", 5, "nonsense://x", "file://", "s3://", "s3:/bucket", "a\0b", "x" * 5000],
    ids=lambda value: repr(value)[:20],
)
def test_a_malformed_project(verb, project):
    with pytest.raises(InvalidProjectError, match=r"^project: "):
        verb(project=project)


@pytest.fixture
def a_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "file"
    path.write_text("kept")
    return path


@VERBS
def test_a_project_that_cannot_be_written(verb, a_file):
    with pytest.raises(InvalidProjectError, match="not a directory"):
        verb(project=str(a_file / "project"))
    assert a_file.read_text() == "kept"


@VERBS
@pytest.mark.parametrize(
    "cluster", ["", "nowhere", "host:8786", "tcp://host", "http://h:1", None, 3, {"workers": 1}]
)
def test_an_unknown_cluster(verb, cluster):
    with pytest.raises(InvalidClusterError, match=r"^cluster"):
        verb(cluster=cluster)


def test_a_scheduler_that_does_not_answer(monkeypatch):
    assert open_cluster.CONNECT_SECONDS == 10
    monkeypatch.setattr(open_cluster, "CONNECT_SECONDS", 1)
    with socket.socket() as silent:  # accepts, and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InvalidClusterError, match="no scheduler answered") as caught:
            grid(cluster=address)
    assert caught.value.value == address


def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr(open_cluster, "CONNECT_SECONDS", 1)
    with socket.socket() as unheard:  # bound, so that nobody else is there either
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(InvalidClusterError, match="no scheduler answered"):
            grid(cluster=f"tcp://127.0.0.1:{unheard.getsockname()[1]}")


def test_gpus_where_there_are_none(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InvalidClusterError, match="GPU"):
        grid(cluster="cuda")


@VERBS
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", ""),
        ("name", "  "),
        ("name", 5),
        ("description", 5),
        ("local_logdir", "yes"),
        ("local_logdir", None),
        ("tensorboard", "yes"),
        ("tensorboard", 1),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", "3"),
        ("retries", -1),
        ("retries", None),
        ("retries", 1.5),
        ("tags", "tag"),
        ("tags", [1]),
        ("tags", [""]),
        ("tags", {"a": 1}),
        ("progress", "yes"),
    ],
)
def test_a_wrong_option_is_refused_by_name_and_value(verb, option, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{option}: ") as caught:
        verb(**{option: value})
    assert caught.value.value == value


@pytest.mark.parametrize("verb", [grid, random, evolution])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("confirm", 0), ("confirm", 1), ("confirm", 101), ("confirm", "5"), ("confirm", True),
        ("confirm", 2.5), ("only_if_better", ""), ("only_if_better", "a/b"),
        ("only_if_better", True),
    ],
)  # fmt: skip
def test_a_wrong_option_of_a_search_is_refused_by_name_and_value(verb, option, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{option}: ") as caught:
        verb(**{option: value})
    assert caught.value.value == value


@pytest.mark.parametrize("option", ["confirm", "only_if_better", "approve", "approve_timeout"])
def test_what_is_no_search_has_no_winner_to_confirm(option):
    with pytest.raises(TypeError, match=option):
        launch(**{option: 5})


@pytest.mark.parametrize("key", ["", None, 5])
def test_a_wrong_optimization_key(key):
    for verb in (grid, random, evolution):
        with pytest.raises(InvalidArgumentError, match=r"^optimization_key: "):
            verb(optimization_key=key)


@pytest.mark.parametrize("key", ["", 5])
def test_a_wrong_metric_key(key):
    with pytest.raises(InvalidArgumentError, match=r"^metric_key: "):
        launch(metric_key=key)


def test_an_argument_that_is_missing_or_unknown_is_a_type_error_as_for_any_function():
    with pytest.raises(TypeError, match="grid_dict"):
        experiment.grid_search(training)
    with pytest.raises(TypeError, match="nonsense"):
        grid(nonsense=1)


def test_the_first_wrong_argument_is_found_even_with_others_right(tmp_path):
    with pytest.raises(InvalidSpaceError):
        experiment.random_search(
            training, {"rate": [1, 2, 3]}, Direction.MIN, 5, "name", project=str(tmp_path / "p")
        )
