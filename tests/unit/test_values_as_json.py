"""What JSON holds of a value, and what tells values apart."""

from __future__ import annotations

import enum
import json
import math
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pytest

from hopsml_flows.errors import InvalidOutputError, InvalidSpaceError
from hopsml_flows.search import Categorical, GridSearch
from hopsml_flows.trials import trial_name
from hopsml_flows.values.plain import (
    configuration_key,
    image_key,
    is_jsonable,
    json_value,
    lost_type,
    text_of,
    typed_key,
    with_floats,
    without_floats,
)

NAN, INF = math.nan, math.inf


class Opt(str, enum.Enum):  # noqa: UP042 - as scripts have it
    ADAM = "adam"
    SGD = "sgd"


class Level(enum.IntEnum):
    LOW = 1


class Plain(enum.Enum):
    ONE = 1


class Size(NamedTuple):
    width: object
    height: object


@pytest.mark.parametrize(
    ("value", "image"),
    [
        (Opt.ADAM, "adam"),
        (Level.LOW, 1),
        ({Opt.SGD: Level.LOW}, {"sgd": 1}),
        ([NAN, -INF, -0.0], ["NaN", "-Infinity", -0.0]),
        (Size(1, (2, 3)), [1, [2, 3]]),
        ({10, 9, 2.5, True}, [True, 2.5, 9, 10]),
        ({"b", "a", None, 3, INF}, [3, "Infinity", "a", "b", None]),
        (frozenset({(1, 2), frozenset({4, 3})}), [[1, 2], [3, 4]]),
        ({1: PurePosixPath("a") / "b"}, {"1": "a/b"}),
        (np.array([[1.5, np.nan]]), [[1.5, "NaN"]]),
    ],
    ids=text_of,  # the order of a set is another one in each process
)
def test_the_image_of_a_value_is_strict_json_of_built_in_types(value, image):
    got = json_value("value", value)
    assert repr(got) == repr(image)
    assert repr(json.loads(json.dumps(got, allow_nan=False))) == repr(image)
    assert image_key(value) == image_key(got)


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def holding_itself():
    value = []
    value.append(value)
    return value


UNSTORABLE = [
    Plain.ONE, b"x", bytearray(b"x"), object(), len, np.ndarray, 1j, 10**5000, {1: "a", "1": "b"},
    holding_itself(), nested(200), (number for number in range(2)), [{"deep": {b"x"}}],
]  # fmt: skip


@pytest.mark.parametrize("value", UNSTORABLE, ids=lambda value: type(value).__name__)
def test_what_cannot_come_back_is_refused_naming_the_hyperparameter(value):
    assert not is_jsonable(value)
    with pytest.raises(
        InvalidSpaceError, match=r"^grid_dict\['x'\]: must hold only values that JSON"
    ):
        GridSearch({"x": [1, value]})
    with pytest.raises(
        InvalidSpaceError, match=r"^choices: must hold only values that JSON can represent"
    ):
        Categorical([1, value])


@pytest.mark.parametrize("value", UNSTORABLE, ids=lambda value: type(value).__name__)
def test_as_an_output_it_is_refused_too(value):
    with pytest.raises(InvalidOutputError, match=r"^x"):
        json_value("x", value)


@pytest.mark.parametrize(
    "choices", [[(3, 3), [3, 3]], [NAN, "NaN"], [Path("a"), "a"], [Opt.ADAM, "adam"]]
)
def test_choices_that_are_one_in_json_are_refused_saying_so(choices):
    with pytest.raises(InvalidSpaceError, match="must be different values in JSON too"):
        Categorical(choices)


def test_a_grid_may_have_them_since_its_numbers_tell_them_apart():
    search = GridSearch({"x": [(3, 3), [3, 3], NAN, "NaN"]})
    assert repr([p.params["x"] for p in search.ask()]) == "[(3, 3), [3, 3], nan, 'NaN']"


def test_values_are_told_apart_by_their_types_at_all_depths():
    values = [
        1, 1.0, True, "1", None, NAN, -0.0, 0.0, "NaN", (1,), [1], [1.0], {1}, frozenset({1}),
        {1: 1}, {"1": 1}, Opt.ADAM, "adam", Level.LOW, Size(1, 1), (1, 1), Path("a"), "a",
        np.array([1]), np.array([1.0]), np.array([1], dtype="int8"), [np.float64(1)],
    ]  # fmt: skip
    assert len({typed_key(value) for value in values}) == len(values)
    assert len({configuration_key({"x": value}) for value in values}) == len(values)


def test_equal_values_have_one_key_whatever_the_order_they_were_made_in():
    words = [f"word{i}" for i in range(50)]
    for one, other in (
        ({*words}, {*words[::-1]}),
        ({"a": 1, "b": {2}}, {"b": {2}, "a": 1}),
        (np.arange(5000), np.arange(5000)),
    ):
        assert typed_key(one) == typed_key(other)
        assert image_key(one) == image_key(other)
    assert typed_key(np.arange(5000)) != typed_key(np.arange(5000) // 4999)


def test_sets_are_the_same_text_and_name_in_every_process():
    code = (
        "from hopsml_flows.values.plain import json_value, text_of, typed_key\n"
        "from hopsml_flows.trials import trial_name\n"
        "v = {'relu', 'tanh', 'elu', 'gelu', 'silu'}\n"
        "print(trial_name(1, {'act': v}), json_value('value', [v]), text_of((v,)), typed_key(v))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"b", "a"}, "0001-x=_a_b"),
        (Opt.ADAM, "0001-x=adam"),
        (Path("a/b.csv"), "0001-x=a_b.csv"),
        ((3, 3), "0001-x=_3_3"),
        (NAN, "0001-x=nan"),
        (np.array([1, 2]), "0001-x=_1_2"),
    ],
    ids=text_of,  # the order of a set is another one in each process
)
def test_names_are_made_of_what_is_the_same_everywhere(value, name):
    assert trial_name(1, {"x": value}) == name


def test_text_for_people_is_as_python_has_it_but_for_sets():
    assert text_of((3, 3)) == "(3, 3)"
    assert text_of(Path("a")) == "a"
    assert text_of({"k": {2, 1}}) == "{'k': [1, 2]}"


OUTPUTS = {
    "loss": NAN, "said": "NaN", "curve": [1.0, INF, "Infinity", [-INF]], "deep": {"a": {"b": NAN}},
    "text": "x", "none": None, "n": 3,
}  # fmt: skip


def test_numbers_that_json_lacks_come_back_and_texts_that_look_so_stay():
    strict, paths = without_floats(OUTPUTS)
    stored = json.loads(json.dumps([strict, paths], allow_nan=False))
    assert strict["loss"] == "NaN"
    assert paths == [["loss"], ["curve", 1], ["curve", 3, 0], ["deep", "a", "b"]]
    assert repr(with_floats(*stored)) == repr(OUTPUTS)


@pytest.mark.parametrize(
    "path",
    [[], ["text"], ["missing"], ["curve"], ["curve", 9], ["curve", -1], ["curve", "1"], ["n"],
     ["loss", 0], [0], 5, None, ["curve", True]],
    ids=text_of,  # the order of a set is another one in each process
)  # fmt: skip
def test_a_path_that_leads_to_no_such_number_is_an_error(path):
    strict, _ = without_floats(OUTPUTS)
    with pytest.raises((ValueError, TypeError)):
        with_floats(strict, [path])


@pytest.mark.parametrize(
    ("value", "lost"),
    [
        *[(kept, None) for kept in (None, True, 1, 0.5, NAN, "a", [1, [{"a": [INF]}]], {})],
        *[(scalar, None) for scalar in (np.float32(1), np.int64(1), np.array(2.5))],
        ((1, 2), "tuple"),
        ([[], {"a": {3}}], "set"),
        ({"a": frozenset()}, "frozenset"),
        ({1: "a"}, "int"),
        ({(1, 2): "a"}, "tuple"),
        (PurePosixPath("a"), "PurePosixPath"),
        (Opt.ADAM, "Opt"),
        ([Level.LOW], "Level"),
        (Size(1, 2), "Size"),
        (np.arange(3), "ndarray"),
    ],
    ids=repr,
)
def test_a_type_that_json_does_not_give_back_is_named(value, lost):
    assert lost_type(value) == lost
