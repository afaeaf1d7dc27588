"""How HDFS is found; nothing here connects."""

from __future__ import annotations

import fsspec
import pytest

from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.storage import Project
from hopsml_flows.storage.connection import environment_of
from hopsml_flows.storage.hopsfs import HopsFileSystem, path_of, settings, url_arguments

VARIABLES = (
    *("LIBHDFS_DEFAULT_FS", "LIBHDFS_DEFAULT_USER", "HADOOP_USER_NAME", "HDFS_USER"),
    *("HADOOP_CONF_DIR", "HADOOP_HOME"),
)


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_fsspec_knows_hopsfs_where_this_package_is_installed():
    assert fsspec.get_filesystem_class("hopsfs") is HopsFileSystem


def test_a_url_says_host_port_user_and_replication():
    url = "hopsfs://demo__user@namenode:8020/Projects/demo?replication=1"
    expected = {"host": "namenode", "port": 8020, "user": "demo__user", "replication": 1}
    assert url_arguments(url) == expected
    assert path_of(url) == "/Projects/demo"


def test_hopsworks_variables_fill_in_what_the_url_leaves_out(monkeypatch):
    monkeypatch.setenv("LIBHDFS_DEFAULT_FS", "namenode.example:8020")
    monkeypatch.setenv("LIBHDFS_DEFAULT_USER", "demo__user")
    monkeypatch.setenv("HADOOP_USER_NAME", "another")
    expected = {"host": "namenode.example", "port": 8020, "user": "demo__user"}
    assert settings(url_arguments("hopsfs:///Projects/demo")) == expected
    other = settings(url_arguments("hopsfs://me@there:9000/Projects/demo"))
    assert other == {"host": "there", "port": 9000, "user": "me"}


@pytest.mark.parametrize("variable", ["HADOOP_CONF_DIR", "HADOOP_HOME"])
def test_core_site_names_the_default_file_system(tmp_path, monkeypatch, variable):
    directory = tmp_path if variable == "HADOOP_CONF_DIR" else tmp_path / "etc" / "hadoop"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "core-site.xml").write_text(
        "<configuration><property><name>io.x</name><value>1</value></property>"
        "<property><name>fs.defaultFS</name><value>hopsfs://master:8021</value></property>"
        "</configuration>"
    )
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("HADOOP_USER_NAME", "somebody")
    assert settings({}) == {"host": "master", "port": 8021, "user": "somebody"}


def test_without_any_setting_libhdfs_decides():
    assert settings({}) == {"host": "default", "port": 0, "user": None}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("hdfs://h:1/a/b/", "/a/b"),
        ("hdfs:///a", "/a"),
        ("hdfs://h", "/"),
        ("/a b/ü", "/a b/ü"),
        ("a", "/a"),
        ("/", "/"),
    ],
)
def test_the_path_of_a_url_is_what_follows_the_host(url, path):
    assert path_of(url) == path


def test_a_query_of_a_project_becomes_an_option_and_leaves_the_url():
    project = Project("hopsfs://h:1/Projects/demo?replication=2")
    assert project.url == "hopsfs://h:1/Projects/demo"
    assert project.full("a") == "hopsfs://h:1/Projects/demo/a"
    assert project.storage_options == {"replication": 2}
    with pytest.raises(InvalidProjectError, match="replication=N"):
        Project("hopsfs://h:1/Projects/demo?user=x")


def test_a_machine_without_libhdfs_or_java_is_told_what_to_install(tmp_path, monkeypatch):
    # In a process of its own: a library that is loaded stays loaded.
    import socket
    import subprocess
    import sys

    code = (
        "from hopsml_flows.storage import Project\n"
        "import sys\n"
        "Project(sys.argv[1]).check_writable()"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"hopsfs://127.0.0.1:{listener.getsockname()[1]}/Projects/demo"
        for environment in (
            {"PATH": "/nowhere", "JAVA_HOME": str(tmp_path)},
            {"PATH": "/usr/bin:/bin:/usr/local/bin", "ARROW_LIBHDFS_DIR": str(tmp_path)},
        ):
            done = subprocess.run(
                [sys.executable, "-c", code, url],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            last = done.stderr.strip().splitlines()[-1]
            assert "a package is not installed (lib" in last
            assert "JAVA_HOME" in last or "ARROW_LIBHDFS_DIR" in last
            assert url in last


def test_workers_get_the_variables_of_the_storage_and_no_others(monkeypatch):
    monkeypatch.setenv("LIBHDFS_CLIENT_KEY", "/certs/key.pem")
    monkeypatch.setenv("HADOOP_USER_NAME", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("HOPSML_UNRELATED", "1")
    of_hdfs, of_s3 = environment_of("hopsfs"), environment_of("s3")
    assert of_hdfs["LIBHDFS_CLIENT_KEY"] == "/certs/key.pem"
    assert of_hdfs["HADOOP_USER_NAME"] == "me"
    assert of_s3["AWS_SECRET_ACCESS_KEY"] == "s3cr3t"
    assert not {"AWS_SECRET_ACCESS_KEY", "HOPSML_UNRELATED"} & of_hdfs.keys()
    assert not {"LIBHDFS_CLIENT_KEY", "HOPSML_UNRELATED"} & of_s3.keys()
    assert environment_of("file") == {}
