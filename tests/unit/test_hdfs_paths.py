"""What the paths that users write mean."""

from __future__ import annotations

import pytest

from hopsml_flows import hdfs
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.hdfs.places import place_of


@pytest.fixture
def at(monkeypatch):
    def project(url):
        monkeypatch.setenv("HOPSML_PROJECT", url)

    return project


@pytest.mark.parametrize(
    "path",
    ["Resources/a", "/Resources/a", "Resources//a", "./Resources/a", b"Resources/a", "Resources/a/",
     "Logs/../Resources/a"],
)  # fmt: skip
@pytest.mark.parametrize("url", ["/data/demo", "s3://bucket/demo", "hopsfs://h:8020/Projects/demo"])
def test_a_path_is_relative_to_the_project_also_with_a_slash_before_it(at, url, path):
    at(url)
    assert hdfs.abs_path(path) == f"{url}/Resources/a"


@pytest.mark.parametrize("path", ["", "/", ".", "./", "a/.."])
def test_the_project_itself_has_a_path(at, path):
    at("s3://bucket/demo")
    assert hdfs.abs_path(path) == "s3://bucket/demo"


@pytest.mark.parametrize("url", ["/data/demo", "s3://bucket/demo", "hopsfs://h:8020/Projects/demo"])
def test_full_paths_that_the_module_gives_are_taken_back(at, url):
    at(url)
    for path in (hdfs.project_path(), hdfs.abs_path("Resources/a"), f"{url}/Resources"):
        assert hdfs.abs_path(path) == path.rstrip("/")
        assert place_of(path).project.url == url


@pytest.mark.parametrize(
    ("url", "path", "whole"),
    [
        ("/data/demo", "/elsewhere/a", "/data/demo/elsewhere/a"),
        ("/data/demo", "/data/demo2/a", "/data/demo2/a"),
        ("/demo", "/other/a", "/demo/other/a"),
        ("/", "/a", "/a"),
        ("/data/demo", "file:///data/demo/a", "/data/demo/a"),
        ("/data/demo", "file:///other/a", "/other/a"),
        ("/data/demo", "s3://bucket/key", "s3://bucket/key"),
        ("s3://bucket/demo", "s3://bucket/demo2/a", "s3://bucket/demo2/a"),
        ("s3://bucket/demo", "s3://bucket", "s3://bucket"),
        ("s3://bucket/demo", "file:///tmp/a", "/tmp/a"),
        ("hopsfs://h:8020/Projects/demo", "/Projects/other/a", "hopsfs://h:8020/Projects/other/a"),
        ("hopsfs://h:8020/Projects/demo", "hdfs://h:8020/Projects/demo/a",
         "hopsfs://h:8020/Projects/demo/a"),
        ("hopsfs://u@h:8020/Projects/demo", "hdfs://h:8020/Projects/demo/a",
         "hopsfs://u@h:8020/Projects/demo/a"),
        ("hopsfs://h:8020/Projects/demo", "hdfs:///Projects/demo/a",
         "hopsfs://h:8020/Projects/demo/a"),
        ("webhdfs://h:9870/Projects/demo", "hopsfs://h:8020/Projects/demo/a",
         "webhdfs://h:9870/Projects/demo/a"),
        ("hopsfs://h:8020/Projects/demo", "hdfs://other:8020/Projects/demo/a",
         "hdfs://other:8020/Projects/demo/a"),
        ("memory://x/demo", "memory://x/demo/a", "memory://x/demo/a"),
        ("memory://", "a/b", "memory://a/b"),
    ],
)  # fmt: skip
def test_what_a_path_means(at, url, path, whole):
    at(url)
    assert hdfs.abs_path(path) == whole


@pytest.mark.parametrize("path", ["..", "../other", "a/../../b", "/../x", 5, None, "a\0b"])
def test_a_path_that_leads_out_of_the_project_or_is_none_is_a_typed_error(at, path):
    at("s3://bucket/demo")
    with pytest.raises(InvalidArgumentError, match="hdfs_path: must "):
        hdfs.abs_path(path)


def test_another_project_lies_beside(at):
    at("hopsfs://h:8020/Projects/demo")
    assert hdfs.project_path("other") == "hopsfs://h:8020/Projects/other/"
    assert hdfs.project_path("demo") == hdfs.project_path()
    assert hdfs.project_path(exclude_nn_addr=True) == "hopsfs:///Projects/demo/"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", 3])
def test_the_name_of_another_project_is_one(at, name):
    at("s3://bucket/demo")
    with pytest.raises(InvalidArgumentError, match="project: must be the name of a project"):
        hdfs.project_path(name)


def test_a_project_that_is_a_whole_storage_has_none_beside_it(at):
    at("memory://")
    with pytest.raises(InvalidArgumentError, match="has no projects beside it"):
        hdfs.project_path("other")


def test_the_user_is_hopsworks_or_the_login(monkeypatch):
    for name in ("HADOOP_USER_NAME", "HDFS_USER", "LIBHDFS_DEFAULT_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "somebody")
    assert hdfs.project_user() == "somebody"
    monkeypatch.setenv("HADOOP_USER_NAME", "demo__meb10000")
    assert hdfs.project_user() == "demo__meb10000"


def test_only_hopsworks_gives_numbers_to_projects(monkeypatch):
    monkeypatch.setenv("HOPSWORKS_PROJECT_ID", "119")
    assert hdfs.project_id() == "119"
    monkeypatch.delenv("HOPSWORKS_PROJECT_ID")
    with pytest.raises(NotImplementedError, match="HOPSWORKS_PROJECT_ID"):
        hdfs.project_id()
