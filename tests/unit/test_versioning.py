from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest

from hopsml_flows.tracking.versions import notebook
from hopsml_flows.tracking.versions.environment import environment_text
from hopsml_flows.tracking.versions.notebook import notebook_program
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
    content = json.dumps({"cells": []})
    (tmp_path / "work.ipynb").write_text(content)
    found = program_found_in(tmp_path, "-c", ASK, JPY_SESSION_NAME=str(tmp_path / "work.ipynb"))
    assert found == [content, ".ipynb"]


CELLS = (
    "from IPython.core.interactiveshell import InteractiveShell\n"
    "shell = InteractiveShell.instance()\n"
    "for cell in ['x = 1', '', '%env A=b', 'x = 1']:\n"
    "    shell.run_cell(cell, store_history=True, silent=False)\n"
)


def quiet(code):
    """Code whose cells print nothing."""
    return "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n" + "".join(
        f"    {line}\n" for line in code.splitlines()
    )


def test_the_cells_that_were_executed_are_in_the_notebooks_metadata(tmp_path):
    cell = {"cell_type": "code", "source": ["x = 2"], "outputs": [{"text": "shown"}]}
    notebook = {"cells": [cell], "metadata": {"kernelspec": {"name": "python3"}}}
    (tmp_path / "work.ipynb").write_text(json.dumps(notebook))
    content, suffix = program_found_in(
        tmp_path, "-c", quiet(CELLS) + ASK,
        JPY_SESSION_NAME=str(tmp_path / "work.ipynb"), IPYTHONDIR=str(tmp_path),
    )  # fmt: skip
    kept = json.loads(content)
    assert suffix == ".ipynb"
    assert kept["cells"] == [cell]
    assert kept["metadata"]["kernelspec"] == {"name": "python3"}
    executed = kept["metadata"]["hopsml"]["executed"]
    # IPython counts no empty cell; what was typed is kept, not what IPython made of it.
    assert [each["source"] for each in executed] == ["x = 1", "%env A=b", "x = 1"]
    assert [each["execution_count"] for each in executed] == [1, 2, 3]


def test_at_ipythons_prompt_it_is_what_was_typed(tmp_path):
    found = program_found_in(tmp_path, "-c", quiet(CELLS) + ASK, IPYTHONDIR=str(tmp_path))
    assert found == ["x = 1\n\n%env A=b\n\nx = 1\n", ".py"]


def test_a_large_notebook_is_kept_without_what_its_cells_have_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook, "LARGEST_NOTEBOOK", 1000)
    cell = {"cell_type": "code", "source": "x = 2", "outputs": [{"text": "long" * 1000}]}
    path = tmp_path / "work.ipynb"
    path.write_text(json.dumps({"cells": [cell, {"cell_type": "markdown", "source": "words"}]}))
    kept = json.loads(notebook_program(path, []))
    assert [each["source"] for each in kept["cells"]] == ["x = 2", "words"]
    assert kept["cells"][0]["outputs"] == []
    assert kept["metadata"]["hopsml"]["outputs"] == "left out"


def test_a_notebook_without_a_file_is_made_of_the_executed_cells():
    made = nbformat.reads(notebook_program(None, ["x = 1", "", "x = 2"]).decode(), as_version=4)
    nbformat.validate(made)
    assert [cell.source for cell in made.cells] == ["x = 1", "x = 2"]
    assert [cell.execution_count for cell in made.cells] == [1, 3]


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
