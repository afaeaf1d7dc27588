"""An embedded server that cannot start: one error, with its cause and what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import hopsml_flows
import hopsml_tasks

SERVE = """
from hopsml_flows.errors import PrefectServerError
from hopsml_flows.server.embedded import embedded_server

try:
    with embedded_server() as url:
        print("SERVES")
except PrefectServerError as error:
    print("ERROR", error)
"""


@pytest.fixture
def serve(tmp_path):
    """Start a server on a home; what was printed."""

    def run(home, *prefix, **variables):
        done = subprocess.run(
            [*prefix, sys.executable, "-c", SERVE],
            cwd=tmp_path,
            env={**os.environ, "PREFECT_HOME": str(home), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert "Fatal Python error" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run


def test_a_file_in_place_of_the_home_is_named(tmp_path, serve):
    home = tmp_path / "home"
    home.write_text("no directory")
    said = serve(home)
    assert said.startswith("ERROR PREFECT_HOME: must be a directory that this user can write")
    assert str(home) in said


def test_a_home_that_belongs_to_another_user_is_named(tmp_path, serve):
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to become another user")
    for directory in (tmp_path, *tmp_path.parents):
        if directory.is_relative_to(tempfile.gettempdir()) and directory != Path(
            tempfile.gettempdir()
        ):
            directory.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir(0o755)
    said = serve(home, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert said.startswith("ERROR PREFECT_HOME: must be a directory that this user can write")
    assert "Permission denied" in said


def test_a_home_in_directories_that_do_not_exist_is_made(tmp_path, serve):
    assert serve(tmp_path / "new" / "deep" / "home") == "SERVES\n"


def test_a_database_elsewhere_that_cannot_be_written_is_named_by_its_own_setting(tmp_path, serve):
    (tmp_path / "file").touch()
    url = f"sqlite+aiosqlite:///{tmp_path}/file/prefect.db"
    said = serve(tmp_path / "home", PREFECT_API_DATABASE_CONNECTION_URL=url)
    assert said.startswith("ERROR PREFECT_API_DATABASE_CONNECTION_URL: must be the URL of a")
    assert url in said


def test_what_is_no_database_is_said_in_the_first_line(tmp_path, serve):
    home = tmp_path / "home"
    home.mkdir()
    (home / "prefect.db").write_text("this is a text, and no database\n" * 100)
    first, *_ = serve(home).splitlines()
    assert first.startswith("ERROR the embedded Prefect server could not start")
    assert "file is not a database" in first
    assert str(home / "prefect.db") in first


def test_a_setting_that_the_server_does_not_take_is_said_in_the_first_line(tmp_path, serve):
    said = serve(tmp_path / "home", PREFECT_SERVER_DOCKET_URL="nonsense://nowhere")
    first, *_ = said.splitlines()
    assert first.startswith("ERROR the embedded Prefect server could not start")
    assert "Redis URL" in first


def test_a_database_that_a_newer_prefect_upgraded_says_so_and_what_to_do(tmp_path, serve):
    home = tmp_path / "home"
    assert serve(home) == "SERVES\n"
    with sqlite3.connect(home / "prefect.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    said = serve(home)
    assert said.count("\n") == 1
    assert f"{home}/prefect.db was upgraded by a newer Prefect" in said
    assert "revision ffffffffffff" in said
    assert "pip install --upgrade prefect" in said
    assert "set PREFECT_HOME" in said


def test_modules_in_the_working_directory_are_not_the_servers(tmp_path, serve):
    for name in ("uvicorn", "alembic", "docket"):
        Path(tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')")
    assert serve(tmp_path / "home") == "SERVES\n"


def test_a_package_that_only_the_script_found_is_found_by_its_server(tmp_path):
    packages = str(Path(hopsml_flows.__file__).parents[1])
    tasks = str(Path(hopsml_tasks.__file__).parents[1])
    code = f"import sys; sys.path += [{packages!r}, {tasks!r}]\n{SERVE}"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PREFECT_HOME": str(tmp_path / "home"), "PYTHONPATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout == "SERVES\n", done.stderr
