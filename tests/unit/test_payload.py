"""A packed function: what travels with it, and what the process that unpacks it becomes like."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from hopsml_flows.execution import packed
from hopsml_flows.execution.payload import LARGEST_EXTRA, Payload, sent_along, unpacked
from hopsml_flows.execution.sources import modules_below

SCRIPT = """
import enum, json, sys, threading
import collections as containers
from hopsml_flows.execution.payload import packed

FACTOR = 3
LARGE = "x" * (2 << 20)
UNPICKLABLE = threading.Lock()

class Net:
    '''A class that the function uses.'''
    def __init__(self, size): self.size = size

class Unused:
    pass

def helper(x): return x * FACTOR

def unused(x): return helper(x) + 1

def large(): return LARGE

def broken(): return UNPICKLABLE

def train(x):
    return Net(helper(x)).size

if __name__ == "__main__":
    sys.stdout.buffer.write(packed(train, by_value=False))
"""

READER = """
import json, pickle, sys
from pathlib import Path
from hopsml_flows.execution.payload import live_in_this_process, unpacked
data = Path(sys.argv[1]).read_bytes()
live_in_this_process(data, Path(sys.argv[2]))
train = unpacked(data, own_process=True)
"""


@pytest.fixture
def script(tmp_path):
    """A script's packed function, the script itself being gone."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(path), "--flag"], capture_output=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    path.unlink()
    (tmp_path / "packed").write_bytes(done.stdout)
    return tmp_path


@pytest.fixture
def ask(script):
    """Evaluate expressions in a process that has unpacked the function."""

    def evaluate(*lines):
        code = READER + textwrap.dedent("\n".join(lines))
        done = subprocess.run(
            [sys.executable, "-c", code, str(script / "packed"), str(script)],
            capture_output=True, text=True, timeout=120, cwd=script,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


def test_the_function_and_its_names_are_those_of_the_main_module(ask):
    assert ask(
        "import __main__",
        "print(json.dumps([train(2), __main__.train is train,",
        "    __main__.helper is train.__globals__['helper'],",
        "    type(pickle.loads(pickle.dumps(__main__.Net(4)))) is train.__globals__['Net'],",
        "    pickle.loads(pickle.dumps(__main__.helper)) is __main__.helper]))",
    ) == [6, True, True, True, True]


def test_names_that_the_function_does_not_use_are_there_when_asked_for(ask):
    assert ask(
        "import __main__",
        "by_name = pickle.loads(b'c__main__\\nunused\\n.')",
        "print(json.dumps([by_name(2), by_name is __main__.unused, __main__.Unused.__module__,",
        "    __main__.FACTOR, __main__.containers.__name__]))",
    ) == [7, True, "__main__", 3, "collections"]


@pytest.mark.parametrize("name", ["LARGE", "large", "broken", "UNPICKLABLE", "never"])
def test_names_that_are_large_or_cannot_be_pickled_do_not_travel(ask, name):
    said = ask(
        "import __main__",
        f"try: __main__.{name}",
        "except AttributeError as error: print(json.dumps(str(error)))",
    )
    assert name in said


def test_sources_and_arguments_are_those_of_the_script(ask, script):
    source, file, arguments, doc = ask(
        "import inspect, __main__",
        "print(json.dumps([inspect.getsource(train), inspect.getsourcefile(train), sys.argv,",
        "    inspect.getsource(__main__.Net)]))",
    )
    assert source == "def train(x):\n    return Net(helper(x)).size\n"
    assert file == str(script / "script.py")
    assert arguments == [str(script / "script.py"), "--flag"]
    assert "A class that the function uses." in doc


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_processes_of_every_kind_find_the_scripts_names(ask, method):
    assert ask(
        "import multiprocessing, __main__",
        f"with multiprocessing.get_context({method!r}).Pool(1) as pool:",
        "    print(json.dumps(pool.map(__main__.unused, [1, 2])))",
    ) == [4, 7]


def test_code_keeps_its_file_name_whatever_cloudpickle_does():
    function = unpacked(packed(lambda: 5, by_value=True))
    assert function.__code__.co_filename == __file__


def test_another_python_is_an_error_that_names_both():
    payload: Payload = pickle.loads(packed(len, by_value=False))
    other = pickle.dumps(replace(payload, python=(3, 99)))
    with pytest.raises(RuntimeError, match=r"the driver runs Python 3\.99 and this worker Python"):
        unpacked(other)


def test_extras_are_bounded():
    payload: Payload = pickle.loads(packed(len, by_value=False))
    assert all(len(extra) <= LARGEST_EXTRA for extra in payload.extras.values())


def test_a_users_package_is_imported_from_the_source_that_travels(tmp_path, monkeypatch):
    package = tmp_path / "users_package_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("class Kept:\n    pass\n\n\ndef two():\n    return 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    import users_package_of_a_test.inner as inner

    def train():
        import inspect
        import pickle

        kept = pickle.loads(pickle.dumps(inner.Kept()))
        return [inner.two(), inspect.getsource(inner.two), type(kept) is inner.Kept]

    data = packed(train, by_value=True)
    for name in [name for name in sys.modules if name.startswith("users_package_of_a_test")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "packed").write_bytes(data)
    code = READER + "print(json.dumps(train()))"
    path = os.pathsep.join(entry for entry in sys.path if entry != str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "packed"), str(tmp_path)],
        capture_output=True, text=True, timeout=120, cwd="/",
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, "def two():\n    return 2\n", True]


def test_modules_that_a_function_imports_when_it_is_called_travel_with_it(tmp_path):
    program, worker = tmp_path / "program", tmp_path / "worker"
    for directory in (program / "pack_of_a_test/deep", program / "whole_of_a_test", worker):
        directory.mkdir(parents=True)
    (program / "lazy_of_a_test.py").write_text("def name():\n    return 'the saved one'\n")
    (program / "pack_of_a_test/deep/inner.py").write_text("TWO = 2\n")
    (program / "whole_of_a_test/__init__.py").write_text("from .part import THREE\n")
    (program / "whole_of_a_test/part.py").write_text("THREE = 3\n")
    (worker / "lazy_of_a_test.py").write_text("def name():\n    return 'a newer one'\n")

    def train():
        import inspect

        import lazy_of_a_test
        import pack_of_a_test.deep.inner
        import whole_of_a_test

        source = inspect.getsource(lazy_of_a_test.name)
        return [lazy_of_a_test.name(), pack_of_a_test.deep.inner.TWO, whole_of_a_test.THREE, source]

    with sent_along(program):
        data = packed(train, by_value=True)
        near: Payload = pickle.loads(packed(train, by_value=False))
    after: Payload = pickle.loads(packed(train, by_value=True))
    assert near.first == after.first == {}
    (tmp_path / "packed").write_bytes(data)
    program.rename(tmp_path / "gone")
    done = subprocess.run(
        [sys.executable, "-c", READER + "print(json.dumps(train()))",
         str(tmp_path / "packed"), str(tmp_path)],
        capture_output=True, text=True, timeout=120, cwd=worker,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = "def name():\n    return 'the saved one'\n"
    assert json.loads(done.stdout) == ["the saved one", 2, 3, source]


def test_only_modules_that_can_be_imported_are_found_in_a_directory(tmp_path):
    (tmp_path / "data-1").mkdir()
    for name, content in (
        ("one.py", "# -*- coding: latin-1 -*-\nNAME = '\xe9'\n".encode("latin-1")),
        ("two-three.py", b""),
        ("data-1/four.py", b""),
        ("five.py", b"\xff\xfe"),
        ("notes.txt", b""),
        ("__init__.py", b""),
    ):
        (tmp_path / name).write_bytes(content)
    found = modules_below(tmp_path)
    assert found.keys() == {"one"}
    assert found["one"].source.endswith("NAME = '\xe9'\n")
