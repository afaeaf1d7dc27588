"""What Prefect finds in this package by itself: the block type of projects."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "dask", "distributed", "tensorboard", "pandas", "pyarrow", "matplotlib")


@pytest.fixture
def installed(tmp_path):
    """The environment of processes where the package is installed as pyproject.toml says now."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = tmp_path / "site" / f"hopsml_flows-{project['version']}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: hopsml-flows\nVersion: {project['version']}\n"
    )
    points = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(points) + "\n")
    path = [str(about.parent), str(ROOT), str(ROOT / "tasks")]
    return {
        **{name: text for name, text in os.environ.items() if name != "PREFECT_API_URL"},
        "PYTHONPATH": os.pathsep.join(path),
        "PREFECT_HOME": str(tmp_path / "home"),
        "COLUMNS": "200",
    }


def run(environment, code):
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_loads_in_a_fresh_process_and_brings_nothing_heavy(installed):
    said = run(
        installed,
        "import sys\n"
        "from prefect.plugins import load_prefect_collections\n"
        "before = set(sys.modules)\n"
        "found = load_prefect_collections()['hopsml_flows']\n"
        "assert not isinstance(found, Exception), found\n"
        "from prefect.blocks.core import Block\n"
        "from prefect.utilities.dispatch import get_registry_for_type\n"
        "slugs = [c.get_block_type_slug() for c in get_registry_for_type(Block).values()]\n"
        "assert 'hopsfs-project' in slugs\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n",
    )
    assert "hopsml_flows" in said.split()
    assert set(said.split()).isdisjoint(HEAVY)


def test_a_prefect_server_that_starts_knows_the_block_of_projects(installed):
    """The embedded one here, on a fresh home; nothing else is called but Prefect's commands."""
    said = run(
        installed,
        "import os, subprocess, sys, httpx\n"
        "from hopsml_flows.server import embedded_server\n"
        "with embedded_server() as url:\n"
        "    known = httpx.get(f'{url}/block_types/slug/hopsfs-project')\n"
        "    print('STATUS', known.status_code)\n"
        "    env = {**os.environ, 'PREFECT_API_URL': url}\n"
        "    for words in (['block', 'type', 'ls'],\n"
        "                  ['block', 'register', '-m', 'hopsml_flows.server.project_block']):\n"
        "        done = subprocess.run([sys.executable, '-m', 'prefect', *words], env=env,\n"
        "                              capture_output=True, text=True)\n"
        "        print('RC', done.returncode, done.stdout, done.stderr)\n",
    )
    assert "STATUS 200" in said
    listed, registered = said.split("RC ")[1:]
    assert "hopsfs-project" in listed
    assert registered.startswith("0")
    assert "HopsFS Project" in registered
