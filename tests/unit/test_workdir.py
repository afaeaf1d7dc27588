from __future__ import annotations

import os
from pathlib import Path

import pytest

from hopsml_flows.execution.workdir import own_working_directory


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
    monkeypatch.setattr("hopsml_flows.execution.workdir.LARGEST_COPY", 10)
    (original / "large.bin").write_bytes(bytes(11))
    with own_working_directory(str(original)):
        assert Path("large.bin").is_symlink()
        assert not Path("config.json").is_symlink()
        assert Path("large.bin").stat().st_size == 11
