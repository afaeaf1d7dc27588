"""The examples in docstrings do what they say."""

import doctest
import importlib.util
import pkgutil
import sys
from pathlib import Path

import pytest

import hopsml_flows


def modules_with_examples():
    for found in pkgutil.walk_packages(hopsml_flows.__path__, "hopsml_flows."):
        source = Path(importlib.util.find_spec(found.name).origin)
        if ">>> " in source.read_text():
            yield found.name


@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_the_examples_of_a_module_run(name, tmp_path, monkeypatch):
    for variable in ("HOPSML_PROJECT", "HOPSWORKS_PROJECT_NAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)  # the default project is a directory in it
    monkeypatch.setattr(sys, "path", list(sys.path))  # hdfs.add_module appends to it
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)


def test_most_modules_that_users_import_have_examples():
    found = {name.split(".")[1] for name in modules_with_examples()}
    assert {"devices", "hdfs", "numpy_helper", "reporter", "util"} <= found
