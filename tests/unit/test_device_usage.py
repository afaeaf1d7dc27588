"""From samples to means and peaks."""

from __future__ import annotations

import pytest

from hopsml_flows.execution.devices import Gpu
from hopsml_flows.execution.devices.meter import Meter, Sample
from hopsml_flows.trials import DeviceUsage, GpuUsage, MeanPeak


def gpu(utilization=None, used=None, index=0):
    return Gpu(index, f"GPU-{index}", "Test", 1000, used, utilization)


def usage_of(*samples, cores=64):
    meter = Meter(cores)
    for sample in samples:
        meter.add(sample)
    return meter.usage()


def test_no_sample_is_no_usage():
    assert Meter(1).usage() is None


def test_processor_time_between_two_samples_is_percent_of_a_core():
    meter = Meter(4)
    assert meter.add(Sample(0.5, 0.25, 0)) == pytest.approx(50)
    assert meter.add(Sample(2.5, 4.25, 0)) == pytest.approx(200)
    assert meter.usage().cpu == MeanPeak(170.0, 200.0)


def test_a_sample_counts_for_the_time_since_the_one_before():
    usage = usage_of(Sample(1, 0, 100), Sample(4, 0, 500))
    assert usage.memory == MeanPeak((100 + 3 * 500) / 4, 500)
    assert usage.samples == 2


def test_gpus_are_told_apart_by_their_place():
    first = Sample(1, 0, 0, [gpu(10, 100, 0), gpu(90, 300, 1)])
    second = Sample(2, 0, 0, [gpu(30, 300, 0), gpu(70, 300, 1)])
    zero, one = usage_of(first, second).gpus
    assert (zero.utilization, zero.memory) == (MeanPeak(20.0, 30.0), MeanPeak(200, 300))
    assert (one.utilization, one.memory) == (MeanPeak(80.0, 90.0), MeanPeak(300, 300))
    assert (one.index, one.uuid, one.name, one.memory_total) == (1, "GPU-1", "Test", 1000)


def test_what_is_not_known_does_not_count():
    lost = Sample(2, 0, 0, [gpu()])
    assert usage_of(Sample(1, 0, 0, [gpu(80, 7)]), lost).gpus[0].utilization == MeanPeak(80.0, 80.0)
    assert usage_of(lost).gpus == (GpuUsage(0, "GPU-0", "Test", 1000, None, None),)


def test_a_sample_without_a_look_at_the_gpus_leaves_their_figures_alone():
    usage = usage_of(Sample(1, 0, 0, [gpu(80, 7)]), Sample(100, 0, 0))
    assert usage.gpus[0].utilization == MeanPeak(80.0, 80.0)


def test_a_sum_of_processor_time_that_falls_is_no_negative_percent_and_counts_from_there():
    meter = Meter(4)
    meter.add(Sample(1, 1.0, 0))
    assert meter.add(Sample(2, 0.5, 0)) == 0.0
    assert meter.add(Sample(3, 1.5, 0)) == pytest.approx(100)


def test_a_moment_after_the_last_sample_is_in_the_mean_and_no_peak():
    # Ten milliseconds, the system's tick, taken within one.
    usage = usage_of(Sample(1, 0.6, 0), Sample(3, 1.0, 0), Sample(3.001, 1.01, 0))
    assert usage.cpu == MeanPeak(33.7, 60.0)


def test_no_more_is_taken_than_the_machine_has():
    assert usage_of(Sample(0.001, 0.5, 0), cores=2).cpu == MeanPeak(200.0, 200.0)


def test_two_samples_at_one_time_are_no_division_by_zero():
    usage = usage_of(Sample(0.0, 0.0, 5), Sample(0.0, 0.1, 7))
    assert (usage.cpu, usage.memory) == (MeanPeak(0.0, 0.0), MeanPeak(7, 7))


def test_keys_of_a_later_version_are_left_out():
    usage = DeviceUsage(
        1, MeanPeak(1.0, 2.0), MeanPeak(3, 4), (GpuUsage(None, "MIG-1", None, None, None, None),)
    )
    later = usage.as_json()
    later["disk"] = {"mean": 1}
    later["gpus"][0]["power"] = 300
    assert DeviceUsage.from_json(later) == usage
