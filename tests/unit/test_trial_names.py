from __future__ import annotations

import re

import pytest

from hopsml_flows.trials import (
    experiment_id,
    generation_name,
    generation_of,
    number_of,
    run_name,
    slug,
    stamp_of,
    trial_name,
)


def test_a_flow_run_is_named_after_its_experiment_and_its_attempt():
    assert run_name("digits-1", 1) == "digits-1"
    assert run_name("digits-1", 2) == "digits-1 attempt 2"


@pytest.mark.parametrize(
    ("number", "params", "name"),
    [
        (7, {"learning_rate": 0.001, "dropout": 0.45}, "0007-learning_rate=0.001-dropout=0.45"),
        (1, {}, "0001"),
        (12345, {"a": 1}, "12345-a=1"),
        (2, {"opt": "sgd"}, "0002-opt=sgd"),
        (2, {"path": "/data/a b?.csv"}, "0002-path=_data_a_b_.csv"),
        (2, {"kernel": [3, 3]}, "0002-kernel=_3_3"),
        (2, {"x": -1e-07}, "0002-x=-1e-07"),
        (2, {"ü": "ö"}, "0002-=".rstrip("-=")),
        (2, {"x": None, "y": True}, "0002-x=None-y=True"),
        (2, {"x": "..."}, "0002-x"),
        (2, {"x": "a\nb\0c"}, "0002-x=a_b_c"),
    ],
)
def test_a_trial_is_named_after_its_number_and_its_parameters(number, params, name):
    assert trial_name(number, params) == name


def test_parameters_come_in_the_order_of_the_signature_and_then_of_the_dict():
    name = trial_name(1, {"c": 3, "b": 2, "a": 1}, order=("a", "unused", "b"))
    assert name == "0001-a=1-b=2-c=3"


def test_a_long_name_is_cut_to_a_hundred_characters():
    name = trial_name(3, {f"parameter_{i}": "x" * 20 for i in range(20)})
    assert len(name) == 100
    assert name.startswith("0003-parameter_0=xxx")


def test_a_cut_name_does_not_end_in_punctuation():
    for length in range(80, 110):
        name = trial_name(1, {"x": "a" * length, "y": "...", "z": "-" * 50})
        assert re.fullmatch(r"[A-Za-z0-9._=-]*[A-Za-z0-9]", name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Experiment!", "my-experiment"),
        ("digits", "digits"),
        ("../../etc/passwd", "etc-passwd"),
        ("---", "experiment"),
        ("实验", "experiment"),
        ("a" * 60, "a" * 40),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_an_experiments_name_becomes_a_slug(name, expected):
    assert slug(name) == expected


def test_an_experiment_id_is_slug_time_and_suffix():
    assert experiment_id("My Run", "20260102-030405", "abcdef") == "my-run-20260102-030405-abcdef"


@pytest.mark.parametrize("number", [1, 7, 9999, 10_000, 123_456])
@pytest.mark.parametrize("params", [{}, {"x": 1}, {"x": "..."}, {"ü": "ö"}, {"x": "a" * 200}])
def test_a_trials_number_is_read_from_its_name(number, params):
    assert number_of(trial_name(number, params)) == number


@pytest.mark.parametrize(
    "name",
    ["", "x", "7", "007-x=1", "0001x", "0001_x", "-0001", "x-0001", "experiment.json",
     ".hparams.json", "0001.png", "generation.0"],
)  # fmt: skip
def test_other_names_have_no_trials_number(name):
    assert number_of(name) is None


@pytest.mark.parametrize("number", [0, 1, 12, 1000])
def test_a_generations_number_is_read_from_its_name(number):
    assert generation_of(generation_name(number)) == number


def test_generations_are_named_as_hopsmls():
    assert generation_name(3) == "generation.3"


@pytest.mark.parametrize(
    "name",
    ["", "generation", "generation.", "generation.-1", "generation.1.5", "generation.1/0001",
     "generation-1", "xgeneration.1", "generation.1 ", "0001"],
)  # fmt: skip
def test_other_names_have_no_generations_number(name):
    assert generation_of(name) is None


def test_an_experiments_identifier_tells_its_start():
    assert stamp_of(experiment_id("20240101 x", "20240301-120000", "abcdef")) == "20240301-120000"


@pytest.mark.parametrize(
    "name",
    ["", "x", "x-20240301-120000", "20240301-120000-abcdef", "../x-20240301-120000-abcdef",
     "x-20240301-120000-abcdef\n", "x-20240301-120000-abcdefa", "X-20240301-120000-abcdef"],
)  # fmt: skip
def test_what_is_no_experiments_identifier_tells_none(name):
    assert stamp_of(name) is None
