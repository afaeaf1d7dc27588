"""A cluster's wrong fields are found before an experiment exists, with the field's name."""

from __future__ import annotations

import inspect
import logging
import math
import os
import re
from pathlib import Path

import dask
import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.cluster import ClusterConfig, kubernetes, slurm
from hopsml_flows.cluster.config_fields import declared_fields
from hopsml_flows.cluster.open_cluster import check_reachable
from hopsml_flows.errors import HopsmlError, InvalidArgumentError, InvalidClusterError
from hopsml_flows.execution import visible_gpus
from hopsml_flows.storage import Project


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loggers = {name: logging.getLogger(name).level for name in ("distributed", "distributed.nanny")}
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    assert os.listdir(tmp_path) == []
    assert {child.pid for child in psutil.Process().children(recursive=True)} == children
    assert loggers == {name: logging.getLogger(name).level for name in loggers}
    assert dask.config.get("distributed.scheduler.allowed-failures") == 3


def documented():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "clusters.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", page, re.MULTILINE)
    return {name: (default, words) for name, default, words in rows}


def test_the_documentation_has_each_field_with_its_default_and_description():
    declared = declared_fields(ClusterConfig)
    assert documented() == {
        name: (repr(getattr(ClusterConfig(), name)), field.words)
        for name, field in declared.items()
    }
    assert list(documented()) == list(declared)


def test_the_docstring_has_each_field_once_with_its_description():
    block = ClusterConfig.__doc__.partition("Args:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^    (\w+): \S", block, re.MULTILINE) == [*declared_fields(ClusterConfig)]
    said = " ".join(block.split())
    for name, field in declared_fields(ClusterConfig).items():
        assert f"{name}: {field.words}" in said


def test_the_signature_has_each_field_with_its_plain_type():
    shown = inspect.signature(ClusterConfig).parameters
    assert list(shown) == [*declared_fields(ClusterConfig)]
    assert (shown["n_workers"].annotation, shown["n_workers"].default) == (int | None, None)
    assert "Field(" not in str(inspect.signature(ClusterConfig))


def grid(tmp_path, **fields):
    return experiment.grid_search(
        lambda x: x, {"x": [1]}, project=str(tmp_path / "project"),
        cluster={"kind": "local", **fields},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory_limit", "abc"),
        ("memory_limit", -5),
        ("memory_limit", "-4GiB"),
        ("memory_limit", "1 parsec"),
        ("memory_limit", math.nan),
        ("memory_limit", math.inf),
        ("memory_limit", True),
        ("memory_limit", 1e-9),  # of the machine's
        ("memory_limit", b"4GiB"),
        ("n_workers", "x"),
        ("n_workers", 10**30),
        ("idle_timeout", 1e300),
        ("idle_timeout", 10**400),
        ("start_timeout", 1e300),
        ("start_timeout", math.inf),
        ("gpus_per_trial", 1e-320),
        ("gpus_per_trial", 10**400),
        ("options", {5: 1}),
        ("options", {"nonsense": 1}),
        ("options", {"host": "999.1.1.1"}),
        ("options", {"interface": "nowhere0"}),
        ("options", {"scheduler_port": "x"}),
        ("options", {"scheduler_port": 70000}),
        ("options", {"protocol": "pigeon"}),
        ("options", {"security": 5}),
        ("options", {"scheduler_kwargs": {"nonsense": 1}}),
        ("options", {"scheduler_kwargs": 5}),
        ("options", {"env": 5}),
        ("options", {"resources": {"GPU": "many"}}),
        ("options", {"local_directory": "/dev/null/nowhere"}),
        ("options", {"local_directory": "a\0b"}),
        ("options", {"local_directory": "/proc/x"}),
        ("options", {"dashboard_address": "x:y"}),
        ("options", {"dashboard_address": 8787}),
        ("options", {"silence_logs": "zzz"}),
        ("options", {"nthreads": "x"}),
        ("options", {"preload": "no_such_module"}),
        ("options", {"preload": ["json", "no.such.module"]}),
        ("options", {"preload": "no_such_file.py"}),
        ("options", {"preload": 5}),
        ("options", {"death_timeout": "abc"}),
        ("options", {"lifetime": "abc"}),
        ("options", {"threads_per_worker": 0}),
        ("options", {"processes": "yes"}),
        ("options", {"worker_class": "Nanny"}),
        ("options", {"dashboard_address": 5}),
        ("options", {"n_workers": 2}),
        ("options", {"memory_limit": "4GiB"}),
        ("options", {"asynchronous": True}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_wrong_field_is_refused_by_name_before_anything_is_made(tmp_path, capfd, field, value):
    with pytest.raises(InvalidClusterError, match=rf"^cluster\.{field}") as caught:
        grid(tmp_path, **{field: value})
    assert len(str(caught.value)) < 3000
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "cause"),
    [({"host": "999.1.1.1"}, "999.1.1.1"), ({"protocol": "nonsense"}, "nonsense")],
)
def test_an_error_of_dask_says_what_caused_it(tmp_path, options, cause):
    with pytest.raises(InvalidClusterError, match=r"^cluster\.options: ") as caught:
        grid(tmp_path, options=options)
    reason = str(caught.value).partition("; got")[0]
    assert "failed to start" not in reason
    assert cause in reason or "gaierror" in reason


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("local", {}),
        ("auto", {}),
        ("slurm", {"n_workers": 1, "options": {"memory": "1GiB"}}),
        ("kubernetes", {"n_workers": 1, "options": {"image": "i"}}),
        ("address", {"address": "tcp://127.0.0.1:9"}),
    ],
)
def test_options_that_no_kind_knows_are_refused_for_each_kind(
    tmp_path, tmp_path_factory, monkeypatch, kind, more
):
    commands = tmp_path_factory.mktemp("bin")
    for command in ("sbatch", "scancel", "squeue"):
        (commands / command).write_text("#!/bin/sh\n")
        (commands / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    options = {**more.get("options", {}), "nonsense": 1}

    def checked():
        config = ClusterConfig(**{"kind": kind, **more, "options": options})
        check_reachable(config, Project(str(tmp_path / "project")))

    with pytest.raises(InvalidClusterError, match=r"^cluster\.options: .*nonsense"):
        checked()


def test_options_of_dask_cuda_are_compared_with_its_class():
    dask_cuda = pytest.importorskip("dask_cuda")
    from hopsml_flows.cluster.local_options import check_own

    with pytest.raises(InvalidClusterError, match="must be arguments of LocalCUDACluster"):
        check_own(ClusterConfig("cuda", options={"nonsense": 1}), dask_cuda.LocalCUDACluster)
    fitting = {"enable_nvlink": False, "rmm_pool_size": "1GB"}
    check_own(ClusterConfig("cuda", options=fitting), dask_cuda.LocalCUDACluster)


@pytest.mark.parametrize(
    ("option", "value"),
    [("memory", "abc"), ("memory", 0), ("memory", None), ("cores", 0), ("cores", "x"),
     ("processes", -1), ("processes", 1.5)],
)  # fmt: skip
def test_values_for_a_job_of_slurm_are_judged(option, value):
    options = {"memory": "1GiB", option: value}
    with pytest.raises(InvalidClusterError, match=rf"^cluster\.options\['{option}'\]"):
        slurm.arguments(ClusterConfig("slurm", n_workers=1, options=options))


@pytest.mark.parametrize("limit", [5e8, 1 << 30, 0.5, None, "auto"])
def test_a_limit_of_memory_reaches_jobs_and_pods_as_text(limit):
    config = ClusterConfig("slurm", n_workers=1, memory_limit=limit, options={"memory": "1GiB"})
    assert all(isinstance(text, str) for text in slurm.arguments(config)["worker_extra_args"])
    config = ClusterConfig("kubernetes", n_workers=1, memory_limit=limit, options={"image": "i"})
    command = kubernetes.arguments(config, 1)["worker_command"]
    assert all(isinstance(text, str) for text in command)


def test_no_limit_of_memory_may_be_written_as_dask_writes_it():
    assert ClusterConfig(memory_limit=0).memory_limit is None
    assert ClusterConfig(memory_limit="0").memory_limit is None


@pytest.mark.parametrize("port", [0, 65536, 99999, "9" * 5000])
def test_an_address_has_a_port_that_there_is(port):
    with pytest.raises(InvalidClusterError, match="must be like tcp://host:8786"):
        ClusterConfig(address=f"tcp://host:{port}")


@pytest.mark.parametrize("value", [1e300, 1e9, 10**400, math.inf, math.nan, -1, 0, "5", True])
@pytest.mark.parametrize("name", ["trial_timeout", "sync_interval"])
def test_times_that_no_timer_takes_are_refused(tmp_path, name, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{name}: "):
        experiment.grid_search(
            lambda x: x, {"x": [1]}, project=str(tmp_path / "project"), **{name: value}
        )


@pytest.mark.parametrize("name", ["retries", "seed"])
def test_whole_numbers_that_json_cannot_carry_are_refused(tmp_path, name):
    with pytest.raises(InvalidArgumentError, match=rf"^{name}: must be an integer of at most"):
        experiment.random_search(
            lambda x: x, {"x": [0.0, 1.0]}, project=str(tmp_path / "project"), **{name: 10**30}
        )


@pytest.mark.skipif(bool(visible_gpus()), reason="with GPUs, the class is dask-cuda's")
def test_options_that_are_right_pass(tmp_path):
    options = {
        "host": "127.0.0.1", "threads_per_worker": 1, "env": {"A": "1"}, "resources": {"A": 1},
        "local_directory": "/tmp", "silence_logs": 40, "death_timeout": "60s",
    }  # fmt: skip
    check_reachable(ClusterConfig("local", options=options), Project(str(tmp_path / "project")))


def test_such_errors_are_typed():
    assert issubclass(InvalidClusterError, HopsmlError)
