"""docs/reference.md lists all that is public; documents use nothing else."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import hopsml_flows

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall((ROOT / "docs/reference.md").read_text()))
PUBLIC = {
    title.strip("`"): re.findall(r"^\| `(\w+)` \| \S", body, re.MULTILINE)
    for title, body in SECTIONS.items()
    if title.startswith("`")
}
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r"^(?:from|import) hopsml\S* .*$", re.MULTILINE)
DOCUMENTS = sorted(
    file
    for place in ("README.md", "docs", "examples", "deployments")
    for file in ([ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*"))
    if file.suffix in {".md", ".py"}
)


def imported(file):
    """Modules of the project, and names of them, that a document or its examples import."""
    text = file.read_text()
    for part in FENCED.findall(text) if file.suffix == ".md" else [text]:
        try:
            tree = ast.parse(part)
        except SyntaxError:  # an example with omissions
            tree = ast.parse("\n".join(IMPORT.findall(part)))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", name.name) for name in node.names)
            elif isinstance(node, ast.Import):
                yield from ((name.name, None) for name in node.names)


def test_every_module_that_the_package_names_is_listed():
    assert {f"hopsml_flows.{name}" for name in hopsml_flows.__all__} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_names_of_a_public_module_are_those_listed(name):
    assert sorted(PUBLIC[name]) == sorted(importlib.import_module(name).__all__)


def test_every_entry_point_is_listed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = re.findall(r"^\| `([\w.]+)`: `(\w+)`", SECTIONS["Prefect and fsspec"], re.MULTILINE)
    groups = project["entry-points"].items()
    assert sorted(listed) == sorted((group, name) for group, names in groups for name in names)
    assert {f"The command `{name}`" for name in project["scripts"]} <= set(SECTIONS)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_documents_import_only_what_is_public(file):
    for module, name in imported(file):
        if module == "hopsml_flows":
            assert f"hopsml_flows.{name}" in PUBLIC
        elif module.startswith(("hopsml_flows.", "hopsml_tasks")):
            assert module in PUBLIC
            assert name is None or name in PUBLIC[module]
