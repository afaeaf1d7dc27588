"""The examples of docs/extending.md pass the suites that they are shown with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()


@pytest.fixture
def package(tmp_path):
    """A directory with the page's files and entry points, as if they were installed."""
    for name, code in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(code)
    installed = tmp_path / "shelf-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    group, entry = re.search(
        r'```toml\n\[project.entry-points."(.*?)"\]\n(.*?)```', PAGE, re.DOTALL
    ).groups()
    (installed / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}")
    return tmp_path


@pytest.mark.parametrize("suite", ["test_local_search.py", "test_shelf.py", "test_own_cluster.py"])
def test_the_example_passes_its_suite(package, suite, prefect_server):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", suite],
        cwd=package,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(package), *filter(None, sys.path)]),
            "PREFECT_API_URL": prefect_server,
        },
        capture_output=True,
        text=True,
        timeout=280,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout), done.stdout
