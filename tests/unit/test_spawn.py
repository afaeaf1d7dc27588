from __future__ import annotations

import inspect
import multiprocessing.spawn
import os
import subprocess
import sys
import threading

import pytest

from hopsml_flows.cluster.spawn import without_main_module

DASK = "Dask Worker process (from Nanny)"


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """A main module with a file, however the tests were started."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/somewhere/main.py", raising=False)


def test_the_standard_library_still_decides_where_we_change_it():
    prepare = multiprocessing.spawn.get_preparation_data
    assert list(inspect.signature(prepare).parameters) == ["name"]
    # Where a child is told what to import, by the module or by the file.
    source = inspect.getsource(prepare)
    assert "init_main_from_name" in source
    assert "init_main_from_path" in source
    child = inspect.getsource(multiprocessing.spawn.prepare)
    assert "init_main_from_name" in child
    assert "init_main_from_path" in child


def test_the_keys_for_a_child_are_those_we_know():
    known = {
        "log_to_stderr", "authkey", "name", "sys_path", "sys_argv", "orig_dir", "dir",
        "start_method", "log_level", "init_main_from_name", "init_main_from_path",
    }  # fmt: skip
    data = multiprocessing.spawn.get_preparation_data(DASK)
    assert set(data) <= known
    assert {"name", "sys_path", "sys_argv", "dir"} <= set(data)
    assert {"init_main_from_name", "init_main_from_path"} & set(data)


def test_distributed_still_names_its_processes_so():
    from distributed import nanny

    assert "Dask Worker process" in inspect.getsource(nanny.WorkerProcess)


def test_within_the_block_only_dask_workers_lack_the_main_module():
    before = multiprocessing.spawn.get_preparation_data
    whole = before("Process-1")
    with without_main_module():
        assert multiprocessing.spawn.get_preparation_data("Process-1") == whole
        worker = multiprocessing.spawn.get_preparation_data(DASK)
        left_out = set(whole) - set(worker)
        assert left_out
        assert left_out <= {"init_main_from_name", "init_main_from_path"}
        assert not {"init_main_from_name", "init_main_from_path"} & set(worker)
    assert multiprocessing.spawn.get_preparation_data is before


def test_it_is_restored_when_the_block_raises_and_only_by_the_last_of_several():
    before = multiprocessing.spawn.get_preparation_data

    def flow():
        with without_main_module():
            with without_main_module():
                pass
            assert multiprocessing.spawn.get_preparation_data is not before
            raise LookupError

    with pytest.raises(LookupError):
        flow()
    assert multiprocessing.spawn.get_preparation_data is before


def test_flows_in_several_threads_leave_it_restored():
    before = multiprocessing.spawn.get_preparation_data

    def flow():
        for _ in range(200):
            with without_main_module():
                pass

    threads = [threading.Thread(target=flow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert multiprocessing.spawn.get_preparation_data is before


def test_a_script_without_a_guard_is_not_run_again_in_the_child(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "from hopsml_flows.cluster.spawn import without_main_module\n"
        "print('started', flush=True)\n"
        "with without_main_module():\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    child = context.Process(target=print, args=('child',), name='Dask Worker process')\n"
        "    child.start()\n"
        "    child.join()\n"
        "raise SystemExit(child.exitcode)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["started", "child"]), done.stderr


def test_without_a_working_directory_a_worker_is_told_what_it_needs(tmp_path, monkeypatch):
    with without_main_module():
        whole = multiprocessing.spawn.get_preparation_data(DASK)
        place = tmp_path / "place"
        place.mkdir()
        monkeypatch.chdir(place)
        place.rmdir()
        worker = multiprocessing.spawn.get_preparation_data(DASK)
    # Which directory was the first one is left out, and whether multiprocessing logs.
    assert set(whole) - set(worker) <= {"orig_dir", "log_to_stderr", "log_level"}
    assert worker["dir"] == os.sep
    assert {k: worker[k] for k in ("authkey", "name", "sys_argv", "start_method")} == {
        k: whole[k] for k in ("authkey", "name", "sys_argv", "start_method")
    }
