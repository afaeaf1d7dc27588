from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from hopsml_flows.storage.parallel_requests import in_parallel


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_results_come_in_the_order_of_the_items(threads):
    assert in_parallel(lambda x: x * x, range(20), threads=threads) == [x * x for x in range(20)]
    assert in_parallel(str, [None], threads=threads) == ["None"]
    assert in_parallel(str, [], threads=threads) == []


def test_so_many_are_at_work_at_once_as_was_asked_for():
    together = threading.Barrier(4)  # breaks where there are fewer
    assert in_parallel(lambda _: together.wait(10) >= 0, range(8), threads=4) == [True] * 8


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_raised_and_the_rest_is_not_begun(threads):
    begun = []

    def action(item):
        begun.append(item)
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        in_parallel(action, range(100), threads=threads)
    assert len(begun) <= threads


def test_a_request_that_hangs_does_not_keep_the_process():
    code = """
import os, signal, threading, time
from hopsml_flows.storage.parallel_requests import in_parallel
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
in_parallel(lambda _: time.sleep(600), range(4))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert b"KeyboardInterrupt" in done.stderr


@pytest.fixture
def interruptible():
    """Ctrl-C is what Python makes of it, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_call_begins_nothing_more(interruptible):
    begun, threads, go_on = [], set(), threading.Event()

    def action(item):
        begun.append(item)
        threads.add(threading.current_thread())
        if item == 0:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        go_on.wait(60)

    with pytest.raises(KeyboardInterrupt):
        in_parallel(action, range(100), threads=4)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert len(begun) <= 4
