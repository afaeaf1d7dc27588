"""The pages of the reference list all that is public; documents use nothing else."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from inspect import ismodule

import pytest

import hopsml_flows
from tests.documents import ROOT, blocks

PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
INDEX = (ROOT / "docs" / "reference" / "index.md").read_text()
MODULE = re.compile(r"^\.\. automodule:: (\S+)\n((?:   :.*\n)*)", re.MULTILINE)
LISTED = [
    (name, options)
    for page in PAGES
    for block in blocks(page)
    if block.language == "{eval-rst}"
    for name, options in MODULE.findall(block.code)
]
PUBLIC = {
    name: re.findall(r"\w+", re.search(r":members: (.*)", options)[1]) for name, options in LISTED
}
DOCUMENTS = sorted(
    file
    for place in ("README.md", "docs", "examples", "deployments")
    for file in ([ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*"))
    if file.suffix in {".md", ".py"}
)


def imported(file):
    """Modules of the project, and names of them, that a document or its examples import."""
    text = file.read_text()
    parts = [text]
    if file.suffix == ".md":
        parts = [block.code for block in blocks(file) if block.language == "python"]
    for part in parts:
        for node in ast.walk(ast.parse(part)):
            if isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", name.name) for name in node.names)
            elif isinstance(node, ast.Import):
                yield from ((name.name, None) for name in node.names)


def test_each_module_is_listed_once():
    names = [name for name, _ in LISTED]
    assert len(names) == len(set(names))


def test_every_module_that_the_package_names_is_listed():
    modules = [name for name in hopsml_flows.__all__ if ismodule(getattr(hopsml_flows, name))]
    assert {f"hopsml_flows.{name}" for name in modules} <= set(PUBLIC)


def test_every_other_name_of_the_package_is_in_a_public_module():
    others = [name for name in hopsml_flows.__all__ if not ismodule(getattr(hopsml_flows, name))]
    assert others == ["AblationStudy", "Searchspace"]
    assert {getattr(hopsml_flows, name).__name__ for name in others} <= {
        name for names in PUBLIC.values() for name in names
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_the_names_of_a_public_module_are_those_listed(name):
    assert sorted(PUBLIC[name]) == sorted(importlib.import_module(name).__all__)


def test_every_entry_point_is_listed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = re.findall(r"^\| `([\w.]+)`: `(\w+)` \| \S", INDEX, re.MULTILINE)
    groups = project["entry-points"].items()
    assert sorted(listed) == sorted((group, name) for group, names in groups for name in names)
    for name in project["scripts"]:
        assert f"[the command `{name}`](cli.md)" in INDEX


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_documents_import_only_what_is_public(file):
    for module, name in imported(file):
        if module == "hopsml_flows":
            assert f"hopsml_flows.{name}" in PUBLIC or name in ("AblationStudy", "Searchspace")
        elif module.startswith(("hopsml_flows.", "hopsml_tasks")):
            assert module in PUBLIC
            assert name is None or name in PUBLIC[module]
