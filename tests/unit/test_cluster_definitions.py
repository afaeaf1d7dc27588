"""Clusters as YAML: what is read, and what the definitions in ``deployments/clusters`` make."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml

from hopsml_flows.cluster import ClusterConfig, kubernetes, slurm
from hopsml_flows.cluster.dask_settings import SETTINGS, as_environment
from hopsml_flows.cluster.open_cluster import check_reachable
from hopsml_flows.errors import InvalidClusterError
from hopsml_flows.execution import visible_gpus

CLUSTERS = Path(__file__).parents[2] / "deployments" / "clusters"


def defined(name):
    return ClusterConfig.from_yaml(CLUSTERS / f"{name}.yaml")


@pytest.mark.parametrize("file", sorted(CLUSTERS.iterdir()), ids=lambda file: file.name)
def test_a_definition_is_read_and_says_the_same_as_a_dict(file):
    config = ClusterConfig.from_yaml(file)
    assert ClusterConfig.parse(str(file)) == ClusterConfig.parse(file) == config
    assert ClusterConfig.parse(config.as_dict()) == config


def test_the_definitions_are_of_all_kinds_that_others_start():
    kinds = {ClusterConfig.from_yaml(file).kind for file in CLUSTERS.iterdir()}
    assert kinds == {"cuda", "slurm", "kubernetes", "address"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [", "must be a YAML file"),
        ("- kind: local", "fields"),
        ("", "fields"),
        ("kind: cloud", "cluster.kind: must be one of"),
        ("kind: local\nworkers: 2", "must have only the fields"),
        ("kind: local\nn_workers: 0", r"^cluster\.n_workers"),
        ("kind: slurm", r"^cluster\.n_workers: must be given"),
        ("kind: kubernetes", r"^cluster\.n_workers: must be given"),
        ("kind: cuda\naddress: tcp://host:1", r"^cluster\.address: must not be given"),
        ("kind: local\noptions: 3", r"^cluster\.options"),
    ],
)
def test_a_definition_that_is_wrong_is_refused(tmp_path, monkeypatch, text, message):
    (tmp_path / "cluster.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidClusterError, match=message):
        ClusterConfig.parse("cluster.yaml")


def test_a_definition_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(InvalidClusterError, match="No such file"):
        ClusterConfig.parse(str(tmp_path / "none.yaml"))
    with pytest.raises(InvalidClusterError, match="Is a directory"):
        ClusterConfig.from_yaml(tmp_path)
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InvalidClusterError, match="must be a YAML file"):
        ClusterConfig.parse(str(tmp_path / "bytes.yml"))


def test_only_what_differs_from_the_default_is_in_the_dict():
    assert ClusterConfig().as_dict() == {}
    config = ClusterConfig("local", n_workers=2, memory_limit=None)
    assert config.as_dict() == {"kind": "local", "n_workers": 2, "memory_limit": None}


def test_the_machine_with_gpus_needs_one(project):
    if visible_gpus():
        check_reachable(defined("gpu-machine"), project)
    else:
        with pytest.raises(InvalidClusterError, match="NVML finds no NVIDIA GPU"):
            check_reachable(defined("gpu-machine"), project)


def test_dask_reads_the_settings_of_workers_from_their_environment():
    import dask

    read = dask.config.collect_env(as_environment())
    for name, value in SETTINGS.items():
        assert dask.config.get(name, config=read) == value


def test_the_job_script_of_slurm():
    from dask_jobqueue import SLURMCluster

    arguments = slurm.arguments(defined("slurm"))
    with SLURMCluster(**{**arguments, "asynchronous": False}) as cluster:
        script = cluster.job_script()
    header = [line.removeprefix("#SBATCH ") for line in script.splitlines() if "#SBATCH" in line]
    assert {"-p gpu", "--cpus-per-task=8", "--mem=32G", "-t 04:00:00", "--gres=gpu:1"} <= {*header}
    *_, command = script.strip().splitlines()
    for argument in ("--nthreads 1", "--memory-limit 32.00GiB", "--nanny", "--resources GPU=1"):
        assert argument in command
    assert "--nworkers" not in command
    assert "export DASK_DISTRIBUTED__WORKER__DAEMON=False" in script


def test_options_of_slurm():
    config = ClusterConfig(
        kind="slurm", n_workers=4, memory_limit=None,
        options={
            "memory": "8GiB", "cores": 8, "processes": 2,
            "job_script_prologue": ["module load cuda"],
            "worker_extra_args": ["--lifetime", "1h"],
            "scheduler_options": {"dashboard": True},
        },
    )  # fmt: skip
    arguments = slurm.arguments(config)
    assert (arguments["job_cpu"], arguments["cores"], arguments["processes"]) == (8, 2, 2)
    assert arguments["job_script_prologue"][-1] == "module load cuda"
    assert arguments["worker_extra_args"] == ["--lifetime", "1h", "--memory-limit", "0"]
    assert arguments["scheduler_options"] == {"dashboard": True, "dashboard_address": ":0"}
    assert config.options["processes"] == 2  # nothing of it was taken


def test_slurm_without_its_commands_or_its_options_is_refused(monkeypatch, tmp_path, project):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidClusterError, match="sbatch, scancel, squeue are not found"):
        check_reachable(defined("slurm"), project)
    for command in ("sbatch", "scancel", "squeue"):
        (tmp_path / command).write_text("#!/bin/sh\n")
        (tmp_path / command).chmod(0o755)
    check_reachable(defined("slurm"), project)
    with pytest.raises(InvalidClusterError, match="memory"):
        check_reachable(ClusterConfig(kind="slurm", n_workers=1), project)
    wrong = ClusterConfig(kind="slurm", n_workers=1, options={"memory": "1GiB", "nodes": 3})
    with pytest.raises(InvalidClusterError, match=r"\['nodes'\]"):
        check_reachable(wrong, project)


@pytest.mark.parametrize(
    ("kind", "module"), [("slurm", "dask_jobqueue"), ("kubernetes", "dask_kubernetes")]
)
def test_what_a_kind_needs_is_named_where_it_is_missing(monkeypatch, project, kind, module):
    monkeypatch.setattr(slurm.shutil, "which", lambda command: f"/usr/bin/{command}")
    monkeypatch.setitem(__import__("sys").modules, module, None)
    for part in ("operator", "slurm"):
        monkeypatch.setitem(__import__("sys").modules, f"{module}.{part}", None)
    with pytest.raises(InvalidClusterError, match=rf"hopsml-flows\[{kind}\]"):
        check_reachable(defined(kind), project)


def manifest(config, workers):
    """The DaskCluster that dask-kubernetes makes of our arguments."""
    from dask_kubernetes.operator import make_cluster_spec

    arguments = {"resources": {}, **kubernetes.arguments(config, workers)}  # as its settings do
    known = ("name", "image", "n_workers", "resources", "env", "worker_command")
    return make_cluster_spec(**{name: arguments[name] for name in known if name in arguments})


def validate(manifest):
    """Check a manifest as the API server does, by the operator's definition."""
    operator = resources.files("dask_kubernetes.operator") / "deployment" / "helm"
    file = operator / "dask-kubernetes-operator" / "crds" / "daskcluster.yaml"
    (version,) = yaml.load(file.read_text(), yaml.CSafeLoader)["spec"]["versions"]
    jsonschema.validate(manifest, version["schema"]["openAPIV3Schema"])


def test_the_manifest_of_kubernetes():
    made = manifest(defined("kubernetes"), 3)
    validate(made)
    with pytest.raises(jsonschema.ValidationError):
        validate({**made, "spec": {**made["spec"], "worker": {"replicas": "3"}}})
    worker = made["spec"]["worker"]
    assert worker["replicas"] == 3
    (container,) = worker["spec"]["containers"]
    command = " ".join(container["args"])
    assert command.startswith("dask-worker --nthreads 1 --nworkers 1 --memory-limit auto ")
    assert "--resources GPU=1" in command
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    for part in (made["spec"]["worker"], made["spec"]["scheduler"]):
        names = {each["name"]: each["value"] for each in part["spec"]["containers"][0]["env"]}
        assert names["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] == "0"
        assert names["PREFECT_API_URL"].startswith("http://")


def test_options_of_kubernetes():
    config = ClusterConfig(
        kind="kubernetes", n_workers=2, memory_limit=None,
        options={
            "image": "i", "name": "n", "worker_command": "dask worker",
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        },
    )  # fmt: skip
    made = manifest(config, 2)
    validate(made)
    (container,) = made["spec"]["worker"]["spec"]["containers"]
    assert container["args"][:2] == ["dask", "worker"]
    assert "--memory-limit 0" in " ".join(container["args"])
    assert container["env"][-1]["name"] == "A"
    strange = {**config.options, "pods": 3}
    with pytest.raises(InvalidClusterError, match=r"\['pods'\]"):
        kubernetes.check(ClusterConfig(kind="kubernetes", n_workers=1, options=strange))
    own = ClusterConfig(kind="kubernetes", n_workers=1, options={"custom_cluster_spec": "c.yaml"})
    assert kubernetes.arguments(own, 1) == {"quiet": True, "custom_cluster_spec": "c.yaml"}
    with pytest.raises(InvalidClusterError, match="image"):
        kubernetes.arguments(ClusterConfig(kind="kubernetes", n_workers=1), 1)


@pytest.fixture
def api_server(tmp_path, monkeypatch):
    """An API server that kubectl's configuration names; answers with the status it is given."""

    class Answers(BaseHTTPRequestHandler):
        status = 200
        paths: list[str] = []  # noqa: RUF012 - a new class each time

        def do_GET(self):
            self.paths.append(self.path)
            self.send_response(self.status if "dask" in self.path else 200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"gitVersion": "v1.33.0", "major": "1", "minor": "33"}')

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    named = {"name": "here", "cluster": {"server": url}}
    context = {"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "n"}}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [named],
        "contexts": [context], "users": [{"name": "me", "user": {"token": "t"}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield Answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_kubernetes_with_and_without_the_operator(api_server, project):
    check_reachable(defined("kubernetes"), project)
    assert "/apis/kubernetes.dask.org/v1" in api_server.paths
    api_server.status = 404
    with pytest.raises(InvalidClusterError, match="install the Dask operator"):
        check_reachable(defined("kubernetes"), project)


def test_no_kubernetes(tmp_path, monkeypatch, project):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InvalidClusterError, match="no Kubernetes API server answered"):
        check_reachable(defined("kubernetes"), project)
