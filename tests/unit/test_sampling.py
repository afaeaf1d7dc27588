"""Samples of this process, taken by the real thread."""

from __future__ import annotations

import threading
import time

import pytest

from hopsml_flows.execution.devices import Sampling


class Curves:
    """Takes points, as a trial's event file does; broken ones are refused."""

    def __init__(self, broken=()):
        self.points = []
        self._broken = broken

    def __call__(self, tag, value, step, wall_time):
        self.points.append((tag, value, step))
        if tag in self._broken:
            raise OSError("no space")

    def wait_for(self, tag, count):
        until = time.monotonic() + 60
        while sum(point[0] == tag for point in self.points) < count:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_trial_is_sampled_while_it_runs_and_at_its_end():
    curves, began, cpu = Curves(), time.monotonic(), time.process_time()
    with Sampling(curves) as sampling:
        ballast = bytearray(64 << 20)
        curves.wait_for("devices/memory_gib", 2)
        del ballast
    busy, passed = time.process_time() - cpu, time.monotonic() - began
    usage = sampling.usage
    assert usage.samples >= 3
    assert usage.gpus == ()
    assert usage.memory.peak > 64 << 20
    assert usage.memory.mean <= usage.memory.peak
    # Servers that other tests started are children of this process, and count.
    assert usage.cpu.peak >= usage.cpu.mean >= 0.5 * 100 * busy / passed - 2
    tags, steps = [point[0] for point in curves.points], [point[2] for point in curves.points]
    assert tags == ["devices/cpu_percent", "devices/memory_gib"] * (usage.samples - 1)
    assert steps[::2] == steps[1::2] == sorted(set(steps))  # seconds, each look later
    assert steps[-1] <= passed
    values = [value * (1 << 30) for tag, value, _ in curves.points if tag == "devices/memory_gib"]
    assert max(values) == pytest.approx(usage.memory.peak)


def test_a_trial_that_is_over_at_once_has_a_summary_and_no_curves():
    curves = Curves()
    with Sampling(curves) as sampling:
        pass
    assert sampling.usage.samples == 1
    assert sampling.usage.memory.peak > 1 << 20
    time.sleep(0.7)  # the first look would be due
    assert curves.points == []
    assert sampling.usage.samples == 1


def test_one_that_never_began_has_no_summary():
    assert Sampling(Curves()).usage is None


def test_trials_of_a_process_share_one_thread_which_sleeps_between_them():
    def threads():
        return [t for t in threading.enumerate() if t.name == "hopsml-devices"]

    first, second = Curves(), Curves()
    with Sampling(first):
        first.wait_for("devices/memory_gib", 1)  # what is written last
        [thread] = threads()
    after_first = len(first.points)
    time.sleep(0.1)
    with Sampling(second):
        second.wait_for("devices/cpu_percent", 1)
        assert threads() == [thread]
    assert len(first.points) == after_first


def test_a_curve_that_cannot_be_written_costs_no_sample():
    curves = Curves(broken=["devices/memory_gib"])
    with Sampling(curves) as sampling:
        curves.wait_for("devices/cpu_percent", 2)
    looks = sum(point[0] == "devices/cpu_percent" for point in curves.points)
    assert sampling.usage.samples == looks + 1  # and the end
