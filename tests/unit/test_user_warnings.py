"""Warnings name the user's line, as Python prints it in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
from hopsml_flows import experiment
from hopsml_flows.errors import HopsmlError
from hopsml_flows.search import Float, SearchSpace

def train(x):
    return x

def call(line):
    try:
        line()
    except HopsmlError:
        pass

def main():
    {statement}  # the line

main()
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("Float(2, 1)", "reversed bounds"),
        ('SearchSpace({"x": [2.0, 1.0]})', "reversed bounds"),
        (
            'call(lambda: experiment.random_search(train, {"x": [2.0, 1.0]}, retries=-1))',
            "reversed bounds",
        ),
        (
            'call(lambda: experiment.grid_search(train, {"x": ["1e-3", "1e-1"]}, retries=-1))',
            "grid_dict['x']",
        ),
        (
            'call(lambda: experiment.launch(train, {"x": [1]}, versioned_resources=[1], seed=-1))',
            "versioned_resources",
        ),
    ],
)
def test_a_warning_has_the_callers_line(tmp_path, statement, said):
    script = tmp_path / "users_script.py"
    script.write_text(textwrap.dedent(SCRIPT).format(statement=statement))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True
    )
    number = 1 + next(
        n for n, line in enumerate(script.read_text().splitlines()) if "# the line" in line
    )
    [line] = [line for line in done.stderr.splitlines() if "HopsmlWarning" in line]
    assert line.startswith(f"{script}:{number}: HopsmlWarning: ")
    assert said in line
    assert "# the line" in done.stderr
