from __future__ import annotations

import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from hopsml_flows.execution.files import working_directory
from hopsml_flows.execution.files.working_directory import own_working_directory


@pytest.fixture
def original(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2")
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_relative_reads_find_the_users_files(original):
    with own_working_directory(str(original)):
        assert Path("data/train.csv").read_text() == "1,2"
        assert Path("config.json").read_text() == "{}"


def test_new_files_stay_with_the_trial(original):
    with own_working_directory(str(original)) as work:
        Path("plot.png").write_text("png")
        assert Path.cwd() == work.path != original
    assert not (original / "plot.png").exists()
    assert sorted(os.listdir(original)) == ["config.json", "data"]


def test_the_directory_is_gone_afterwards_and_the_users_files_are_not(original):
    with own_working_directory(str(original)) as work:
        Path("new").mkdir()
        Path("new/file").write_text("x")
    assert Path.cwd() == original
    assert not work.path.exists()
    assert (original / "data" / "train.csv").read_text() == "1,2"


def test_it_is_restored_when_the_function_raises_or_moved_away(original, tmp_path):
    def training():
        os.chdir("/")
        raise LookupError

    with pytest.raises(LookupError), own_working_directory(str(original)):
        training()
    assert Path.cwd() == original


def test_deleting_a_linked_entry_deletes_the_link_only(original):
    with own_working_directory(str(original)):
        os.unlink("config.json")
        os.unlink("data")
    assert sorted(os.listdir(original)) == ["config.json", "data"]


def test_where_the_original_is_on_another_machine_it_starts_empty(original):
    with own_working_directory("/no/such/directory") as work:
        assert os.listdir(work.path) == []


def test_overwriting_one_of_the_users_files_leaves_it_as_it_was(original):
    with own_working_directory(str(original)):
        Path("config.json").write_text("the trial's")
        assert Path("config.json").read_text() == "the trial's"
    assert (original / "config.json").read_text() == "{}"


@pytest.fixture
def scratch(tmp_path_factory):
    return str(tmp_path_factory.mktemp("scratch"))


def test_a_directory_that_is_kept_looks_untouched_to_the_next_trial(original, scratch):
    with own_working_directory(str(original), scratch) as first:
        Path("config.json").write_text("changed")
        Path("new").mkdir()
        Path("new/file").write_text("x")
        os.unlink("data")
        Path("data").write_text("in its place")
    (original / "late.txt").write_text("late")
    with own_working_directory(str(original), scratch) as second:
        assert second.path == first.path
        assert sorted(os.listdir()) == ["config.json", "data", "late.txt"]
        assert Path("config.json").read_text() == "{}"
        assert Path("data/train.csv").read_text() == "1,2"
        assert Path("late.txt").read_text() == "late"


def test_what_the_user_changes_is_there_for_the_next_trial(original, scratch):
    with own_working_directory(str(original), scratch):
        assert Path("config.json").read_text() == "{}"
    (original / "config.json").write_text('{"new": 1}')
    (original / "data").rename(original / "moved")
    with own_working_directory(str(original), scratch):
        assert Path("config.json").read_text() == '{"new": 1}'
        assert sorted(os.listdir()) == ["config.json", "moved"]


def test_large_files_are_linked_rather_than_copied(original, monkeypatch):
    monkeypatch.setattr("hopsml_flows.execution.files.working_directory.LARGEST_COPY", 10)
    (original / "large.bin").write_bytes(bytes(11))
    with own_working_directory(str(original)):
        assert Path("large.bin").is_symlink()
        assert not Path("config.json").is_symlink()
        assert Path("large.bin").stat().st_size == 11


@pytest.mark.parametrize("kept", [True, False])
def test_links_that_cannot_be_followed_are_left_out_and_named(original, scratch, kept):
    (original / "loop").symlink_to("loop")
    (original / "one").symlink_to("other")
    (original / "other").symlink_to("one")
    (original / "long").symlink_to("x" * 300)
    with own_working_directory(str(original), scratch if kept else None) as work:
        assert sorted(os.listdir()) == ["config.json", "data"]
        assert sorted(work.left_out) == ["long", "loop", "one", "other"]
        assert len(work.notes) == 4
        assert f"{original}/loop is not in the trial's working directory" in "".join(work.notes)
        assert Path("data/train.csv").read_text() == "1,2"


def test_a_link_that_leads_nowhere_yet_is_there(original):
    (original / "later").symlink_to("elsewhere")
    with own_working_directory(str(original)) as work:
        (original / "elsewhere").write_text("now")
        assert Path("later").read_text() == "now"
        assert work.notes == []


def test_what_a_link_leads_to_is_copied_where_it_is_a_small_file(original, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared") / "config.yaml"
    shared.write_text("a: 1")
    (original / "config.yaml").symlink_to(shared)
    with own_working_directory(str(original)):
        Path("config.yaml").write_text("the trial's")
    assert shared.read_text() == "a: 1"


def test_pipes_sockets_and_devices_are_linked_and_never_opened(original, scratch):
    os.mkfifo(original / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(original / "socket"))
        (original / "null").symlink_to("/dev/null")
        (original / "to-pipe").symlink_to("pipe")
        with own_working_directory(str(original), scratch) as work:
            names = ["pipe", "socket", "null", "to-pipe"]
            assert all(Path(name).is_symlink() for name in names)
            assert work.notes == []
        with own_working_directory(str(original), scratch) as work:
            assert list(work.written()) == []


def test_names_that_are_not_utf_8_are_mirrored(original):
    name = os.fsdecode(b"caf\xe9.txt")
    (original / name).write_text("coffee")
    (original / os.fsdecode(b"l\xf6op")).symlink_to(os.fsdecode(b"l\xf6op"))
    with own_working_directory(str(original)) as work:
        assert Path(name).read_text() == "coffee"
        (note,) = work.notes
        assert r"l\xf6op" in note
        note.encode()


def test_many_odd_links_are_a_few_lines(original):
    for number in range(50):
        (original / f"loop{number}").symlink_to(f"loop{number}")
    with own_working_directory(str(original)) as work:
        assert len(work.notes) == 11
        assert work.notes[-1].startswith("and 40 more")


def test_a_file_system_that_does_not_answer_is_waited_for_once(original, scratch, monkeypatch):
    # Only a stand-in for a dead mount: the call that hangs is the real one otherwise.
    released = threading.Event()
    answer = os.stat

    def stat(path, **options):
        if str(path).endswith("dead"):
            released.wait()
        return answer(path, **options)

    for name in ("before", "dead", "later"):
        (original / name).symlink_to("data")
    monkeypatch.setattr(working_directory, "LINK_SECONDS", 0.5)
    monkeypatch.setattr(os, "stat", stat)
    try:
        for _ in range(2):
            with own_working_directory(str(original), scratch) as work:
                assert sorted(os.listdir()) == ["before", "config.json", "data", "dead", "later"]
                (note,) = work.notes
                assert f"{original}/dead leads to a file system that did not answer" in note
        looking = [t for t in threading.enumerate() if t.name == "hopsml-links"]
        assert len(looking) == 1
    finally:
        released.set()


def test_thousands_of_entries_are_mirrored_and_only_some_copied(original, scratch):
    for number in range(3000):
        (original / f"image{number}").write_bytes(b"i")
    with own_working_directory(str(original), scratch):
        assert len(os.listdir()) == 3002
        assert (
            sum(not Path(name).is_symlink() for name in os.listdir())
            == working_directory.MOST_COPIES
        )
    with own_working_directory(str(original), scratch) as work:
        assert list(work.written()) == []


def test_a_process_whose_own_directory_was_removed_runs_trials_and_comes_out(
    original, tmp_path_factory, monkeypatch
):
    gone = tmp_path_factory.mktemp("gone")
    monkeypatch.chdir(gone)
    gone.rmdir()
    with own_working_directory(str(original)):
        assert Path("config.json").read_text() == "{}"
    assert Path.cwd().is_dir()


def test_where_the_driver_has_no_directory_any_more_it_starts_empty():
    with own_working_directory("") as work:
        assert os.listdir() == []
        assert work.notes == []


def test_a_directory_that_a_trial_replaced_or_locked_is_put_right(original, scratch):
    with own_working_directory(str(original), scratch) as work:
        Path("locked/inner").mkdir(parents=True)
        Path("locked/inner/file").write_text("x")
        Path("locked/inner").chmod(0)
        Path("locked").chmod(0o500)
        os.chmod(".", 0o500)
    with own_working_directory(str(original), scratch) as work:
        assert sorted(os.listdir()) == ["config.json", "data"]
    shutil.rmtree(work.path)
    work.path.write_text("a file in its place")
    with own_working_directory(str(original), scratch):
        assert sorted(os.listdir()) == ["config.json", "data"]


def test_what_was_written_or_changed_is_told_and_what_was_mirrored_is_not(original, scratch):
    (original / "module").mkdir()
    with own_working_directory(str(original), scratch) as work:
        Path("config.json").write_text("{} changed")
        Path("out/deep").mkdir(parents=True)
        Path("out/deep/model").write_bytes(b"12345")
        Path("out/link").symlink_to("deep/model")
        Path("out/__pycache__").mkdir()
        Path("out/__pycache__/m.pyc").write_bytes(b"1")
        Path("data/by-the-users-link").write_text("in the user's directory")
        os.mkfifo("out/pipe")
        found = sorted((name, size) for name, _, size in work.written())
    assert found == [("config.json", 10), ("out/deep/model", 5)]
