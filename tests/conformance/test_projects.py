"""What a project must do on every storage; a new storage is one entry of ``STORAGES``."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import pytest

from hopsml_flows.storage import Project
from tests.servers import s3


def _local(request):
    return Project(request.getfixturevalue("tmp_path") / "root")


def _memory(request):
    return Project(f"memory://{uuid4().hex}/root")


def _hopsfs(request):
    request.getfixturevalue("libhdfs")
    return Project(request.getfixturevalue("hdfs_server").url("hopsfs"), {"replication": 1})


def _webhdfs(request):
    return Project(request.getfixturevalue("hdfs_server").url("webhdfs"))


def _s3(request):
    return Project(s3.new_url(), s3.options(request.getfixturevalue("s3_server").endpoint))


def _s3_prefix(request):
    """A prefix that is all an S3 policy allows, on a server that is as discreet as AWS."""
    endpoint = request.getfixturevalue("discreet_endpoint")
    return Project(s3.new_home(), s3.options(endpoint, s3.POLICY_KEY))


def _moto(request):
    return Project(s3.new_url(), s3.options(request.getfixturevalue("moto_endpoint")))


STORAGES = {
    "local": _local,
    "memory": _memory,
    "hopsfs": _hopsfs,
    "webhdfs": _webhdfs,
    "s3": _s3,
    "s3-prefix": _s3_prefix,
    "moto": _moto,
}

SHARED = [name for name in STORAGES if name != "memory"]
"""Those that other processes see."""


@pytest.fixture(params=STORAGES)
def project(request):
    return STORAGES[request.param](request)


@pytest.fixture(params=SHARED)
def shared_project(request):
    return STORAGES[request.param](request)


def test_a_fresh_project_is_writable_and_empty(project):
    project.check_writable()
    assert project.listdir() == []
    assert project.listdir("Experiments") == []
    assert list(project.walk_files()) == []
    assert not project.exists("Experiments")


@pytest.mark.parametrize("data", [b"", b"\x00\xff\n", b"x" * 3_000_000], ids=["empty", "raw", "3M"])
def test_what_is_written_is_read_back(project, data):
    project.make_directory("a")
    project.replace("a/file", data)
    assert project.read("a/file") == data
    assert project.exists("a/file")
    assert project.info("a/file").size == len(data)


def test_a_part_of_a_file_is_what_a_slice_would_be(project):
    data = bytes(range(256)) * 4
    project.make_directory("a")
    project.replace("a/file", data)
    project.replace("a/empty", b"")
    for start, stop in [
        (0, 10), (5, 9), (1000, None), (1000, 5000), (1024, None), (2000, None), (2000, 3000),
        (7, 7), (9, 3), (0, 1024),
    ]:  # fmt: skip
        assert project.read("a/file", start, stop) == data[start:stop], (start, stop)
    assert project.read("a/empty", 0, 5) == project.read("a/empty", 3) == b""
    with pytest.raises(FileNotFoundError):
        project.read("a/nothing", 3)


def test_text_is_written_as_utf_8(project):
    project.make_directory("a")
    project.replace("a/file", "ü€😀\n")
    project.append("a/file", "é")
    project.create("a/new", "è")
    assert project.read("a/file") == "ü€😀\né".encode()
    assert project.read("a/new") == "è".encode()


def test_a_replaced_file_has_the_new_content_and_leaves_nothing_beside_it(project):
    project.make_directory("a")
    project.replace("a/file", b"a long first content")
    project.replace("a/file", b"short")
    assert project.read("a/file") == b"short"
    assert [file.name for file in project.walk_files()] == ["a/file"]


def test_reading_what_is_not_there_is_a_file_not_found_error(project, tmp_path):
    for act in (
        lambda: project.read("a/nothing"),
        lambda: project.info("a/nothing"),
        lambda: project.open("a/nothing").read(),
        lambda: project.download("a/nothing", tmp_path / "target"),
        lambda: project.remove("a/nothing"),
        lambda: project.remove("a/nothing", recursive=True),
        lambda: project.rename("a/nothing", "a/other"),
        lambda: project.copy("a/nothing", "a/other"),
    ):
        with pytest.raises(FileNotFoundError):
            act()
    assert list(tmp_path.glob("*target*")) == []


def test_making_a_directory_twice_is_fine(project):
    project.make_directory("a/b/c")
    project.make_directory("a/b/c")


def test_a_directory_lists_its_entries_by_name_sorted(project):
    project.make_directory("a/sub")
    for name in ("b", "a", ".hidden", "0001-x=1"):
        project.replace(f"a/{name}", b"")
    project.replace("a/sub/inner", b"12")
    assert project.listdir("a") == [".hidden", "0001-x=1", "a", "b", "sub"]
    assert project.exists("a/sub")
    entries = {entry.name: entry for entry in project.entries("a")}
    assert entries["a/sub"].is_directory
    assert entries["a/sub"].size == 0
    assert not entries["a/b"].is_directory


def test_listing_a_file_is_an_error(project):
    project.make_directory("a")
    project.replace("a/file", b"1")
    with pytest.raises(NotADirectoryError):
        project.listdir("a/file")


def test_sizes_times_and_kinds_are_told(project):
    before = time.time()
    project.make_directory("a")
    project.replace("a/file", b"12345")
    info = project.info("a/file")
    assert (info.name, info.size, info.is_directory) == ("a/file", 5, False)
    assert before - 5 < info.modified < time.time() + 5
    assert project.info("a").is_directory


def test_all_files_below_a_directory_are_walked(project):
    for path in ("a/1", "a/b/2", "a/b/c/3", "d/4"):
        project.make_directory(path.rpartition("/")[0])
        project.replace(path, path.encode())
    assert sorted(file.name for file in project.walk_files("a")) == ["a/1", "a/b/2", "a/b/c/3"]
    assert {file.name: file.size for file in project.walk_files()}["a/b/2"] == 5
    assert list(project.walk_files("nothing")) == []


def test_globs_find_files_and_directories(project):
    for path in ("a/1.txt", "a/2.log", "a/b/1.txt", "a/b/c/3.txt", "a/.hidden"):
        project.make_directory(path.rpartition("/")[0])
        project.replace(path, b"")
    assert project.glob("a/*.txt") == ["a/1.txt"]
    assert project.glob("a/[12].*") == ["a/1.txt", "a/2.log"]
    assert project.glob("*/b/?.txt") == ["a/b/1.txt"]
    assert project.glob("**/*.txt") == ["a/1.txt", "a/b/1.txt", "a/b/c/3.txt"]
    assert project.glob("a/**/b/*") == ["a/b/1.txt", "a/b/c"]
    assert project.glob("a/.*") == ["a/.hidden"]
    assert project.glob("a/2.log") == ["a/2.log"]
    assert project.glob("x/*") == project.glob("nothing") == project.glob("a/2.log/*") == []


def test_appending_adds_to_the_end_and_makes_the_file(project):
    project.make_directory("a")
    project.append("a/log", b"one\n")
    project.append("a/log", b"two\n")
    project.append("a/log", b"")
    project.append("a/empty", b"")
    project.replace("a/zero", b"")
    project.append("a/zero", b"x")
    assert project.read("a/log") == b"one\ntwo\n"
    assert project.read("a/zero") == b"x"
    assert not project.exists("a/empty")


def test_a_file_is_created_once(project):
    project.make_directory("a")
    project.create("a/file", b"first")
    with pytest.raises(FileExistsError):
        project.create("a/file", b"second")
    assert project.read("a/file") == b"first"
    assert [file.name for file in project.walk_files()] == ["a/file"]


def test_of_several_that_create_a_file_at_once_one_succeeds(project):
    project.make_directory("a")

    def create(number):
        try:
            project.create("a/file", str(number))
        except FileExistsError:
            return None
        return str(number)

    with ThreadPoolExecutor(6) as pool:
        created = [name for name in pool.map(create, range(6)) if name]
    assert len(created) == 1
    assert project.read("a/file") == created[0].encode()


def _create_in_turn(project, name, start, rounds, won):
    start.wait(120)
    for number in range(rounds):
        with suppress(FileExistsError):
            project.create(f"a/{number}", name)
            won.put((number, name))


def test_of_many_threads_of_many_processes_one_creates_a_file(shared_project):
    """As drivers on several machines do that resume one experiment at once."""
    shared_project.make_directory("a")
    context = multiprocessing.get_context("spawn")
    start, won, rounds = context.Event(), context.Queue(), 5
    processes = [
        context.Process(target=_create_in_threads, args=(shared_project, n, start, rounds, won))
        for n in range(3)
    ]
    for process in processes:
        process.start()
    start.set()
    created = [won.get(timeout=240) for _ in range(rounds)]
    for process in processes:
        process.join(240)
        assert process.exitcode == 0
    assert won.empty()
    assert sorted(number for number, _ in created) == list(range(rounds))
    for number, name in created:
        assert shared_project.read(f"a/{number}") == name.encode()
    assert shared_project.listdir("a") == [str(number) for number in range(rounds)]


def _create_in_threads(project, process, start, rounds, won, threads=4):
    with ThreadPoolExecutor(threads) as pool:
        names = [f"{process}-{thread}" for thread in range(threads)]
        list(pool.map(lambda name: _create_in_turn(project, name, start, rounds, won), names))


def test_files_are_opened_for_reading_writing_and_appending(project):
    project.make_directory("a")
    with project.open("a/file", "wb") as file:
        file.write(b"\x00one")
    with project.open("a/file", "ab") as file:
        file.write(b"two")
    with project.open("a/file", "ab") as file:
        pass
    with project.open("a/file") as file:
        assert file.read(2) == b"\x00o"
        file.seek(4)
        assert file.read() == b"two"
    with project.open("a/text", "w") as file:
        file.write("ü\n€")
    with project.open("a/text", "r") as file:
        assert list(file) == ["ü\n", "€"]


def test_a_file_is_removed(project):
    project.make_directory("a")
    project.replace("a/file", b"")
    project.replace("a/other", b"")
    project.remove("a/file")
    assert project.listdir("a") == ["other"]


def test_a_directory_is_removed_with_all_in_it_only_when_asked_to(project):
    project.make_directory("a/b")
    project.replace("a/b/file", b"")
    project.replace("keep", b"")
    with pytest.raises(OSError, match="not empty"):
        project.remove("a")
    assert project.exists("a/b/file")
    project.remove("a", recursive=True)
    assert not project.exists("a/b/file")
    assert project.listdir() == ["keep"]
    with pytest.raises(ValueError, match="root"):
        project.remove("", recursive=True)


def test_renaming_moves_files_and_directories(project):
    project.make_directory("a/sub")
    project.make_directory("b")
    project.replace("a/file", b"1")
    project.replace("a/sub/inner", b"2")
    project.rename("a/file", "b/file")
    project.rename("a/sub", "b/sub")
    assert project.read("b/file") == b"1"
    assert project.read("b/sub/inner") == b"2"
    assert list(project.walk_files("a")) == []


def test_renaming_overwrites_only_when_asked_to(project):
    project.make_directory("a/sub")
    project.replace("a/sub/inner", b"")
    project.replace("a/one", b"1")
    project.replace("a/two", b"2")
    with pytest.raises(FileExistsError):
        project.rename("a/one", "a/two")
    with pytest.raises(FileExistsError):
        project.rename("a/one", "a/sub", overwrite=True)
    assert project.read("a/two") == b"2"
    project.rename("a/one", "a/two", overwrite=True)
    assert project.read("a/two") == b"1"
    assert project.listdir("a") == ["sub", "two"]


def test_copying_keeps_the_source(project):
    project.make_directory("a/sub")
    project.replace("a/file", b"1")
    project.replace("a/sub/inner", b"2")
    project.replace("a/other", b"old")
    project.copy("a/file", "a/other")
    project.copy("a", "b")
    assert project.read("a/file") == project.read("a/other") == b"1"
    names = sorted(file.name for file in project.walk_files("b"))
    assert names == ["b/file", "b/other", "b/sub/inner"]
    with pytest.raises(FileExistsError):
        project.copy("a/file", "b")


def test_an_upload_copies_a_file_and_makes_its_directory(project, tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"\x00\x01" * 1000)
    project.upload(source, "a/b/target.bin")
    assert project.read("a/b/target.bin") == source.read_bytes()
    source.write_bytes(b"new")
    project.upload(source, "a/b/target.bin")
    assert project.read("a/b/target.bin") == b"new"
    assert source.exists()
    source.write_bytes(b"")
    project.upload(source, "a/b/empty.bin")
    assert project.read("a/b/empty.bin") == b""


def test_a_failed_upload_leaves_nothing(project, tmp_path):
    with pytest.raises(FileNotFoundError):
        project.upload(tmp_path / "nothing", "a/file")
    assert list(project.walk_files()) == []


def test_a_download_that_fails_leaves_the_local_file_as_it_was(project, tmp_path):
    project.make_directory("a")
    project.replace("a/file", b"x" * 100)
    target = tmp_path / "target"
    target.write_bytes(b"old")

    def fail(done, total):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        project.download("a/file", target, fail)
    with pytest.raises(IsADirectoryError):
        project.download("a", target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["target"]


def test_more_than_64_mb_go_up_and_down_with_progress(project, tmp_path):
    source = tmp_path / "source.bin"
    block = bytes(range(256)) * 4096
    with source.open("wb") as file:
        for number in range(66):
            file.write(number.to_bytes(4, "big") + block[4:])
    size = source.stat().st_size
    seen = []
    project.upload(source, "a/big", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (size, size)
    assert project.info("a/big").size == size
    seen.clear()
    target = tmp_path / "target.bin"
    project.download("a/big", target, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (size, size)
    assert sorted(done for done, _ in seen) == [done for done, _ in seen]
    assert target.read_bytes() == source.read_bytes()


UNUSUAL = ["a b", "ü€😀", "a%20b", "a#b", "a?b", "a&b;c", "[x]", "{y}", "x'\"y", "a+b", "-", "~"]


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_names_are_kept_or_refused(project, name):
    if project.url.startswith("hopsfs") and set(name) & set("%#?"):
        with pytest.raises(OSError, match="libhdfs"):
            project.replace(name, b"1")
        with pytest.raises(OSError, match="libhdfs"):
            project.read(name)
        return
    project.make_directory(f"dir {name}")
    path = f"dir {name}/{name}"
    project.replace(path, b"1")
    project.append(path, b"2")
    project.create(f"{path}.new", b"3")
    assert project.read(path) == b"12"
    assert project.listdir(f"dir {name}") == [name, f"{name}.new"]
    assert {file.name for file in project.walk_files()} == {path, f"{path}.new"}
    project.rename(f"{path}.new", path, overwrite=True)
    assert project.read(path) == b"3"
    project.remove(path)
    assert not project.exists(path)


def test_names_that_a_trial_may_have_are_kept(project):
    name = "0007-learning_rate=0.001-dropout=0.45"
    project.make_directory(name)
    project.replace(f"{name}/.outputs.json", "{}")
    assert project.listdir(name) == [".outputs.json"]


def test_200_files_are_written_in_parallel(project):
    project.make_directory("a")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: project.replace(f"a/{n:03d}", f"file {n}"), range(200)))
    assert project.listdir("a") == [f"{n:03d}" for n in range(200)]
    assert {file.size for file in project.walk_files("a")} == {6, 7, 8}
    assert project.read("a/199") == b"file 199"


def test_a_pickled_project_leads_to_the_same_files(project):
    project.make_directory("a")
    project.replace("a/file", b"content")
    assert pickle.loads(pickle.dumps(project)).read("a/file") == b"content"


def test_free_room_is_a_number_or_not_known(project):
    free = project.free_bytes()
    assert free is None or free > 0


def _replace_for_ever(project, started):
    project.replace("a/file", b"a" * 2_000_000)
    started.set()
    letter = 0
    while True:
        letter = (letter + 1) % 26
        project.replace("a/file", bytes([97 + letter]) * 2_000_000)


def test_a_writer_that_is_killed_leaves_a_whole_file(shared_project):
    shared_project.make_directory("a")
    context = multiprocessing.get_context("spawn")
    for wait in (0.0, 0.05, 0.13):
        started = context.Event()
        writer = context.Process(target=_replace_for_ever, args=(shared_project, started))
        writer.start()
        try:
            assert started.wait(60)
            time.sleep(wait)
        finally:
            writer.kill()
            writer.join()
        assert writer.exitcode == -signal.SIGKILL
        content = shared_project.read("a/file")
        assert content == content[:1] * 2_000_000
        assert shared_project.listdir("a") == ["file"]
        # What the dead one left is no hindrance.
        shared_project.replace("a/file", b"new")
        assert shared_project.read("a/file") == b"new"


def _read_while_replaced(project, reads, readers=3):
    """Read a file that is being replaced; returns what is wrong with what was read."""
    project.make_directory("a")
    sizes = (1, 70_000, 300_000)
    project.replace("a/file", b"a" * sizes[0])
    stop = threading.Event()
    wrong = []

    def replace():
        number = 0
        while not stop.is_set():
            number += 1
            letter = bytes([97 + number % 26])
            project.replace("a/file", letter * sizes[number % 3])

    def read(_):
        try:
            content = project.read("a/file")
        except OSError as error:
            wrong.append(repr(error))
            return
        if len(content) not in sizes or content != content[:1] * len(content):
            wrong.append(f"{len(content)} bytes of {set(content)}")

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        with ThreadPoolExecutor(readers) as pool:
            list(pool.map(read, range(reads)))
    finally:
        stop.set()
        writer.join()
    return wrong


# The long form takes a quarter of an hour on HDFS.
READS = int(os.environ.get("HOPSML_TORN_READS", "300"))


@pytest.mark.timeout(120 + READS // 5)
def test_no_read_of_a_file_that_is_being_replaced_is_torn(project):
    assert _read_while_replaced(project, READS) == []
