"""Devices on the real binding of NVML and a shared library that stands in for the driver's."""

from __future__ import annotations

import json

import pytest

from tests import events
from tests.logs import printed
from tests.nvml.fixtures import GIB, gpu, mig

ONE, OTHER = "GPU-1111-aaaa", "GPU-2222-bbbb"
LOST, NO_PERMISSION, MISMATCH = 15, 4, 18  # NVML_ERROR_…
HANG = -1

ASK = """
import dataclasses, json, os, sys
from hopsml_flows import devices
found = {}
for setting in json.loads(sys.argv[1]):
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if setting is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = setting
    found[str(setting)] = [dataclasses.asdict(gpu) for gpu in devices.gpus()]
    assert len(found[str(setting)]) == devices.get_num_gpus()
print(json.dumps(found))
"""


def asked(fake_nvml, *settings):
    return json.loads(fake_nvml.run(ASK, json.dumps(settings)))


def test_gpus_have_names_memory_and_utilization_as_far_as_nvml_says(fake_nvml):
    fake_nvml.answer(
        gpu(ONE, utilization=40),
        mig("MIG-3333-cccc"),
        gpu(OTHER, utilization=-1, used=3 * GIB, name="NVIDIA Other"),
    )
    found = asked(fake_nvml, None, "1,0", "GPU-2", "MIG-3333-cccc,0", "MIG-unknown,0", "")
    first = {
        "index": 0,
        "uuid": ONE,
        "name": "NVIDIA Test 8GB",
        "memory_total": 8 * GIB,
        "memory_used": GIB,
        "utilization": 40.0,
    }
    second = {
        **first,
        "index": 1,
        "uuid": OTHER,
        "name": "NVIDIA Other",
        "memory_used": 3 * GIB,
        "utilization": None,
    }
    part = {
        "index": None,
        "uuid": "MIG-3333-cccc",
        "name": "NVIDIA Test 8GB MIG 1g.4gb",
        "memory_total": 4 * GIB,
        "memory_used": GIB,
        "utilization": None,
    }
    assert found == {
        "None": [first, second],
        "1,0": [second, first],
        "GPU-2": [second],
        "MIG-3333-cccc,0": [part, first],
        "MIG-unknown,0": [],
        "": [],
    }


def test_a_gpu_that_is_lost_or_forbidden_is_none_that_can_be_used(fake_nvml):
    fake_nvml.answer(gpu("GPU-0", code=NO_PERMISSION), gpu(ONE, code=LOST), gpu(OTHER))
    found = asked(fake_nvml, None, "0", "1")
    assert [[gpu["uuid"] for gpu in found[key]] for key in ("None", "0", "1")] == [
        [OTHER],
        [],
        [OTHER],
    ]


def test_a_gpu_that_is_lost_later_has_no_figures_and_a_forked_child_asks_anew(fake_nvml):
    code = """
import os, sys
from pathlib import Path
from hopsml_flows import devices
answers = Path(sys.argv[1])
devices.gpus()
answers.write_text(answers.read_text().replace("gpu 0 40", "gpu 15 40"))
print([gpu.memory_used for gpu in devices.gpus()], [gpu.utilization for gpu in devices.gpus()])
print(devices.get_num_gpus(), flush=True)
if os.fork() == 0:
    print("child", devices.get_num_gpus(), flush=True)
    os._exit(0)
os.wait()
"""
    fake_nvml.answer(gpu(ONE, utilization=40), gpu(OTHER, utilization=7))
    assert fake_nvml.run(code, fake_nvml.answers).splitlines() == [
        f"[None, {GIB}] [None, 7.0]",
        "2",
        "child 1",
    ]


def test_where_nvml_is_broken_there_are_no_gpus_and_a_cluster_starts_all_the_same(fake_nvml):
    code = """
import os
from hopsml_flows import devices
from hopsml_flows.cluster.open_cluster import open_cluster
from hopsml_flows.experiment import ClusterConfig
print(devices.get_num_gpus(), devices.gpus())
with open_cluster(ClusterConfig(n_workers=1)) as cluster:
    print(cluster.client.submit(devices.get_num_gpus).result(60))
"""
    fake_nvml.answer(init=MISMATCH)
    assert fake_nvml.run(code).split() == ["0", "[]", "0"]


def test_a_binding_or_a_library_that_cannot_be_loaded_is_no_error(fake_nvml, tmp_path):
    fake_nvml.answer(gpu(ONE))
    without = f"import sys\nsys.modules['pynvml'] = None\n{ASK}"
    assert fake_nvml.run(without, "[null]") == '{"None": []}\n'
    (tmp_path / "libnvidia-ml.so.1").write_text("no library")
    assert fake_nvml.run(ASK, "[null]", LD_LIBRARY_PATH=str(tmp_path)) == '{"None": []}\n'


CUDA = """
import json, sys
from hopsml_flows import experiment

def train(x):
    import os, time
    from pathlib import Path
    from hopsml_flows import devices, tensorboard

    until = time.monotonic() + 60
    while not list(Path(tensorboard.logdir()).glob("*hopsml*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    return {"metric": x, "visible": os.environ["CUDA_VISIBLE_DEVICES"],
            "uuids": [gpu.uuid for gpu in devices.gpus()]}

result = experiment.grid_search(train, {"x": [1, 2]}, project=sys.argv[1], cluster="cuda",
                                tensorboard=False, progress=False)
print("RESULT", json.dumps([[t.outputs, t.devices.as_json()["gpus"]] for t in result.trials]))
"""


def test_each_worker_of_dask_cuda_has_one_gpu_and_its_trials_record_that_one(
    fake_nvml, project, prefect_server
):
    pytest.importorskip("cuda.bindings", reason="dask-cuda's CUDA bindings are not installed")
    fake_nvml.answer(gpu(ONE, utilization=40), gpu(OTHER, utilization=80, used=2 * GIB))
    printed = fake_nvml.run(CUDA, project, PREFECT_API_URL=prefect_server)
    trials = json.loads(printed.partition("RESULT ")[2])
    assert sorted(outputs["visible"] for outputs, _ in trials) == ["0", "1"]
    for outputs, [seen] in trials:
        assert outputs["uuids"] == [seen["uuid"]]
        busy, used = {ONE: (40.0, GIB), OTHER: (80.0, 2 * GIB)}[seen["uuid"]]
        assert outputs["visible"] == str(seen["index"])
        assert seen["utilization"] == {"mean": busy, "peak": busy}
        assert seen["memory"] == {"mean": used, "peak": used}


TRIAL = """
import os, sys
from hopsml_flows.execution import Job, Place, Staging, evaluate, packed
from hopsml_flows.storage import Project
from hopsml_flows.trials import Trial

def train(answers, later):
    import time
    from pathlib import Path
    from hopsml_flows import tensorboard

    def samples():
        return content().count(b"devices/gpu0_memory_gib")

    def wait_for_sample(number):
        until = time.monotonic() + 60
        while samples() < number:
            assert time.monotonic() < until
            time.sleep(0.02)

    def content():
        return b"".join(file.read_bytes() for file in Path(tensorboard.logdir()).glob("events*"))

    wait_for_sample(1)
    Path(later).replace(answers)
    seen = samples()
    if "gpu -1" in Path(answers).read_text():
        time.sleep(1.5)  # looked at by now
    else:
        wait_for_sample(seen + 2)  # one may have begun before
    return 1

project = Project(sys.argv[1])
job = Job(function=packed(train, by_value=True), project=project, experiment_id="e-1",
          optimization_key="metric", needs_metric=True, local_logdir=False, directory=os.getcwd())
trial = Trial(1, "0001", dict(answers=sys.argv[2], later=sys.argv[3]), directory="0001")
staging = Staging(project, job.paths, trial, local_logdir=False)
place = Place("tcp://10.0.0.1:1", alone=True, memory_limit=1 << 30)
staging.commit(evaluate(job, trial, staging, place))
"""


def run_trial(fake_nvml, project, before, after):
    """A trial on these GPUs, which change once they have been looked at; its directory."""
    later = fake_nvml.answers.with_name("later.txt")
    fake_nvml.answer(*after)
    fake_nvml.answers.rename(later)
    fake_nvml.answer(*before)
    fake_nvml.run(TRIAL, project, fake_nvml.answers, later)
    return project / "Experiments" / "e-1" / "0001"


def test_a_trials_gpus_are_in_its_banner_its_curves_and_its_record(fake_nvml, project):
    trial = run_trial(
        fake_nvml,
        project,
        before=[gpu(ONE, utilization=40), gpu(OTHER, utilization=80, used=2 * GIB)],
        after=[gpu(ONE, utilization=60), gpu(OTHER, code=LOST)],
    )

    log = (trial / "output.log").read_text()
    worker, gpus = (line.partition("Z ")[2] for line in log.splitlines())
    assert worker.startswith("worker tcp://10.0.0.1:1 on ")
    assert worker.endswith(", at most 1.0 GiB of it for this worker, 2 GPUs")
    assert gpus == "GPUs: NVIDIA Test 8GB, 8.0 GiB; NVIDIA Test 8GB, 8.0 GiB"
    assert printed(log) == []

    curves = events.scalars(trial)
    steps, busy = zip(*curves["devices/gpu0_percent"], strict=True)
    before, after = busy.count(40.0), busy.count(60.0)  # one each, where nothing is late
    assert busy == (40.0,) * before + (60.0,) * after
    assert min(before, after) >= 1
    assert {tag: len(points) for tag, points in curves.items()} == {
        "devices/cpu_percent": before + after,
        "devices/memory_gib": before + after,
        "devices/gpu0_percent": before + after,
        "devices/gpu0_memory_gib": before + after,
        "devices/gpu1_percent": before,  # lost after that
        "devices/gpu1_memory_gib": before,
    }
    assert {value for _, value in curves["devices/gpu1_memory_gib"]} == {2.0}
    assert list(steps) == sorted(set(steps))

    outputs = json.loads((trial / ".outputs.json").read_text())
    usage = outputs.pop("_commit")["devices"]
    assert outputs == {"metric": 1, "log": "Experiments/e-1/0001/output.log"}
    zero, one = usage["gpus"]
    assert usage["samples"] == before + after + 1  # and the end
    assert 40 < zero["utilization"]["mean"] < zero["utilization"]["peak"] == 60
    assert zero["memory"] == {"mean": GIB, "peak": GIB}
    assert one["utilization"] == {"mean": 80.0, "peak": 80.0}
    assert (one["index"], one["uuid"], one["memory_total"]) == (1, OTHER, 8 * GIB)


def test_a_driver_that_hangs_costs_samples_and_no_trial(fake_nvml, project):
    trial = run_trial(
        fake_nvml,
        project,
        before=[gpu(ONE, utilization=40)],
        after=[gpu(ONE, code=HANG)],
    )
    usage = json.loads((trial / ".outputs.json").read_text())["_commit"]["devices"]
    before = len(events.scalars(trial)["devices/gpu0_percent"])
    assert before >= 1
    assert usage["samples"] == before + 1  # and the trial's end
    assert usage["gpus"][0]["utilization"] == {"mean": 40.0, "peak": 40.0}
