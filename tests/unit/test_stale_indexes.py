"""Index files that no one will use again are removed, and no others."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from hopsml_flows.service import ExperimentIndex
from hopsml_flows.service.index.index_file import _VERSION, index_path
from hopsml_flows.service.index.stale_files import remove_stale
from hopsml_flows.storage import Project
from tests.written import over, result

ID = "digits-20240301-120000-aaaaaa"
DAY = 86400.0


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "index"


def used(project, days=0.0):
    """Make a project's index, and let its last use be some days ago."""
    with ExperimentIndex(project) as index:
        index.refresh()
    path = index_path(project)
    age(path, days)
    return path


def age(path, days):
    then = time.time() - days * DAY
    for each in path.parent.glob(f"{path.name}*"):
        os.utime(each, (then, then))


def made(tmp_path, name="project"):
    project = Project(tmp_path / name)
    over(project, ID, [result(1, {"x": 1}, 0.5)])
    return project


def left(cache):
    return {path.name for path in cache.iterdir()} - {"swept"}


def swept(cache, version=_VERSION):
    (cache / "swept").unlink(missing_ok=True)
    return remove_stale(cache, version)


def of_version(path, version):
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(("days", "is_removed"), [(0, False), (6, False), (8, True)])
def test_the_index_of_a_directory_that_is_gone_is_removed_after_a_week(
    tmp_path, cache, days, is_removed
):
    project = made(tmp_path)
    path = used(project)
    shutil.rmtree(project.local_root)
    age(path, days)
    assert swept(cache) == ([path] if is_removed else [])
    assert (not left(cache)) == is_removed


@pytest.mark.parametrize(("days", "is_removed"), [(8, False), (89, False), (91, True)])
def test_an_index_that_is_not_used_for_long_is_removed(tmp_path, cache, days, is_removed):
    path = used(made(tmp_path), days)
    assert swept(cache) == ([path] if is_removed else [])


def test_whether_a_remote_project_is_gone_is_not_asked(cache):
    project = Project("s3://nothing-there/demo", {"endpoint_url": "http://127.0.0.1:9"})
    ExperimentIndex(project).close()
    age(index_path(project), 30)
    assert swept(cache) == []


def test_a_directory_of_another_machine_counts_as_there(tmp_path, cache, monkeypatch):
    project = made(tmp_path)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    path = used(project)
    shutil.rmtree(project.local_root)
    age(path, 30)
    monkeypatch.undo()
    monkeypatch.setenv("HOPSML_CACHE", str(cache.parent))
    assert swept(cache) == []


@pytest.mark.parametrize("has_note", [True, False])
@pytest.mark.parametrize(("days", "is_removed"), [(6, False), (8, True)])
def test_the_index_of_another_version_is_removed_after_a_week(
    tmp_path, cache, days, is_removed, has_note
):
    path = used(made(tmp_path))
    version = _VERSION
    if has_note:
        version += 1  # of the package that looks
    else:
        of_version(path, _VERSION - 1)
        path.with_name(f"{path.name}.lock").write_bytes(b"")
    age(path, days)
    assert swept(cache, version) == ([path] if is_removed else [])


def test_an_index_without_a_note_of_this_version_stays(tmp_path, cache):
    path = used(made(tmp_path))
    of_version(path, _VERSION)
    path.with_name(f"{path.name}.lock").write_bytes(b"")
    age(path, 30)
    assert swept(cache) == []


@pytest.mark.parametrize("note", [b"\xff", b"7", b"{}", b'{"url": 1}', b"[" * 100_000])
def test_a_note_that_is_none_stops_nothing(tmp_path, cache, note):
    path = used(made(tmp_path))
    path.with_name(f"{path.name}.lock").write_bytes(note)
    age(path, 91)
    assert swept(cache) == [path]


def test_a_lock_whose_index_is_gone_is_removed(tmp_path, cache):
    path = used(made(tmp_path))
    for part in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{part}").unlink(missing_ok=True)
    age(path, 91)
    assert swept(cache) == [path]
    assert not left(cache)


def test_other_files_of_the_directory_stay(tmp_path, cache):
    used(made(tmp_path))
    (cache / "notes.txt").write_text("mine")
    age(cache / "notes.txt", 1000)
    swept(cache)
    assert "notes.txt" in left(cache)


def test_an_index_that_is_in_use_stays(tmp_path, cache):
    project = made(tmp_path)
    with ExperimentIndex(project) as index:
        index.refresh()
        age(index_path(project), 1000)
        assert swept(cache) == []
        assert index.experiments().total == 1
    age(index_path(project), 1000)
    assert swept(cache) == [index_path(project)]


def test_an_index_that_another_process_uses_stays(tmp_path, cache):
    project = made(tmp_path)
    program = (
        "import sys; from hopsml_flows.service import ExperimentIndex; "
        "from hopsml_flows.storage import Project; index = ExperimentIndex(Project(sys.argv[1])); "
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, project.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as user:  # fmt: skip
        assert user.stdout.readline() == "open\n"
        age(index_path(project), 1000)
        assert swept(cache) == []
        user.stdin.close()
    age(index_path(project), 1000)
    assert swept(cache) == [index_path(project)]


def test_to_open_an_index_removes_the_stale_ones_once_a_day(tmp_path, cache):
    first, second = made(tmp_path, "first"), made(tmp_path, "second")
    used(first, 100)
    age(cache / "swept", 0.5)
    used(second)
    assert index_path(first).exists()
    age(cache / "swept", 1.5)
    used(second)
    assert not index_path(first).exists()
    assert index_path(second).exists()


def test_a_use_keeps_an_index(tmp_path, cache):
    project = made(tmp_path)
    used(project, 1000)
    (cache / "swept").touch()
    with ExperimentIndex(project):
        pass
    assert swept(cache) == []


_SWEEPER = """
import sys, time
from pathlib import Path
from hopsml_flows.service.index.index_file import _VERSION
from hopsml_flows.service.index.stale_files import remove_stale
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    Path(sys.argv[1], "swept").unlink(missing_ok=True)
    # Everything is stale for this one, whatever its use.
    remove_stale(Path(sys.argv[1]), _VERSION, now=time.time() + 1e9)
"""


def test_indexes_are_removed_by_several_processes_while_others_use_them(tmp_path, cache):
    project = made(tmp_path)
    used(project)
    sweepers = [
        subprocess.Popen([sys.executable, "-c", _SWEEPER, str(cache), "4"]) for _ in range(2)
    ]
    faults, uses = [], []

    def use():
        while any(sweeper.poll() is None for sweeper in sweepers):
            try:
                with ExperimentIndex(project) as index:
                    index.refresh()
                    assert index.experiments().total == 1
                    assert index_path(project).exists()
                    uses.append(1)
            except BaseException as error:
                faults.append(error)
                return

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert not faults
    assert len(uses) > 10
    assert [sweeper.wait() for sweeper in sweepers] == [0, 0]
