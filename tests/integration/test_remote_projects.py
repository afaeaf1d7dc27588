"""Experiments whose project lies on real HDFS and S3 servers."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.experiment import Direction
from hopsml_flows.storage import Project, TrialFiles, project
from hopsml_flows.storage.webhdfs import WebHdfsFileSystem
from tests.servers import s3

from .test_grid_search import GRID
from .training import accuracy, product


def _search(project, cluster):
    return experiment.grid_search(
        accuracy,
        GRID,
        direction=Direction.MAX,
        name="grid",
        optimization_key="accuracy",
        project=str(project),
        cluster=cluster,
        progress=False,
    )


def _files(root, result):
    """Files of an experiment by their path in it, with what must not differ between storages."""
    project = Project(root)
    top = f"Experiments/{result.id}/"
    found = {}
    for file in project.walk_files(top.rstrip("/")):
        if file.name.endswith(TrialFiles.SCALARS):  # of trials that took half a second
            continue
        name = file.name.removeprefix(top)
        content = project.read(file.name)
        assert len(content) == file.size
        found[name] = _comparable(name, content)
    return found


def _comparable(name, content):
    kind = name.rpartition("/")[2]
    if kind == ".outputs.json":
        outputs = json.loads(content)
        commit = outputs.pop("_commit")
        outputs.pop("log", None)
        files = {entry["name"] for entry in commit["files"]} - {TrialFiles.SCALARS}
        return outputs, commit["metric"], commit["attempt"], files
    if kind in (".hparams.json", ".metric"):
        return json.loads(content)
    if kind == "output.log":
        return [line for line in content.decode().splitlines() if line.startswith("training with")]
    if kind == ".summary.json":
        return len(json.loads(content)["combinations"])
    return None


@pytest.fixture(scope="module")
def local(prefect_server, dask_address, tmp_path_factory):
    root = tmp_path_factory.mktemp("local") / "project"
    return _files(root, _search(root, dask_address))


@pytest.fixture(params=["hopsfs", "webhdfs", "s3"])
def remote(request, monkeypatch):
    """URL of a project that does not exist yet."""
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3_server").environment.items():
            monkeypatch.setenv(name, value)
        return s3.new_url()
    if request.param == "hopsfs":
        request.getfixturevalue("libhdfs")
        return request.getfixturevalue("hdfs_server").url("hopsfs") + "?replication=1"
    return request.getfixturevalue("hdfs_server").url("webhdfs")


def test_a_grid_search_leaves_the_same_files_as_on_local_disk(remote, local, dask_address):
    result = _search(remote, dask_address)
    assert len(result.trials) == 6
    assert result.best_metric == pytest.approx(1.0 - 0.0001 - 0.045)
    assert result.path == f"{remote.partition('?')[0]}/Experiments/{result.id}"
    assert _files(remote, result) == local


def test_a_cluster_of_the_experiments_own_reaches_the_project(remote, prefect_server):
    result = experiment.launch(
        product,
        {"x": [2, 3]},
        project=remote,
        cluster=experiment.ClusterConfig(kind="local", n_workers=2),
        progress=False,
    )
    assert [trial.metric for trial in result.trials] == [4.0, 6.0]


@pytest.fixture
def refused(prefect_server, dask_address):
    """Start an experiment that must fail at start; returns the message."""

    def start(project):
        with pytest.raises(InvalidProjectError) as caught:
            experiment.launch(product, {"x": [2]}, project=project, cluster=dask_address)
        assert caught.value.argument == "project"
        return str(caught.value)

    return start


@pytest.fixture
def s3_environment(s3_server, monkeypatch):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)


def test_a_missing_bucket_is_an_error_at_start(s3_environment, refused):
    message = refused("s3://no-such-bucket/project")
    assert "s3://no-such-bucket/project" in message
    assert "bucket" in message.replace("no-such-bucket", "")


def test_wrong_s3_credentials_are_an_error_at_start(s3_environment, refused, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    message = refused(f"s3://{s3.BUCKET}/project")
    assert f"s3://{s3.BUCKET}/project" in message
    assert "PermissionError" in message
    assert "not-the-secret" not in message
    message = refused(f"s3://{s3.KEY}:wrong-one@{s3.BUCKET}/project")
    assert f"s3://{s3.BUCKET}/project" in message
    assert "wrong-one" not in message


def test_a_user_without_permission_is_an_error_at_start(hdfs_server, refused):
    own = hdfs_server.url("webhdfs")
    fs = WebHdfsFileSystem("127.0.0.1", hdfs_server.http_port, hdfs_server.user)
    directory = "/Projects/" + own.rpartition("/")[2]
    fs.makedirs(directory)
    fs.chmod(directory, "700")  # the directory above is open where libhdfs made it
    message = refused(f"{own}/project".replace(f"{hdfs_server.user}@", "mallory@"))
    assert "Permission denied" in message
    assert "mallory@127.0.0.1" in message


@pytest.mark.parametrize("protocol", ["hopsfs", "hdfs", "webhdfs"])
def test_a_name_node_that_is_down_is_an_error_at_start(protocol, refused, libhdfs):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        message = refused(f"{protocol}://root@127.0.0.1:{port}/Projects/demo")
    assert f"{protocol}://root@127.0.0.1:{port}/Projects/demo" in message
    assert "Connection refused" in message


def test_an_endpoint_that_is_down_is_an_error_at_start(refused, monkeypatch):
    for name, value in s3.environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    message = refused("s3://bucket/project")
    assert "s3://bucket/project" in message
    assert "127.0.0.1:9: Connection refused" in message


@pytest.fixture
def silent_port():
    """A port that accepts connections and says nothing."""
    held = []

    def accept():
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


@pytest.mark.parametrize("protocol", ["hopsfs", "webhdfs", "s3"])
def test_a_server_that_does_not_answer_is_an_error_at_start(
    protocol, silent_port, refused, libhdfs, monkeypatch
):
    assert project.ANSWER_SECONDS == 12
    monkeypatch.setattr(project, "ANSWER_SECONDS", 4)  # the clients' own limits are a minute
    url = f"{protocol}://root@127.0.0.1:{silent_port}/Projects/demo"
    if protocol == "s3":
        for name, value in s3.environment(f"http://127.0.0.1:{silent_port}").items():
            monkeypatch.setenv(name, value)
        url = "s3://bucket/project"
    message = refused(url)
    assert url in message
    assert "did not answer within 4 s" in message
