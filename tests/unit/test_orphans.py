from __future__ import annotations

import os
import subprocess
import sys
import uuid

import psutil

from hopsml_flows.cluster.orphans import MARK, end_marked, end_orphans


def sleeper(mark, code="import time; time.sleep(1000)"):
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, MARK: mark})


def test_marked_processes_are_ended_and_no_others():
    mark, other = uuid.uuid4().hex, uuid.uuid4().hex
    mine, stubborn, foreign = (
        sleeper(mark),
        sleeper(mark, "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"),
        sleeper(other),
    )
    try:
        while len(psutil.Process(stubborn.pid).cmdline()) < 3:
            pass
        assert end_marked(mark) == 2
        assert not psutil.pid_exists(mine.pid)
        assert not psutil.pid_exists(stubborn.pid)
        assert foreign.poll() is None
    finally:
        for process in (mine, stubborn, foreign):
            process.kill()
            process.wait()


def test_only_processes_whose_worker_is_gone_are_orphans():
    mark = uuid.uuid4().hex
    # A worker that leaves a child behind, and one that lives on with its child.
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep({})\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code.format(seconds)],
            env={**os.environ, MARK: mark},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seconds in (0, 1000)
    ]
    left, kept = (int(worker.stdout.readline()) for worker in workers)
    workers[0].wait(20)
    try:
        assert end_orphans(mark) == 1
        assert not psutil.pid_exists(left) or psutil.Process(left).status() == "zombie"
        assert psutil.Process(kept).is_running()
    finally:
        end_marked(mark)
        for worker in workers:
            worker.wait(20)
            worker.stdout.close()
