from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.execution.devices import Gpu
from hopsml_flows.execution.devices.meter import Meter, Sample
from hopsml_flows.trials import DeviceUsage

samples = st.lists(
    st.tuples(st.floats(0.001, 1e5), st.floats(0, 1e6), st.integers(0, 1 << 50), st.floats(0, 100)),
    min_size=1,
    max_size=30,
)


@given(samples)
def test_a_mean_lies_between_the_least_and_the_peak_and_survives_the_file(steps):
    meter, seconds, taken = Meter(64), 0.0, 0.0
    for passed, cpu, memory, utilization in steps:
        seconds, taken = seconds + passed, taken + cpu
        meter.add(
            Sample(seconds, taken, memory, [Gpu(0, "GPU-0", "Test", None, memory, utilization)])
        )
    usage = meter.usage()
    memories = [memory for _, _, memory, _ in steps]
    assert min(memories) * (1 - 1e-9) - 1 <= usage.memory.mean <= usage.memory.peak
    assert usage.memory.peak == pytest.approx(max(memories), rel=1e-9)
    assert usage.gpus[0].memory == usage.memory
    assert 0 <= usage.cpu.mean <= usage.cpu.peak <= 6400
    assert usage.gpus[0].utilization.peak == pytest.approx(max(s[3] for s in steps), abs=0.06)
    assert DeviceUsage.from_json(json.loads(json.dumps(usage.as_json()))) == usage
