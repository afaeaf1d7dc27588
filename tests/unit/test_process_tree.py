"""Processor time and memory of real processes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hopsml_flows.execution.devices.process_usage import ProcessTree

BUSY = """
import sys, time
ballast = bytearray(64 << 20)
until = time.process_time() + float(sys.argv[1])
while time.process_time() < until:
    pass
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def busy():
    """Start a process that takes so many seconds of processor time; it ends when told."""
    started = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", BUSY, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout.readline() == b"done\n"
        return process

    yield start
    for process in started:
        process.communicate()


def test_a_process_counts_itself(tmp_path):
    tree = ProcessTree()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    reading = tree.read(look=False)
    assert reading.cpu_seconds >= 0.2
    assert reading.memory > 1 << 20


def test_a_child_counts_with_time_and_memory_and_its_time_stays_when_it_has_ended(busy):
    tree = ProcessTree()
    before = tree.read(look=True)
    child = busy(0.3)
    assert tree.read(look=False).cpu_seconds < 0.3  # nobody has looked for it
    during = tree.read(look=True)
    assert during.cpu_seconds >= 0.29
    assert during.memory - before.memory > 64 << 20
    child.communicate()
    after = tree.read(look=False)
    assert after.cpu_seconds >= during.cpu_seconds
    assert after.memory < during.memory - (64 << 20)
    assert tree.read(look=True).cpu_seconds >= during.cpu_seconds


def test_a_child_that_was_there_before_counts_from_when_it_is_seen(busy):
    child = busy(0.5)
    time.sleep(0.05)  # the system's clock of starts has ticks of 10 ms
    tree = ProcessTree()
    assert tree.read(look=True).cpu_seconds < 0.3
    child.communicate()
    assert tree.read(look=False).cpu_seconds < 0.3
    assert tree.read(look=True).cpu_seconds < 0.3
