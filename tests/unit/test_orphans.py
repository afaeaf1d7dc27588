from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import suppress

import psutil
import pytest

from hopsml_flows.cluster.orphans import MARK, end_orphans
from tests.servers.processes import gone
from tests.waiting import wait_until

# A worker that starts a child, says who it is, and lives so many seconds.
WORKER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print(child.pid, flush=True)
time.sleep({seconds})
"""
SLEEPS = "import time; time.sleep(1000)"
STUBBORN = f"import signal; signal.signal(15, signal.SIG_IGN); {SLEEPS}"


@pytest.fixture
def worker():
    """Start a worker; returns it and its child's process id."""
    started = []

    def start(mark, *, seconds, child=SLEEPS):
        code = WORKER.format(child=child, seconds=seconds)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, MARK: mark},
            stdout=subprocess.PIPE,
            text=True,
        )
        pid = int(process.stdout.readline())
        started.append((process, pid))
        return process, pid

    yield start
    for process, pid in started:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def test_what_a_dead_worker_left_behind_is_ended_and_nothing_else(worker):
    mark, other = uuid.uuid4().hex, uuid.uuid4().hex
    dead, left = worker(mark, seconds=0)
    _, kept = worker(mark, seconds=1000)
    foreign_dead, foreign = worker(other, seconds=0)
    dead.wait(20)
    foreign_dead.wait(20)
    assert end_orphans(mark) == 1
    wait_until(lambda: gone(left), 30, "its end")
    assert not gone(kept)
    assert not gone(foreign)


def test_what_ignores_a_request_is_ended_by_force(worker):
    mark = uuid.uuid4().hex
    dead, left = worker(mark, seconds=1, child=STUBBORN)
    dead.wait(20)
    assert end_orphans(mark) == 1
    assert gone(left)
