"""What Python prints of this project's errors at the end of a script."""

from __future__ import annotations

import contextlib
import sys
import traceback
import types

import pytest

from hopsml_flows import user_tracebacks
from hopsml_flows.errors import ExperimentFailedError
from hopsml_flows.user_tracebacks import brief_in_ipython, install, users_traceback

LIBRARY = """
import contextlib

@contextlib.contextmanager
def inside():
    yield

def call(function, *args):
    with inside():
        return function(*args)

def fail(error, cause=None):
    raise error from cause

def fail_again(function, error):
    try:
        function()
    except Exception:
        raise error
"""


def module(name):
    made = types.ModuleType(name)
    exec(compile(LIBRARY, f"/lib/{name}.py", "exec"), vars(made))
    return made


PREFECT, OURS, OTHER = module("prefect.engine"), module("hopsml_flows.verbs"), module("their.lib")


def raised_by(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error
    return pytest.fail("nothing was raised")


@pytest.fixture
def printed(monkeypatch, capsys):
    """What the hook prints of the exception that a call raises."""

    def run(function, *args):
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
        install()
        error = raised_by(function, *args)
        before = traceback.format_exception(error)
        sys.excepthook(type(error), error, error.__traceback__)
        assert traceback.format_exception(error) == before  # put back
        return capsys.readouterr().err

    return run


def test_an_error_has_the_users_frames_alone(printed):
    text = printed(OURS.call, PREFECT.call, OURS.fail, ExperimentFailedError("all failed"))
    assert "ExperimentFailedError: all failed" in text
    assert __file__ in text
    for word in ("prefect", "/lib/hopsml_flows", "contextlib"):
        assert word not in text
    assert text.count("  File ") == 1


def test_frames_of_other_libraries_stay(printed):
    text = printed(OTHER.call, PREFECT.call, OURS.fail, ExperimentFailedError("x"))
    assert "/lib/their.lib.py" in text
    assert "/lib/prefect.engine.py" not in text


def test_the_users_causes_stay_with_their_lines(printed):
    try:
        int("no number")  # a cause
    except ValueError as error:
        cause = error
    text = printed(PREFECT.call, OURS.fail, ExperimentFailedError("x"), cause)
    assert 'int("no number")  # a cause' in text
    assert "direct cause" in text
    assert "/lib/" not in text


def test_a_librarys_cause_stays_without_its_frames(printed):
    cause = None
    with contextlib.suppress(OSError):
        cause = OSError("no room")
        PREFECT.fail(cause)
    cause.__traceback__ = cause.__traceback__.tb_next  # it never was in this file
    text = printed(OURS.fail, ExperimentFailedError("x"), cause)
    assert "OSError: no room" in text
    assert "/lib/" not in text


def test_what_a_library_handled_meanwhile_is_left_out(printed):
    def meanwhile():
        raise KeyError("of the user")

    text = printed(PREFECT.fail_again, meanwhile, ExperimentFailedError("x"))
    assert "of the user" in text
    text = printed(PREFECT.fail_again, lambda: OURS.fail(OSError("inside")), ValueError("x"))
    assert "inside" in text  # of another error nothing is left out
    library = types.FunctionType(OURS.fail.__code__, vars(OURS), "fail", (OSError("inside"), None))
    text = printed(PREFECT.fail_again, library, ExperimentFailedError("x"))
    assert "inside" not in text
    assert "ExperimentFailedError: x" in text


def test_all_other_exceptions_are_printed_whole(printed):
    text = printed(OURS.call, PREFECT.fail, ValueError("a bug"))
    assert "/lib/prefect.engine.py" in text
    assert "/lib/hopsml_flows.verbs.py" in text


def test_an_error_without_a_users_frame_is_printed_whole(monkeypatch, capsys):
    error = ExperimentFailedError("x")
    with contextlib.suppress(ExperimentFailedError):
        OURS.fail(error)
    trace = error.__traceback__.tb_next
    error.__traceback__ = trace
    assert users_traceback(trace) is None
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    install()
    sys.excepthook(type(error), error, trace)
    assert "/lib/hopsml_flows.verbs.py" in capsys.readouterr().err


def test_the_hook_is_installed_once_over_the_one_before(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args))
    install()
    hook = sys.excepthook
    install()
    assert sys.excepthook is hook
    error = KeyError("other")
    hook(KeyError, error, None)
    assert seen == [(KeyError, error, None)]


def test_ipython_gets_lines_with_the_users_frames_alone(monkeypatch):
    fake = types.SimpleNamespace(get_ipython=lambda: object())
    monkeypatch.setitem(sys.modules, "IPython", fake)

    def cell(error):
        with brief_in_ipython():
            PREFECT.call(OURS.fail, error)

    error = raised_by(cell, ExperimentFailedError("all failed"))
    whole = traceback.format_exception(error)
    lines = error._render_traceback_()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].endswith("ExperimentFailedError: all failed")
    assert "/lib/" not in "".join(lines)
    assert "PREFECT.call(OURS.fail, error)" in "".join(lines)
    assert traceback.format_exception(error) == whole
    assert not hasattr(raised_by(cell, KeyError("a bug")), "_render_traceback_")
    fake.get_ipython = lambda: None
    assert not hasattr(raised_by(cell, ExperimentFailedError("x")), "_render_traceback_")


def test_ipython_keeps_its_hook(monkeypatch):
    fake = types.SimpleNamespace(get_ipython=lambda: object())
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setattr(sys, "excepthook", before := sys.__excepthook__)
    install()
    assert sys.excepthook is before
    fake.get_ipython = lambda: None  # imported by a script, and not running
    install()
    assert isinstance(sys.excepthook, user_tracebacks._ShortHook)
