"""Errors of arguments read "must ..." or "cannot be used, because ..."."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hopsml_flows import errors
from hopsml_flows.errors import InvalidArgumentError

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "hopsml_flows").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")])
KINDS = {
    name
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, InvalidArgumentError)
}


def beginning(node):
    """How a text begins, as far as the source says; None where a variable has it."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case ast.BinOp(left=left, op=ast.Add()):
            return beginning(left)
    return None


def complaints(file):
    """Each construction of an argument's error: its line, and how its two texts begin."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in KINDS:
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            must = node.args[2] if len(node.args) > 2 else named.get("must")
            yield node.lineno, beginning(must), beginning(named.get("because"))


ALL = {str(file.relative_to(ROOT)): list(complaints(file)) for file in FILES}


def test_the_errors_of_arguments_are_found():
    assert sum(map(len, ALL.values())) > 80


@pytest.mark.parametrize("file", [file for file, found in ALL.items() if found])
def test_what_is_allowed_begins_with_must_and_a_reason_does_not(file):
    for line, must, because in ALL[file]:
        assert must is None or must.startswith("must "), f"{file}:{line}"
        assert because is None or not because.startswith(("must", "because", "has ", "is ")), (
            f"{file}:{line}"
        )
        assert because is None or not because.rstrip().endswith("."), f"{file}:{line}"
