"""The conformance suite for storages."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import pytest

from hopsml_flows.errors import ExperimentRunningError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.lease import check_free, take_lease
from hopsml_flows.testing.concurrent_storage_conformance import ConcurrentStorageConformance

__all__ = ["UNUSUAL_NAMES", "StorageConformance"]

UNUSUAL_NAMES = [
    "a b", "ü€😀", "a%20b", "a#b", "a?b", "a&b;c", "[x]", "{y}", "x'\"y", "a+b", "-", "~",
]  # fmt: skip


class StorageConformance(ConcurrentStorageConformance):
    """Tests of a project on a storage.

    A subclass overrides the fixture ``location``: the URL and the storage options of a writable,
    empty project. If other processes do not see the storage (it is in memory), the subclass also
    overrides ``shared_project``.
    """

    @pytest.fixture
    def refused_characters(self) -> frozenset[str]:
        """Return the characters that the storage refuses in names with OSError; by default none."""
        return frozenset()

    def test_a_fresh_project_is_writable_and_empty(self, project: Project) -> None:
        project.check_writable()
        assert project.listdir() == []
        assert project.listdir("Experiments") == []
        assert list(project.walk_files()) == []
        assert not project.exists("Experiments")

    @pytest.mark.parametrize(
        "data", [b"", b"\x00\xff\n", b"x" * 3_000_000], ids=["empty", "raw", "3M"]
    )
    def test_what_is_written_is_read_back(self, project: Project, data: bytes) -> None:
        project.make_directory("a")
        project.replace("a/file", data)
        assert project.read("a/file") == data
        assert project.exists("a/file")
        assert project.info("a/file").size == len(data)

    def test_a_part_of_a_file_is_what_a_slice_would_be(self, project: Project) -> None:
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

    def test_text_is_written_as_utf_8(self, project: Project) -> None:
        project.make_directory("a")
        project.replace("a/file", "ü€😀\n")
        project.append("a/file", "é")
        project.create("a/new", "è")
        assert project.read("a/file") == "ü€😀\né".encode()
        assert project.read("a/new") == "è".encode()

    def test_a_replaced_file_has_the_new_content_and_leaves_nothing_beside_it(
        self, project: Project
    ) -> None:
        project.make_directory("a")
        project.replace("a/file", b"a long first content")
        project.replace("a/file", b"short")
        assert project.read("a/file") == b"short"
        assert [file.name for file in project.walk_files()] == ["a/file"]

    def test_reading_what_is_not_there_is_a_file_not_found_error(
        self, project: Project, tmp_path: Path
    ) -> None:
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

    def test_making_a_directory_twice_is_fine(self, project: Project) -> None:
        project.make_directory("a/b/c")
        project.make_directory("a/b/c")

    def test_a_directory_lists_its_entries_by_name_sorted(self, project: Project) -> None:
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

    def test_listing_a_file_is_an_error(self, project: Project) -> None:
        project.make_directory("a")
        project.replace("a/file", b"1")
        with pytest.raises(NotADirectoryError):
            project.listdir("a/file")

    def test_sizes_times_and_kinds_are_told(self, project: Project) -> None:
        before = time.time()
        project.make_directory("a")
        project.replace("a/file", b"12345")
        info = project.info("a/file")
        assert (info.name, info.size, info.is_directory) == ("a/file", 5, False)
        assert info.modified is not None
        assert before - 5 < info.modified < time.time() + 5
        assert project.info("a").is_directory

    def test_all_files_below_a_directory_are_walked(self, project: Project) -> None:
        for path in ("a/1", "a/b/2", "a/b/c/3", "d/4"):
            project.make_directory(path.rpartition("/")[0])
            project.replace(path, path.encode())
        assert sorted(file.name for file in project.walk_files("a")) == ["a/1", "a/b/2", "a/b/c/3"]
        assert {file.name: file.size for file in project.walk_files()}["a/b/2"] == 5
        assert list(project.walk_files("nothing")) == []

    def test_globs_find_files_and_directories(self, project: Project) -> None:
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

    def test_appending_adds_to_the_end_and_makes_the_file(self, project: Project) -> None:
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

    def test_a_file_is_created_once(self, project: Project) -> None:
        project.make_directory("a")
        project.create("a/file", b"first")
        with pytest.raises(FileExistsError):
            project.create("a/file", b"second")
        assert project.read("a/file") == b"first"
        assert [file.name for file in project.walk_files()] == ["a/file"]

    def test_files_are_opened_for_reading_writing_and_appending(self, project: Project) -> None:
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

    def test_a_file_is_removed(self, project: Project) -> None:
        project.make_directory("a")
        project.replace("a/file", b"")
        project.replace("a/other", b"")
        project.remove("a/file")
        assert project.listdir("a") == ["other"]

    def test_a_directory_is_removed_with_all_in_it_only_when_asked_to(
        self, project: Project
    ) -> None:
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

    def test_renaming_moves_files_and_directories(self, project: Project) -> None:
        project.make_directory("a/sub")
        project.make_directory("b")
        project.replace("a/file", b"1")
        project.replace("a/sub/inner", b"2")
        project.rename("a/file", "b/file")
        project.rename("a/sub", "b/sub")
        assert project.read("b/file") == b"1"
        assert project.read("b/sub/inner") == b"2"
        assert list(project.walk_files("a")) == []

    def test_renaming_overwrites_only_when_asked_to(self, project: Project) -> None:
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

    def test_copying_keeps_the_source(self, project: Project) -> None:
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

    def test_an_upload_copies_a_file_and_makes_its_directory(
        self, project: Project, tmp_path: Path
    ) -> None:
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

    def test_a_failed_upload_leaves_nothing(self, project: Project, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            project.upload(tmp_path / "nothing", "a/file")
        assert list(project.walk_files()) == []

    def test_a_download_that_fails_leaves_the_local_file_as_it_was(
        self, project: Project, tmp_path: Path
    ) -> None:
        project.make_directory("a")
        project.replace("a/file", b"x" * 100)
        target = tmp_path / "target"
        target.write_bytes(b"old")

        def fail(_done: int, _total: int) -> None:
            raise RuntimeError("stop")

        with pytest.raises(RuntimeError, match="stop"):
            project.download("a/file", target, fail)
        with pytest.raises(IsADirectoryError):
            project.download("a", target)
        assert target.read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["target"]

    def test_more_than_64_mb_go_up_and_down_with_progress(
        self, project: Project, tmp_path: Path
    ) -> None:
        source = tmp_path / "source.bin"
        block = bytes(range(256)) * 4096
        with source.open("wb") as file:
            for number in range(66):
                file.write(number.to_bytes(4, "big") + block[4:])
        size = source.stat().st_size
        seen: list[tuple[int, int]] = []
        project.upload(source, "a/big", lambda done, total: seen.append((done, total)))
        assert seen[-1] == (size, size)
        assert project.info("a/big").size == size
        seen.clear()
        target = tmp_path / "target.bin"
        project.download("a/big", target, lambda done, total: seen.append((done, total)))
        assert seen[-1] == (size, size)
        assert sorted(done for done, _ in seen) == [done for done, _ in seen]
        assert target.read_bytes() == source.read_bytes()

    @pytest.mark.parametrize("name", UNUSUAL_NAMES)
    def test_unusual_names_are_kept_or_refused(
        self, project: Project, refused_characters: frozenset[str], name: str
    ) -> None:
        if refused_characters & set(name):
            with pytest.raises(OSError):  # noqa: PT011 - each storage has its own
                project.replace(name, b"1")
            with pytest.raises(OSError):  # noqa: PT011
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

    def test_names_that_a_trial_may_have_are_kept(self, project: Project) -> None:
        name = "0007-learning_rate=0.001-dropout=0.45"
        project.make_directory(name)
        project.replace(f"{name}/.outputs.json", "{}")
        assert project.listdir(name) == [".outputs.json"]

    def test_a_pickled_project_leads_to_the_same_files(self, project: Project) -> None:
        project.make_directory("a")
        project.replace("a/file", b"content")
        assert pickle.loads(pickle.dumps(project)).read("a/file") == b"content"

    def test_free_room_is_a_number_or_not_known(self, project: Project) -> None:
        free = project.free_bytes()
        assert free is None or free > 0

    def test_one_driver_at_a_time_holds_an_experiment(self, project: Project) -> None:
        paths = ExperimentPaths("digits-1")
        project.make_directory(paths.root)
        project.replace(paths.record, "{}")
        with take_lease(project, paths, pytest.fail, new=True) as lease:
            lease.beat()
            lease.check()
            assert lease.refused is None
            assert json.loads(project.read(paths.beat(1)))["beat"] >= 1
            with pytest.raises(ExperimentRunningError):
                check_free(project, paths)
            with pytest.raises(ExperimentRunningError):
                take_lease(project, paths, pytest.fail)
        check_free(project, paths)
        assert project.listdir(paths.root) == ["experiment.json"]
