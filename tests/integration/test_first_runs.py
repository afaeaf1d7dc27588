"""Embedded servers that start at the same time, on a home that no Prefect has used before."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.servers.processes import gone
from tests.waiting import wait_until

SERVE = """
import httpx, json, os, sys
from pathlib import Path
from hopsml_flows.server.embedded import embedded_server

Path(f"ready-{os.getpid()}").touch()
while not Path("go").exists():
    pass
with embedded_server() as url:
    flow = httpx.post(f"{url}/flows/", json={"name": f"of-{os.getpid()}"}, timeout=60)
    print(json.dumps({"status": flow.status_code}))
"""


def start(directory, code=SERVE, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=directory,
        env={**os.environ, "PREFECT_HOME": str(directory / "home"), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def revision(directory):
    import sqlite3

    with sqlite3.connect(directory / "home" / "prefect.db") as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchall()


def test_processes_that_start_at_once_on_a_fresh_home_all_get_a_server(tmp_path):
    processes = [start(tmp_path) for _ in range(5)]
    wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 5, 120, "five processes")
    (tmp_path / "go").touch()
    assert [ended(process)["status"] for process in processes] == [201] * 5
    assert len(revision(tmp_path)) == 1


def test_a_process_waits_for_the_one_that_migrates(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "go").touch()
    with (home / "prefect.db.migration.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(tmp_path)
        child = []

        def waits():
            """Its server has imported everything, and stands at the lock."""
            child[:] = psutil.Process(process.pid).children()
            with open("/proc/locks") as file:
                return any("->" in line and str(child[0].pid) in line for line in file if child)

        wait_until(waits, 120, "the wait for the lock")
        assert not (home / "prefect.db").exists()
    assert ended(process)["status"] == 201


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_migrates_stops_no_other_one(tmp_path):
    (tmp_path / "go").touch()
    database = tmp_path / "home" / "prefect.db"
    first = start(tmp_path)
    wait_until(lambda: database.exists() and database.stat().st_size > 0, 120, "the migration")
    (server,) = psutil.Process(first.pid).children()
    first.send_signal(signal.SIGKILL)
    server.kill()
    first.communicate(timeout=60)
    wait_until(lambda: gone(server.pid), 60, "the end of the server")
    assert ended(start(tmp_path))["status"] == 201


@pytest.mark.slow
def test_a_migration_that_another_program_disturbs_is_tried_again(tmp_path):
    """What does not know the lock, such as ``prefect server start``."""
    (tmp_path / "go").touch()
    other = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"],
        env={**os.environ, "PREFECT_HOME": str(tmp_path / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    ours = start(tmp_path)
    assert ended(ours)["status"] == 201
    other.wait(120)
