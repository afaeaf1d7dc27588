"""The verbs of ``hopsml_flows.hdfs`` on every storage."""

from __future__ import annotations

import os
import stat as stat_module
from uuid import uuid4

import pytest

from hopsml_flows import hdfs
from hopsml_flows.errors import InvalidArgumentError, NoSpaceError, UnsupportedOperationError
from hopsml_flows.hdfs import downloads as fetching
from hopsml_flows.storage import Project, content_version
from tests.conformance.test_projects import STORAGES
from tests.running import trial_on


@pytest.fixture(params=STORAGES)
def project(request, tmp_path, monkeypatch):
    """A project that a trial runs in: so its storage options hold for the verbs too."""
    project = STORAGES[request.param](request)
    with trial_on(project, tmp_path, monkeypatch):
        yield project


@pytest.fixture
def downloads(monkeypatch):
    """Paths that were downloaded, in order; the downloads take place."""
    asked = []
    download = Project.download

    def counted(self, path, target, progress=None):
        asked.append(path)
        return download(self, path, target, progress)

    monkeypatch.setattr(Project, "download", counted)
    return asked


@pytest.fixture
def settled(monkeypatch):
    """What was written just now counts as written long ago."""
    monkeypatch.setattr(content_version, "DOUBT_SECONDS", -60.0)


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


def names(paths):
    return [path.rpartition("/")[2] for path in paths]


def test_what_is_dumped_is_loaded(project):
    hdfs.dump("text ü", "Resources/deep/text")
    hdfs.dump(b"\x00raw", "/Resources/raw")
    assert hdfs.load("Resources/deep/text") == "text ü".encode()
    assert hdfs.load(hdfs.project_path() + "Resources/raw") == b"\x00raw"
    hdfs.dump("new", "Resources/raw")
    assert hdfs.load("Resources/raw") == b"new"


def test_nothing_is_unpickled(project):
    poison = b"cos\nsystem\n(S'false'\ntR."
    hdfs.dump(poison, "Resources/model.pkl")
    assert hdfs.load("Resources/model.pkl") == poison
    with pytest.raises(InvalidArgumentError, match="data: must be text or bytes"):
        hdfs.dump({"a": 1}, "Resources/object")


def test_what_exists_is_told_apart(project):
    hdfs.dump("x", "Resources/a/file")
    assert hdfs.exists("Resources/a/file")
    assert hdfs.exists("Resources/a")
    assert not hdfs.exists("Resources/nothing")
    assert hdfs.isfile("Resources/a/file")
    assert not hdfs.isfile("Resources/a")
    assert not hdfs.isfile("Resources/nothing")
    assert hdfs.isdir("Resources/a")
    assert not hdfs.isdir("Resources/a/file")
    assert not hdfs.isdir("Resources/nothing")


def test_listings_are_of_full_paths_that_the_verbs_take(project):
    for name in ("a", "b", "sub/c"):
        hdfs.dump(name, f"Resources/{name}")
    root = hdfs.project_path() + "Resources"
    assert hdfs.ls("Resources") == [f"{root}/a", f"{root}/b", f"{root}/sub"]
    assert hdfs.ls("Resources", recursive=True) == [*hdfs.ls("Resources"), f"{root}/sub/c"]
    assert hdfs.ls("Resources/a") == [f"{root}/a"]
    assert [hdfs.load(path) for path in hdfs.ls("Resources/sub")] == [b"sub/c"]
    with pytest.raises(FileNotFoundError):
        hdfs.ls("Resources/nothing")


def test_long_listings_and_stat_say_kind_size_and_time(project):
    hdfs.dump("12345", "Resources/file")
    hdfs.dump("x", "Resources/sub/x")
    entries = {entry["name"].rpartition("/")[2]: entry for entry in hdfs.lsl("Resources")}
    assert (entries["file"]["kind"], entries["file"]["size"]) == ("file", 5)
    assert (entries["sub"]["kind"], entries["sub"]["size"]) == ("directory", 0)
    found = hdfs.stat("Resources/file")
    assert found.st_size == 5
    assert stat_module.S_ISREG(found.st_mode)
    assert stat_module.S_ISDIR(hdfs.stat("Resources/sub").st_mode)
    assert abs(found.st_mtime - hdfs.stat("Resources/sub/x").st_mtime) < 60
    with pytest.raises(FileNotFoundError):
        hdfs.stat("Resources/nothing")


def test_patterns_match_within_a_directory_or_below_it(project):
    for name in ("1.json", "2.json", "3.txt", "sub/4.json"):
        hdfs.dump("x", f"Resources/{name}")
    assert names(hdfs.glob("Resources/*.json")) == ["1.json", "2.json"]
    assert names(hdfs.glob(hdfs.project_path() + "Resources/[12].*")) == ["1.json", "2.json"]
    assert names(hdfs.glob("Resources/*.json", recursive=True)) == ["1.json", "2.json", "4.json"]
    assert names(hdfs.glob("Resources/*/*.json")) == ["4.json"]
    assert hdfs.glob("Resources/*.none") == []
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        hdfs.glob("Nothing/*.json")


def test_what_is_removed_is_gone_and_a_full_directory_only_when_asked(project):
    hdfs.dump("x", "Resources/a/file")
    with pytest.raises(OSError, match=r"(?i)not empty"):
        hdfs.delete("Resources/a")
    hdfs.delete("Resources/a/file")
    assert not hdfs.exists("Resources/a/file")
    hdfs.delete("Resources/a/file")  # what is not there is fine, as in HopsML
    hdfs.dump("x", "Resources/b/file")
    hdfs.delete("Resources/b", recursive=True)
    hdfs.dump("x", "Resources/c/file")
    hdfs.rmr("Resources/c")
    # Of an empty directory, S3 servers may think that it is there for a while.
    assert not hdfs.exists("Resources/b/file")
    assert not hdfs.exists("Resources/c/file")
    with pytest.raises(FileNotFoundError):
        hdfs.rmr("Resources/nothing")


def test_the_project_itself_is_not_removed(project):
    hdfs.dump("x", "Resources/file")
    for act in (
        lambda: hdfs.rmr(""),
        lambda: hdfs.delete("/", recursive=True),
        lambda: hdfs.rmr(hdfs.project_path()),
        lambda: hdfs.move("", "Resources"),
    ):
        with pytest.raises(InvalidArgumentError, match="must"):
            act()
    assert hdfs.exists("Resources/file")


def test_a_copy_goes_into_a_directory_or_to_a_new_path(project):
    hdfs.dump("one", "Resources/file")
    hdfs.dump("x", "Resources/sub/x")
    hdfs.cp("Resources/file", "Resources/sub")
    hdfs.cp("Resources/file", "Resources/new")
    hdfs.cp("Resources/sub", "Logs/copy")
    assert hdfs.load("Resources/sub/file") == b"one"
    assert hdfs.load("Resources/new") == b"one"
    assert names(hdfs.ls("Logs/copy")) == ["file", "x"]


def test_a_copy_replaces_only_when_asked_and_never_the_directory_it_goes_into(project):
    hdfs.dump("one", "Resources/file")
    hdfs.dump("two", "Resources/sub/file")
    hdfs.dump("x", "Resources/sub/x")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        hdfs.cp("Resources/file", "Resources/sub")
    hdfs.cp("Resources/file", "Resources/sub", overwrite=True)
    assert hdfs.load("Resources/sub/file") == b"one"
    assert hdfs.load("Resources/sub/x") == b"x"
    with pytest.raises(FileNotFoundError):
        hdfs.cp("Resources/nothing", "Resources/new")


@pytest.mark.parametrize("verb", [hdfs.cp, hdfs.move, hdfs.rename])
def test_nothing_goes_into_itself(project, verb):
    hdfs.dump("x", "Resources/sub/x")
    for target in ("Resources/sub/deeper", "Resources/sub/x/y"):
        with pytest.raises((InvalidArgumentError, OSError)):
            verb("Resources/sub", target)
    assert hdfs.load("Resources/sub/x") == b"x"


def test_a_move_goes_into_a_directory_and_a_rename_does_not(project):
    hdfs.dump("one", "Resources/file")
    hdfs.dump("x", "Resources/sub/x")
    hdfs.move("Resources/file", "Resources/sub")
    assert not hdfs.exists("Resources/file")
    assert hdfs.load("Resources/sub/file") == b"one"
    hdfs.dump("two", "Resources/file")
    with pytest.raises(FileExistsError):
        hdfs.rename("Resources/file", "Resources/sub")
    with pytest.raises(FileExistsError):
        hdfs.move("Resources/file", "Resources/sub/file")
    assert hdfs.load("Resources/sub/file") == b"one"
    hdfs.rename("Resources/sub", "Logs/new/sub")
    assert names(hdfs.ls("Logs/new/sub")) == ["file", "x"]
    assert not hdfs.exists("Resources/sub/x")
    with pytest.raises(FileNotFoundError):
        hdfs.rename("Resources/nothing", "Resources/else")


def test_other_projects_of_the_storage_are_reached_by_name_and_by_path(project):
    other = f"other-{uuid4().hex[:8]}"
    hdfs.dump("x", "Resources/a")
    path = hdfs.project_path(other) + "Resources/b"
    hdfs.mkdir("Resources", project=other)
    hdfs.cp("Resources/a", path)
    assert hdfs.load(path) == b"x"
    assert hdfs.exists("Resources/b", project=other)
    assert not hdfs.exists("Resources/b")
    hdfs.move(path, "Resources/c")
    assert hdfs.load("Resources/c") == b"x"
    assert not hdfs.exists("Resources/b", project=other)


def test_files_are_opened_to_read_write_and_append(project):
    with hdfs.open_file("Resources/new/file", flags="w") as file:
        file.write(b"one\n")
    with hdfs.open_file("Resources/new/file", flags="at") as file:
        file.write("zwei ü\n")
    with hdfs.open_file("Resources/new/file") as file:
        assert file.read() == "one\nzwei ü\n".encode()
    with hdfs.open_file("Resources/new/file", flags="rt") as file:
        assert file.read() == "one\nzwei ü\n"
    with pytest.raises(FileNotFoundError):
        hdfs.open_file("Resources/nothing").read()
    with pytest.raises(InvalidArgumentError, match="flags: must be 'r', 'w' or 'a'"):
        hdfs.open_file("Resources/new/file", flags="x")


def test_access_is_told(project):
    hdfs.dump("x", "Resources/file")
    assert hdfs.access("Resources/file", os.F_OK)
    assert hdfs.access("Resources/file", os.R_OK | os.W_OK)
    assert hdfs.access("Resources", os.R_OK | os.W_OK | os.X_OK)
    assert not hdfs.access("Resources/file", os.X_OK)
    assert not hdfs.access("Resources/nothing", os.F_OK)
    assert names(hdfs.ls("Resources")) == ["file"]
    with pytest.raises(InvalidArgumentError, match="mode"):
        hdfs.access("Resources/file", 8)


def test_owners_and_permissions_change_or_the_storage_has_none(project):
    hdfs.dump("x", "Resources/file")
    if project.url.startswith(("/", "webhdfs")):
        hdfs.chmod("Resources/file", 0o640)
        assert hdfs.stat("Resources/file").permissions == 0o640
        hdfs.chmod("Resources/file", "600")
        assert hdfs.lsl("Resources")[0]["permissions"] == 0o600
        owner, group = hdfs.stat("Resources/file").owner, hdfs.stat("Resources/file").group
        hdfs.chown("Resources/file", owner, group)
        hdfs.chown("Resources/file", None, group)
        assert hdfs.stat("Resources/file").owner == owner
    else:
        for act in (lambda: hdfs.chmod("Resources/file", 0o640),
                    lambda: hdfs.chown("Resources/file", "user", "group")):  # fmt: skip
            with pytest.raises(UnsupportedOperationError, match="cannot change owners"):
                act()
    with pytest.raises(FileNotFoundError):
        hdfs.chmod("Resources/nothing", 0o640)
    for mode in ("rwx", -1, 0o10000, None):
        with pytest.raises(InvalidArgumentError, match="mode: must be like"):
            hdfs.chmod("Resources/file", mode)


def test_the_capacity_is_told_or_the_storage_does_not_say(project):
    if project.local_root is not None:
        assert hdfs.capacity() > 1 << 20
        return
    with pytest.raises(UnsupportedOperationError, match="does not tell its capacity"):
        hdfs.capacity()


def test_the_handle_is_fsspecs(project):
    hdfs.dump("x", "Resources/file")
    assert hdfs.get().cat_file(hdfs.abs_path("Resources/file")) == b"x"
    assert hdfs.get_fs().exists(hdfs.abs_path("Resources/file"))
    hdfs.close()
    assert hdfs.exists("Resources/file")


# Copies to this machine.


def test_a_file_is_copied_into_the_working_directory_or_a_named_one(project, work):
    hdfs.dump("data", "Resources/file.csv")
    assert hdfs.copy_to_local("Resources/file.csv") == str(work / "file.csv")
    assert (work / "file.csv").read_text() == "data"
    (work / "sub").mkdir()
    assert hdfs.copy_to_local("Resources/file.csv", "sub") == str(work / "sub" / "file.csv")
    with pytest.raises(NotADirectoryError, match="is not a directory on this machine"):
        hdfs.copy_to_local("Resources/file.csv", "nothing")
    with pytest.raises(FileNotFoundError):
        hdfs.copy_to_local("Resources/nothing")
    assert sorted(os.listdir(work)) == ["file.csv", "sub"]


def test_a_copy_that_is_good_is_not_made_again(project, work, downloads, settled):
    hdfs.dump("data", "Resources/file")
    hdfs.copy_to_local("Resources/file")
    hdfs.copy_to_local("Resources/file")
    assert downloads == ["Resources/file"]
    hdfs.copy_to_local("Resources/file", overwrite=True)
    assert len(downloads) == 2


def test_a_copy_is_never_stale_not_even_of_the_same_size_in_the_same_second(project, work):
    for content in ("one", "two", "six"):
        hdfs.dump(content, "Resources/file")
        hdfs.copy_to_local("Resources/file")
        assert (work / "file").read_text() == content


def test_a_copy_that_was_changed_here_is_made_again(project, work):
    hdfs.dump("data", "Resources/file")
    hdfs.copy_to_local("Resources/file")
    (work / "file").write_text("mine")
    hdfs.copy_to_local("Resources/file")
    assert (work / "file").read_text() == "data"


def test_another_file_that_has_the_name_and_size_is_not_taken_for_the_copy(project, work):
    (work / "file").write_text("same")
    hdfs.dump("data", "Resources/file")
    hdfs.copy_to_local("Resources/file")
    assert (work / "file").read_text() == "data"


def test_a_directory_is_copied_and_only_what_changed_again(project, work, downloads, settled):
    for name in ("a", "b", "sub/c"):
        hdfs.dump(name, f"Resources/data/{name}")
    assert hdfs.copy_to_local("Resources/data") == str(work / "data")
    assert (work / "data" / "sub" / "c").read_text() == "sub/c"
    assert len(downloads) == 3
    (work / "data" / "mine").write_text("kept")
    hdfs.dump("new b", "Resources/data/b")
    hdfs.delete("Resources/data/a")
    hdfs.copy_to_local("Resources/data")
    assert downloads[3:] == ["Resources/data/b"]
    assert sorted(os.listdir(work / "data")) == ["b", "mine", "sub"]
    assert (work / "data" / "b").read_text() == "new b"


def test_a_copy_that_does_not_fit_is_an_error_before_anything_is_written(
    project, work, monkeypatch
):
    hdfs.dump("x" * 1000, "Resources/file")
    # No disk of the tests is full: only the number is replaced.
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: _Full)
    with pytest.raises(NoSpaceError, match=r"1\.0 kB to copy, and only 10 bytes free in"):
        hdfs.copy_to_local("Resources/file")
    assert os.listdir(work) == []


class _Full:
    free = 10


def test_a_broken_copy_leaves_nothing_half_written(project, work, monkeypatch):
    hdfs.dump("old", "Resources/file")
    hdfs.copy_to_local("Resources/file")
    hdfs.dump("new content", "Resources/file")

    def broken(self, path, target, progress=None):
        raise PermissionError("broken off")

    monkeypatch.setattr(Project, "download", broken)
    with pytest.raises(PermissionError):
        hdfs.copy_to_local("Resources/file")
    assert os.listdir(work) == ["file"]
    assert (work / "file").read_text() == "old"


# Copies into the project.


def test_a_local_file_goes_into_a_dataset(project, work):
    (work / "data.tfrecords").write_text("data")
    hdfs.copy_to_hdfs("data.tfrecords", "Resources")
    assert hdfs.load("Resources/data.tfrecords") == b"data"
    hdfs.copy_to_hdfs(str(work / "data.tfrecords"), "Logs/deep/renamed")
    assert hdfs.load("Logs/deep/renamed") == b"data"
    hdfs.copy_to_hdfs("data.tfrecords", "Logs/deep/")
    assert hdfs.load("Logs/deep/data.tfrecords") == b"data"
    assert (work / "data.tfrecords").exists()


def test_a_file_of_the_project_is_replaced_only_when_asked(project, work):
    (work / "file").write_text("one")
    hdfs.copy_to_hdfs("file", "Resources")
    hdfs.dump("x", "Resources/other")
    (work / "file").write_text("two")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        hdfs.copy_to_hdfs("file", "Resources")
    assert hdfs.load("Resources/file") == b"one"
    hdfs.copy_to_hdfs("file", "Resources", overwrite=True)
    assert hdfs.load("Resources/file") == b"two"
    assert hdfs.exists("Resources/other")
    hdfs.copy_to_hdfs("file", "Resources/new", overwrite=True)  # into it, as in HopsML
    assert hdfs.load("Resources/new/file") == b"two"


def test_a_local_directory_goes_with_all_that_is_in_it(project, work):
    (work / "model" / "variables").mkdir(parents=True)
    (work / "model" / "saved_model.pb").write_text("pb")
    (work / "model" / "variables" / "data").write_text("v")
    hdfs.copy_to_hdfs("model", "Models")
    assert hdfs.load("Models/model/variables/data") == b"v"
    (work / "model" / "saved_model.pb").unlink()
    (work / "model" / "new").write_text("n")
    hdfs.copy_to_hdfs("model", "Models", overwrite=True)
    found = names(path for path in hdfs.ls("Models/model", recursive=True) if hdfs.isfile(path))
    assert found == ["new", "data"]


def test_what_is_not_there_is_not_copied(project):
    with pytest.raises(FileNotFoundError, match="local_path: there is no"):
        hdfs.copy_to_hdfs("nothing", "Resources")


def test_a_copy_that_the_storage_has_no_room_for_is_an_error(project, work, monkeypatch):
    (work / "file").write_text("x" * 1000)
    monkeypatch.setattr(Project, "free_bytes", lambda self: 10)
    with pytest.raises(NoSpaceError, match=r"1\.0 kB to copy, and only 10 bytes free"):
        hdfs.copy_to_hdfs("file", "Resources")
    assert not hdfs.exists("Resources/file")


# Project files as local paths.


def test_a_project_file_is_a_local_path_with_its_name(project):
    hdfs.dump("data", "Resources/train.tfrecords")
    path = hdfs.local_path("Resources/train.tfrecords")
    assert os.path.basename(path) == "train.tfrecords"
    with open(path) as file:
        assert file.read() == "data"
    with pytest.raises(FileNotFoundError):
        hdfs.local_path("Resources/nothing")
    with pytest.raises(IsADirectoryError, match="local_paths"):
        hdfs.local_path("Resources")


def test_it_is_copied_once_and_again_when_it_has_changed(project, downloads, settled):
    for content in ("one", "another"):
        hdfs.dump(content, "Resources/file")
        for _ in range(2):
            with open(hdfs.local_path("Resources/file")) as file:
                assert file.read() == content
    assert len(downloads) == (0 if project.local_root else 2)


def test_a_copy_that_somebody_reads_is_not_written_to(project):
    hdfs.dump("one", "Resources/file")
    before = hdfs.local_path("Resources/file")
    hdfs.dump("two", "Resources/file")
    after = hdfs.local_path("Resources/file")
    if project.local_root is None:
        assert before != after
        with open(before) as file:
            assert file.read() == "one"


def test_versions_that_nobody_asked_for_in_a_day_are_dropped(project):
    if project.local_root is not None:
        return  # there are no copies
    hdfs.dump("one", "Resources/file")
    old = hdfs.local_path("Resources/file")
    os.utime(os.path.dirname(old), (1, 1))
    hdfs.dump("two", "Resources/file")
    hdfs.local_path("Resources/file")
    assert not os.path.exists(old)


def test_a_pattern_or_a_directory_gives_the_local_paths_of_its_files(project):
    for name in ("train-2", "train-1", "test-1", "sub/train-3"):
        hdfs.dump(name, f"Resources/{name}")
    assert names(hdfs.local_paths("Resources/train-*")) == ["train-1", "train-2"]
    assert names(hdfs.local_paths("Resources/**/train-*")) == ["train-3", "train-1", "train-2"]
    assert names(hdfs.local_paths("Resources")) == ["train-3", "test-1", "train-1", "train-2"]
    assert names(hdfs.local_paths("Resources/test-1")) == ["test-1"]
    contents = []
    for path in hdfs.local_paths("Resources/train-*"):
        with open(path) as file:
            contents.append(file.read())
    assert contents == ["train-1", "train-2"]
    with pytest.raises(FileNotFoundError, match="no file matches"):
        hdfs.local_paths("Resources/*.none")
