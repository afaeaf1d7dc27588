from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from hopsml_flows.tracking.versions.environment import environment_text
from hopsml_flows.tracking.versions.program import find_program


def test_the_environment_is_a_requirements_file_with_this_python():
    lines = environment_text().splitlines()
    assert lines[0].startswith(f"# Python {sys.version.split()[0]}")
    packages = [line for line in lines if not line.startswith("#")]
    assert set(packages) == {f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions()}
    assert packages == sorted(packages, key=lambda line: line.partition("==")[0].lower())


def program_found_in(tmp_path, *arguments, **environment):
    """What a process started so takes for its program."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ASK = (
    "import json, sys, pathlib\n"
    "from hopsml_flows.tracking.versions.program import find_program\n"
    "train = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None\n"
    "found = find_program(train)\n"
    "print(json.dumps(found and [found.content.decode(), found.suffix]))\n"
)


def test_a_script_is_its_own_program(tmp_path):
    (tmp_path / "script.py").write_text(ASK)
    assert program_found_in(tmp_path, "script.py") == [ASK, ".py"]


def test_at_a_prompt_it_is_the_training_functions_file(tmp_path):
    (tmp_path / "train.py").write_text("# train\n")
    assert program_found_in(tmp_path, "-c", ASK, "train.py") == ["# train\n", ".py"]
    assert program_found_in(tmp_path, "-c", ASK) is None


def test_in_jupyter_it_is_the_open_notebook(tmp_path):
    notebook = json.dumps({"cells": []})
    (tmp_path / "work.ipynb").write_text(notebook)
    found = program_found_in(tmp_path, "-c", ASK, JPY_SESSION_NAME=str(tmp_path / "work.ipynb"))
    assert found == [notebook, ".ipynb"]


@pytest.mark.parametrize("content", ["not json", "[]", "{}", "\xff"])
def test_what_only_looks_like_a_notebook_is_passed_over(tmp_path, content):
    (tmp_path / "work.ipynb").write_bytes(content.encode("latin-1"))
    (tmp_path / "script.py").write_text(ASK)
    found = program_found_in(tmp_path, "script.py", JPY_SESSION_NAME=str(tmp_path / "work.ipynb"))
    assert found == [ASK, ".py"]


def test_under_a_console_command_it_is_the_training_functions_file(tmp_path):
    # pytest itself is one
    found = find_program(Path(__file__))
    assert (found.content, found.suffix) == (Path(__file__).read_bytes(), ".py")
    assert not found.is_script
    assert find_program(None) is None
