"""The examples of docs/training-code.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "training-code.md"


@pytest.fixture
def example(run_script):
    """Run the example below a heading; returns what it printed."""

    def run(heading):
        section = PAGE.read_text().partition(f"# {heading}\n")[2]
        return run_script(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]).stdout

    return run


def test_what_json_cannot_hold_is_kept_as_text(example):
    printed = example("What a training function returns")
    assert """0.2 [2, "b'raw'"]""" in printed
    assert "outputs['model'] is object <object object at" in printed


def test_returned_files_and_directories_are_in_the_project(example):
    printed = example("Return files and directories")
    assert re.search(
        r"^Experiments/training-[^/]+/0002-units=2/saved_model$", printed, re.MULTILINE
    )
    assert r"b'\x00\x00'" in printed


def test_kept_files_are_in_the_trials_directory_and_the_rest_is_listed(example):
    printed = example("Keep what is not returned")
    assert "['0.keras', '1.keras', '2.keras']" in printed
    assert "1.0 KB  scratch.bin" in printed
