from __future__ import annotations

import json
from pathlib import Path

from hopsml_flows import experiment
from tests import events
from tests.logs import without_log


def train(size):
    """Take memory and processor time in a child, for as long as two samples take."""
    import subprocess
    import sys
    import time
    from pathlib import Path

    from hopsml_flows import devices, tensorboard

    def samples():
        files = Path(tensorboard.logdir()).glob("*hopsml*")
        return sum(file.read_bytes().count(b"devices/memory_gib") for file in files)

    code = f"ballast = bytearray(b'x') * {size}\nprint(flush=True)\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    child.stdout.readline()
    before, until = samples(), time.monotonic() + 60
    while samples() < before + 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    child.kill()
    child.wait()
    child.stdout.close()
    return {"metric": size, "gpus": devices.get_num_gpus()}


def test_what_a_trial_takes_is_in_its_curves_its_record_and_its_result_also_when_resumed(options):
    size = 128 << 20
    result = experiment.grid_search(train, {"size": [1, size]}, **options)
    small, large = result.trials
    assert without_log(large.outputs) == {"metric": size, "gpus": large.outputs["gpus"]}
    assert large.devices.memory.peak - small.devices.memory.peak > size / 2
    assert large.devices.cpu.peak >= large.devices.cpu.mean > 0
    assert len(large.devices.gpus) == large.outputs["gpus"]

    directory = Path(result.path) / large.directory
    curves = events.scalars(directory)
    memory = [value * (1 << 30) for _, value in curves["devices/memory_gib"]]
    assert max(memory) <= large.devices.memory.peak * (1 + 1e-6)
    assert [step for step, _ in curves["devices/memory_gib"]] == sorted(
        {step for step, _ in curves["devices/cpu_percent"]}
    )
    outputs = json.loads((directory / ".outputs.json").read_text())
    assert outputs["_commit"]["devices"] == large.devices.as_json()
    assert set(outputs) == {"metric", "gpus", "log", "_commit"}

    resumed = experiment.grid_search(train, {"size": [1, size]}, resume=result.id, **options)
    assert [trial.devices for trial in resumed.trials] == [small.devices, large.devices]
