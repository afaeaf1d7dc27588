"""What the clients of HDFS do beyond what the conformance suite asks of every storage."""

from __future__ import annotations

import errno
import time

import fsspec
import pytest

from hopsml_flows.storage import Project, hopsfs
from hopsml_flows.storage.hopsfs import HdfsFileSystem, HopsFileSystem
from hopsml_flows.storage.webhdfs import WebHdfsFileSystem


@pytest.fixture
def webhdfs(hdfs_server):
    fs = WebHdfsFileSystem("127.0.0.1", hdfs_server.http_port, hdfs_server.user)
    directory = "/" + hdfs_server.url("webhdfs").rpartition("/")[2]
    fs.makedirs(directory)
    return fs, directory


def test_methods_that_fsspec_implements_go_through_the_call_that_is_overridden(webhdfs):
    fs, directory = webhdfs
    for act in (fs.content_summary, fs.modified, fs.ukey):
        with pytest.raises(FileNotFoundError) as caught:
            act(f"{directory}/nothing")
        assert caught.value.errno == errno.ENOENT  # fsspec's own has none
    fs.pipe_file(f"{directory}/file", b"12345")
    fs.chmod(f"{directory}/file", 600)
    assert fs.info(f"{directory}/file")["permission"] == "600"
    assert fs.content_summary(directory)["length"] == 5
    assert fs.home_directory().startswith("/user/")


def test_a_webhdfs_rename_that_cannot_be_done_is_an_error(webhdfs):
    fs, directory = webhdfs
    fs.pipe_file(f"{directory}/one", b"1")
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{directory}/one", f"{directory}/missing/one")
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{directory}/nothing", f"{directory}/two")
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{directory}/nothing")
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{directory}/one", exist_ok=True)


def test_parts_of_a_file_are_read_by_webhdfs(webhdfs):
    fs, directory = webhdfs
    path = f"{directory}/file"
    fs.pipe_file(path, b"0123456789")
    assert fs.cat_file(path, 2, 5) == b"234"
    assert fs.cat_file(path, 7) == b"789"
    assert fs.cat_file(path, -3) == b"789"
    assert fs.cat_file(path, 2, -2) == b"234567"
    assert fs.cat_file(path, 5, 5) == b""


def test_what_is_written_in_several_blocks_is_whole(webhdfs):
    fs, directory = webhdfs
    path = f"{directory}/file"
    with fs.open(path, "wb", block_size=1000) as file:
        for number in range(50):
            file.write(bytes([number]) * 100)
    assert fs.cat_file(path) == b"".join(bytes([number]) * 100 for number in range(50))


def test_webhdfs_says_how_much_room_there_is(hdfs_server):
    assert Project(hdfs_server.url("webhdfs")).free_bytes() > 1 << 20


def test_fsspec_opens_hopsfs_urls_as_other_programs_do(hdfs_server, libhdfs):
    url = hdfs_server.url("hopsfs")
    with fsspec.open(f"{url}/file?replication=1", "wb") as file:
        file.write(b"content")
    with fsspec.open(f"{url}/file", "rb") as file:
        assert file.read() == b"content"
    fs, path = fsspec.core.url_to_fs(url)
    assert isinstance(fs, HopsFileSystem)
    assert fs.ls(path) == [f"{path}/file"]
    # What the URL leaves out may come from the environment.
    short = f"hopsfs://{path}/file"
    options = {"host": "127.0.0.1", "port": hdfs_server.port, "user": hdfs_server.user}
    assert fsspec.open(short, "rb", **options).open().read() == b"content"


def test_the_environment_leads_to_the_name_node(hdfs_server, libhdfs, monkeypatch):
    monkeypatch.setenv("LIBHDFS_DEFAULT_FS", f"127.0.0.1:{hdfs_server.port}")
    monkeypatch.setenv("LIBHDFS_DEFAULT_USER", hdfs_server.user)
    path = "/Projects/" + hdfs_server.url("hopsfs").rpartition("/")[2]
    project = Project(f"hopsfs://{path}")
    project.make_directory("")
    project.replace("file", b"1")
    assert Project(hdfs_server.url("webhdfs").rpartition("/Projects/")[0] + path).read("file")
    monkeypatch.delenv("LIBHDFS_DEFAULT_FS")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs_server.configuration))
    assert Project(f"hopsfs://{path}").read("file") == b"1"


def test_a_claim_that_a_dead_process_left_is_dropped(hdfs_server, libhdfs, monkeypatch):
    project = Project(hdfs_server.url("hopsfs"), {"replication": 1})
    project.make_directory("a/.hopsml-file.claim.tmp/somebody")
    monkeypatch.setattr(hopsfs, "_CLAIM_SECONDS", 2)
    began = time.monotonic()
    project.create("a/file", b"1")
    assert time.monotonic() - began > 1
    assert project.read("a/file") == b"1"
    with pytest.raises(FileExistsError):
        project.create("a/file", b"2")
    fs, path = fsspec.core.url_to_fs(project.url)
    assert fs.ls(f"{path}/a") == [f"{path}/a/file"]


def test_a_rename_that_does_not_overwrite_is_done_in_steps(hdfs_server, libhdfs):
    """Java's libhdfs refuses to rename over a file; here the same answer, from a real cluster."""

    class Refusing:
        def __init__(self, fs):
            self._fs = fs

        def __getattr__(self, name):
            return getattr(self._fs, name)

        def move(self, source, target):
            [info] = self._fs.get_file_info([target])
            if info.is_file:
                raise OSError(errno.EIO, "HDFS Rename failed")
            self._fs.move(source, target)

    arguments = {"host": "127.0.0.1", "port": hdfs_server.port, "user": hdfs_server.user}
    fs = HdfsFileSystem(**arguments, replication=1, skip_instance_cache=True)
    path = "/Projects/" + hdfs_server.url("hdfs").rpartition("/")[2]
    fs.pipe_file(f"{path}/one", b"1")
    fs.pipe_file(f"{path}/two", b"2")
    fs.fs = Refusing(fs.fs)
    fs.mv(f"{path}/one", f"{path}/two")
    assert fs.cat_file(f"{path}/two") == b"1"
    assert fs.ls(path) == [f"{path}/two"]
    with pytest.raises(OSError, match="Rename failed"):
        fs.mv(f"{path}/nothing", f"{path}/two")
    assert fs.cat_file(f"{path}/two") == b"1"


def test_a_process_that_forks_keeps_its_connection(hdfs_server, libhdfs, run_script):
    """Data loaders fork, and so does subprocess with preexec_fn."""
    done = run_script(
        f"""
        import gc, multiprocessing, os, subprocess
        from hopsml_flows.storage import Project

        project = Project({hdfs_server.url("hopsfs")!r}, {{"replication": 1}})
        project.make_directory("")
        project.replace("file", b"1")

        def child():
            global project
            try:
                project.read("file")
            except OSError as error:
                print("child:", error, flush=True)
            del project
            gc.collect()

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(30)
        assert process.exitcode == 0, process.exitcode
        if (forked := os.fork()) == 0:
            raise SystemExit(0)
        os.waitpid(forked, 0)
        subprocess.run(["true"], preexec_fn=lambda: None)
        project.replace("file", b"2")
        print("parent:", project.read("file"))
        """,
        timeout=90,
    )
    assert "child: [Errno 95] libhdfs does not work in a forked process" in done.stdout
    assert "parent: b'2'" in done.stdout
