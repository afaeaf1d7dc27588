from __future__ import annotations

import inspect
import multiprocessing
import multiprocessing.context
import os
import subprocess
import sys
import threading
from multiprocessing import forkserver, popen_forkserver, resource_tracker, spawn

import psutil
import pytest

from hopsml_flows.cluster.fork_server import (
    METHOD,
    _keeper,
    ask_for_fork,
    ready_fork_server,
)
from hopsml_flows.cluster.orphans import MARK
from tests.waiting import wait_until
from tests.workers import fork_servers


@pytest.fixture(autouse=True)
def no_server_before_and_after():
    _keeper.end()
    yield
    _keeper.end()


def tell(queue):
    import random

    loaded = "hopsml_flows.cluster.worker" in sys.modules
    queue.put((os.getpid(), os.getppid(), loaded, random.random(), os.environ.get(MARK)))


def exit_with(code):
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)


def told_by(count):
    context = multiprocessing.get_context(METHOD)
    queue = context.Queue()
    with ask_for_fork():
        processes = [context.Process(target=tell, args=(queue,)) for _ in range(count)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * count
    assert {process.pid for process in processes} == {answer[0] for answer in answers}
    return answers


def test_the_standard_library_still_has_the_parts_that_are_used():
    assert list(inspect.signature(spawn._main).parameters) == ["fd", "parent_sentinel"]
    assert hasattr(resource_tracker._resource_tracker, "_fd")
    assert "_inherited_fds" in inspect.getsource(forkserver.ForkServer.get_inherited_fds)
    assert callable(forkserver.read_signed)
    assert callable(forkserver.write_signed)
    source = inspect.getsource(popen_forkserver.Popen)
    assert "read_signed" in source
    assert "_fds" in source
    assert "spawn" in multiprocessing.context._concrete_contexts


def test_forks_have_the_imports_the_mark_and_random_numbers_of_their_own():
    with ready_fork_server("mark-of-a-test"):
        [server] = fork_servers()
        first, second = told_by(2)
    for answer in (first, second):
        assert answer[1] == server.pid
        assert answer[2]
        assert answer[4] == "mark-of-a-test"
    assert first[3] != second[3]


@pytest.mark.parametrize("code", [0, 3, -9])
def test_the_exit_code_of_a_fork_is_known(code):
    context = multiprocessing.get_context(METHOD)
    with ready_fork_server("mark"):
        with ask_for_fork():
            process = context.Process(target=exit_with, args=(code,))
        process.start()
        process.join(60)
        assert process.exitcode == code


def test_the_next_experiment_uses_the_same_server_unless_the_environment_changed(monkeypatch):
    with ready_fork_server("mark"):
        [first] = fork_servers()
        told_by(1)
    with ready_fork_server("mark"):
        assert fork_servers() == [first]
    monkeypatch.setenv("A_VARIABLE_OF_THE_USER", "changed")
    with ready_fork_server("mark"):
        [second] = fork_servers()
        assert second != first
        assert second.environ()["A_VARIABLE_OF_THE_USER"] == "changed"


def test_a_worker_is_spawned_where_the_environment_changed_meanwhile(monkeypatch):
    with ready_fork_server("mark"):
        told_by(1)
        monkeypatch.setenv("A_VARIABLE_OF_THE_USER", "changed")
        [answer] = told_by(1)
        assert answer[1] == os.getpid()
        assert not answer[2]


def test_a_worker_is_spawned_where_the_fork_server_was_killed():
    context = multiprocessing.get_context(METHOD)
    queue = context.Queue()
    with ready_fork_server("mark"):
        [server] = fork_servers()
        server.suspend()  # it takes the request, and never answers it
        with ask_for_fork():
            process = context.Process(target=tell, args=(queue,))
        threading.Timer(1.0, server.kill).start()
        process.start()
        assert queue.get(timeout=60)[1] == os.getpid()
        process.join(60)


def test_other_processes_of_the_driver_are_not_forked():
    context = multiprocessing.get_context(METHOD)
    queue = context.Queue()
    with ready_fork_server("mark"):
        process = context.Process(target=tell, args=(queue,))
        process.start()
        assert queue.get(timeout=60)[1] == os.getpid()
        process.join(60)


def test_the_server_ends_when_nothing_needed_it_for_a_while(monkeypatch):
    monkeypatch.setattr("hopsml_flows.cluster.fork_server.IDLE_SECONDS", 0.2)
    with ready_fork_server("mark"):
        told_by(1)
        assert fork_servers()
    wait_until(lambda: not fork_servers(), 30, "the fork server's end")


def test_a_server_that_forked_nothing_ends_at_once():
    with ready_fork_server("mark"):
        assert fork_servers()
    assert not fork_servers()


@pytest.mark.parametrize("how", ["exits", "is killed"])
def test_the_server_ends_with_its_driver(how):
    code = (
        "import time\n"
        "from hopsml_flows.cluster.fork_server import ready_fork_server, _keeper\n"
        "with ready_fork_server('mark'):\n"
        "    print(_keeper._server._process.pid, flush=True)\n"
        "    input()\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with driver:
        server = psutil.Process(int(driver.stdout.readline()))
        if how == "is killed":
            driver.kill()
        else:
            driver.stdin.write("\n")
            driver.stdin.close()
        driver.wait(60)
        wait_until(
            lambda: not server.is_running() or server.status() == "zombie", 60, "the server's end"
        )


def test_the_program_starts_no_thread_and_imports_nothing_that_forbids_a_fork():
    code = (
        "import importlib, os, sys\n"
        "from hopsml_flows.cluster.fork_program import _MODULES\n"
        "for name in _MODULES: importlib.import_module(name)\n"
        "print(len(os.listdir('/proc/self/task')))\n"
        "print(*sorted(sys.modules))\n"
        "maps = open('/proc/self/maps').read().split('\\n')\n"
        "print(*{line.rpartition('/')[2] for line in maps})\n"
    )
    # As nannies set it for workers; numpy's libraries start threads otherwise.
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    threads, modules, libraries = done.stdout.splitlines()
    assert threads == "1"
    assert {"tensorflow", "torch", "cupy", "numba"}.isdisjoint(modules.split())
    assert "libc" in libraries
    assert "nvidia" not in libraries
    assert "cuda" not in libraries
