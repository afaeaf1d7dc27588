"""Experiments of users who may use one directory of a storage, and see nothing of the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from hopsml_flows import experiment, hdfs
from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.execution import running_trial
from hopsml_flows.storage import Project
from hopsml_flows.storage.webhdfs import WebHdfsFileSystem
from tests.running import context_of
from tests.servers import s3

from .training import product


@pytest.fixture(params=[s3.ACTIONS_KEY, s3.POLICY_KEY])
def s3_home(request, discreet_endpoint, monkeypatch):
    """URL of a project at a prefix that is all that a user of S3 may use."""
    for name, value in s3.environment(discreet_endpoint, request.param).items():
        monkeypatch.setenv(name, value)
    return s3.new_home()


@pytest.fixture(params=["hopsfs", "webhdfs"])
def hdfs_home(request, hdfs_server):
    """URL of a project in a directory that others may pass through and not list."""
    if request.param == "hopsfs":
        request.getfixturevalue("libhdfs")
    fs = WebHdfsFileSystem("127.0.0.1", hdfs_server.http_port, hdfs_server.user)
    above = f"/Homes-{uuid4().hex[:12]}"
    fs.makedirs(f"{above}/alice")
    fs.chown(f"{above}/alice", owner="alice")
    fs.chmod(f"{above}/alice", "700")
    fs.chmod(above, "711")
    root = hdfs_server.url(request.param).partition("/Projects/")[0]
    return root.replace(f"{hdfs_server.user}@", "alice@") + f"{above}/alice"


def _carry_out(home, cluster):
    query = "?replication=1" if home.startswith("hopsfs") else ""
    options = {"project": home + query, "cluster": cluster, "progress": False}
    result = experiment.grid_search(product, {"x": [2, 3]}, **options)
    assert [trial.metric for trial in result.trials] == [4.0, 6.0]
    assert result.path.startswith(f"{home}/Experiments/")
    again = experiment.grid_search(product, {"x": [2, 3]}, **options, resume=result.id)
    assert again.id == result.id
    return result


def test_a_prefix_that_is_all_an_s3_policy_allows_holds_experiments(s3_home, prefect_server):
    # Workers keep the variables of the first project that they see: those of the shared cluster may
    # be another user's, and would be this one's for the tests that follow.
    result = _carry_out(s3_home, experiment.ClusterConfig(kind="local", n_workers=1))
    done = subprocess.run(
        [Path(sys.executable).with_name("hopsml"), "logs", result.id, "--project", s3_home],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_a_directory_whose_parent_may_not_be_listed_holds_experiments(
    hdfs_home, prefect_server, dask_address
):
    _carry_out(hdfs_home, dask_address)


def test_what_lies_beside_the_prefix_is_refused(s3_home):
    beside = s3_home.replace("/home/", "/elsewhere/")
    with pytest.raises(InvalidProjectError, match="PermissionError"):
        Project(beside).check_writable()
    with pytest.raises(InvalidProjectError, match="PermissionError"):
        Project(s3_home.rpartition("/")[0]).check_writable()  # the prefix's parent


def test_full_paths_of_a_home_are_found_from_a_trial(s3_home, tmp_path):
    project = Project(s3_home)
    with context_of(project, tmp_path) as context, running_trial(context):
        hdfs.dump("1", "Resources/a")
        for path in (s3_home, f"{s3_home}/", hdfs.project_path()):
            assert hdfs.isdir(path)
            assert hdfs.ls(path) == [f"{s3_home}/Resources"]
        assert hdfs.load(f"{s3_home}/Resources/a") == b"1"
        assert not hdfs.exists(f"{s3_home}/nothing")
        assert hdfs.glob(f"{s3_home}/Resources/*") == [f"{s3_home}/Resources/a"]
        hdfs.mkdir("Resources/sub")
        hdfs.move("Resources/a", f"{s3_home}/Resources/b")
        assert hdfs.access("Resources/b", 6)
    elsewhere = Project(tmp_path / "other")
    with context_of(elsewhere, tmp_path) as context, running_trial(context):
        assert hdfs.isdir(s3_home)  # by way of its parent, which is closed
        assert hdfs.load(f"{s3_home}/Resources/b") == b"1"
