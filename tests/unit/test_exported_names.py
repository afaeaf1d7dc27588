from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import hopsml_flows
import hopsml_tasks


def has_names(found):
    """Whether a module is more than a room for others, whose only word is its docstring."""
    source = Path(found.module_finder.find_spec(found.name).origin).read_text()
    return len(ast.parse(source).body) > 1


MODULES = sorted(
    found.name
    for package in (hopsml_flows, hopsml_tasks)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if has_names(found)
)


@pytest.mark.parametrize("name", ["hopsml_flows", "hopsml_tasks", *MODULES])
def test_a_module_lists_its_names_once_each_and_has_those_that_ruff_does_not_look_for(name):
    module = importlib.import_module(name)
    assert module.__all__
    assert len(set(module.__all__)) == len(module.__all__)
    # F822 passes over packages, and over modules with a __getattr__.
    if hasattr(module, "__path__") or "__getattr__" in vars(module):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("name", [name for name in MODULES if ".flows." not in name])
def test_a_module_lists_every_public_class_and_function_of_its_own(name):
    module = importlib.import_module(name)
    own = {
        attribute
        for attribute, value in vars(module).items()
        if not attribute.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == name
        and hasattr(value, "__qualname__")
    }
    assert own - set(module.__all__) == set()


def test_the_package_lists_its_lazy_names_in_dir():
    assert set(hopsml_flows.__all__) <= set(dir(hopsml_flows))


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hopsml_flows.nothing  # noqa: B018 - the access is the test
