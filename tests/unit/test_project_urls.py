from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest

from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.storage import Project, default_project


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_without_anything_said_the_project_is_a_directory_here(tmp_path):
    assert Project().local_root == tmp_path / "hopsml_project"


def test_the_environment_names_the_default_project(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_PROJECT", str(tmp_path / "other"))
    assert Project().local_root == tmp_path / "other"


def test_an_empty_variable_names_nothing(monkeypatch):
    monkeypatch.setenv("HOPSML_PROJECT", "")
    assert default_project() == "hopsml_project"


def test_on_hopsworks_the_default_is_the_projects_root(monkeypatch):
    monkeypatch.setenv("LIBHDFS_DEFAULT_FS", "namenode:8020")
    monkeypatch.setenv("HOPSWORKS_PROJECT_NAME", "demo")
    assert default_project() == "hopsfs://namenode:8020/Projects/demo"
    monkeypatch.setenv("HOPSML_PROJECT", "/data/mine")
    assert default_project() == "/data/mine"


@pytest.mark.parametrize(
    ("url", "relative"),
    [
        ("data", "data"),
        ("data/", "data"),
        ("./data/x", "data/x"),
        ("file://data", "data"),
        ("local://data", "data"),
        (Path("data"), "data"),
        ("with space/ü", "with space/ü"),
        ("a:b/c", "a:b/c"),
    ],
)
def test_local_paths_are_absolute_from_the_working_directory(tmp_path, url, relative):
    project = Project(url)
    assert project.local_root == tmp_path / relative
    assert project.url == str(tmp_path / relative)


def test_an_absolute_file_url_is_its_path():
    assert Project("file:///data/x").url == "/data/x"


def test_a_home_directory_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Project("~/x").url == "/home/somebody/x"


def test_a_project_stays_where_it_was_when_the_working_directory_changes(tmp_path, monkeypatch):
    project = Project("data")
    monkeypatch.chdir("/")
    assert project.local_root == tmp_path / "data"
    assert pickle.loads(pickle.dumps(project)).local_root == tmp_path / "data"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        5,
        b"bytes",
        ["a"],
        "a\0b",
        "file://",
        "://x",
        "nonsense://x/y",
        "s3://",
        "s3:///",
        "s3:/bucket/x",
        "file:/data",
        "s3:bucket/x",
        "s3:",
        "s3//bucket/x",
        "block:demo",
        "hopsfs:namenode:8020/x",
        "file:data",
        "~no-such-user-here/x",
    ],
    ids=repr,
)
def test_a_malformed_url_is_refused_and_nothing_is_made(tmp_path, url):
    with pytest.raises(InvalidProjectError, match=r"^project: ") as caught:
        Project(url)
    assert caught.value.value == url
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["  ", "s3://", "foo://bar/x", "~no-such-user-here/x", "s3:bucket"])
def test_an_error_names_the_variable_that_names_the_project(monkeypatch, url):
    monkeypatch.setenv("HOPSML_PROJECT", url)
    with pytest.raises(InvalidProjectError, match=r"^HOPSML_PROJECT: ") as caught:
        Project()
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    "url", ["s3:KEY:HIDESEC@bucket/x", "//KEY:HIDESEC@bucket/x", "KEY:HIDESEC@bucket/x"]
)
def test_secrets_behind_a_protocol_that_is_incomplete_are_not_shown(monkeypatch, url):
    monkeypatch.setenv("HOPSML_PROJECT", url)
    with pytest.raises(InvalidProjectError, match=r"^HOPSML_PROJECT: must be like") as caught:
        Project()
    assert "HIDESEC" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("memory://", "memory://a/b"),
        ("memory://x", "memory://x/a/b"),
        ("memory://x/y/", "memory://x/y/a/b"),
        ("/", "/a/b"),
        ("/data/", "/data/a/b"),
    ],
)
def test_a_path_of_the_project_has_exactly_one_slash_between_its_parts(url, full):
    assert Project(url).full("a/b") == full


@pytest.mark.parametrize("url", ["memory://", "memory://x/y", "/data/x", "/"])
def test_a_project_pickles_as_its_url(url):
    project = Project(url)
    again = pickle.loads(pickle.dumps(project))
    assert again.url == project.url
    assert again.local_root == project.local_root
    assert again.full("a") == project.full("a")


@pytest.mark.parametrize(
    ("url", "name"), [("memory://x/demo/", "demo"), ("/Projects/demo", "demo"), ("demo", "demo")]
)
def test_a_project_is_named_after_the_last_part_of_its_root(url, name):
    assert Project(url).name == name


def test_checking_a_local_project_writes_nothing(tmp_path):
    Project(tmp_path / "a" / "b").check_writable()
    Project(tmp_path).check_writable()
    assert list(tmp_path.iterdir()) == []


def test_a_project_below_a_file_is_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    for url in ("file", "file/below"):
        with pytest.raises(InvalidProjectError, match="not a directory"):
            Project(url).check_writable()


def test_a_name_that_the_file_system_refuses_is_not_writable():
    with pytest.raises(InvalidProjectError, match=r"^project: "):
        Project("x" * 5000).check_writable()


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="needs to become another user")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_directory_without_permission_is_not_writable(tmp_path, mode):
    closed = tmp_path / "closed"
    closed.mkdir()
    root = os.getuid() == 0
    if root:  # permissions do not bind root: be somebody else for the moment
        for parent in (tmp_path, *tmp_path.parents[:-2]):
            parent.chmod(parent.stat().st_mode | 0o755)
        os.chown(closed, 65534, 65534)
    closed.chmod(mode)
    try:
        if root:
            os.setresuid(65534, 65534, 0)
        with pytest.raises(InvalidProjectError, match=r"^project: "):
            Project(closed / "project").check_writable()
    finally:
        if root:
            os.setresuid(0, 0, 0)
        closed.chmod(0o700)


def test_storage_that_cannot_be_reached_is_refused(monkeypatch):
    monkeypatch.setenv("HADOOP_HOME", "/nowhere")
    with pytest.raises(InvalidProjectError, match="cannot be reached") as caught:
        Project("hdfs://127.0.0.1:1/x").check_writable()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", ["hopsfs", "hdfs"])
def test_without_the_extra_of_hdfs_a_url_of_it_is_refused_and_the_extra_named(
    monkeypatch, protocol
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    with pytest.raises(InvalidProjectError, match=r"hopsml-flows\[hdfs\]"):
        Project(f"{protocol}://namenode/Projects/demo")
    assert Project("webhdfs://namenode/Projects/demo").url
