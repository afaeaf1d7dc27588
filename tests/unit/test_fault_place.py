"""Where in the user's code an exception arose; this file stands for the user's."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import sys

import pytest

from hopsml_flows.execution.fault_place import definition_place, fault_place, is_users_file


def caught(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return f"{__file__}:{first + next(n for n, line in enumerate(lines) if text in line)}"


def inner(value):
    raise ValueError(value)  # here


def outer(value):
    inner(value)


def of_a_library():
    json.loads("{")  # here


def again():
    try:
        inner(1)
    except ValueError as error:
        raise KeyError("other") from error  # here


@contextlib.contextmanager
def managed():
    inner(1)
    yield


def in_a_block():
    with managed():
        pass


@pytest.mark.parametrize(
    ("function", "args", "at"),
    [
        (inner, (1,), inner),
        (outer, (1,), inner),
        (of_a_library, (), of_a_library),
        (again, (), again),
    ],
)
def test_the_deepest_line_of_the_users_code_is_found(function, args, at):
    assert fault_place(caught(function, *args)) == line_of(at, "# here")


def test_a_users_frame_below_those_of_a_library_counts():
    assert fault_place(caught(in_a_block)) == line_of(inner, "# here")


def test_an_error_that_no_users_code_raised_has_no_place():
    error = caught(json.loads, "{")
    error.__traceback__ = error.__traceback__.tb_next  # without this file's frame
    assert fault_place(error) == ""
    assert fault_place(ValueError("never raised")) == ""


def test_a_syntax_error_of_a_module_is_where_python_says(tmp_path, monkeypatch):
    (tmp_path / "broken_module_of_a_test.py").write_text("x = 1\ny = = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    error = caught(__import__, "broken_module_of_a_test")
    assert fault_place(error) == f"{tmp_path}/broken_module_of_a_test.py:2"


def wrapped(function):
    @functools.wraps(function)
    def call(*args):
        return function(*args)

    return call


class Callable:
    def __call__(self):
        return 1


def test_a_function_is_found_where_it_is_defined():
    expected = line_of(inner, "def inner")
    assert definition_place(inner) == expected
    assert definition_place(functools.partial(functools.partial(inner), 1)) == expected
    assert definition_place(wrapped(inner)) == expected
    assert definition_place(Callable()) == line_of(Callable, "def __call__")


@pytest.mark.parametrize("function", [json.loads, len, dict])
def test_a_function_that_is_not_the_users_has_no_place(function):
    assert definition_place(function) == ""


@pytest.mark.parametrize(
    ("file", "users"),
    [
        (__file__, True),
        ("train.py", True),
        ("/tmp/ipykernel_12/345.py", True),
        ("<stdin>", True),
        ("<ipython-input-3-0a1b>", True),
        ("<python-input-0>", True),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
        (json.__file__, False),
        (pytest.__file__, False),
        (sys.modules["hopsml_flows"].__file__, False),
        ("/usr/lib/python3/dist-packages/numpy/core.py", False),
    ],
)
def test_the_users_files_are_told_from_all_others(file, users):
    assert is_users_file(file) == users
