"""What a project must do on every storage; a new storage is one entry of ``ROOTS``."""

from __future__ import annotations

import pickle
from uuid import uuid4

import pytest

from hopsml_flows.storage import Project

ROOTS = {
    "local": lambda tmp_path: str(tmp_path / "root"),
    "memory": lambda tmp_path: f"memory://{uuid4().hex}/root",
}


@pytest.fixture(params=ROOTS)
def project(request, tmp_path):
    return Project(ROOTS[request.param](tmp_path))


def test_a_fresh_project_is_writable_and_empty(project):
    project.check_writable()
    assert project.listdir("Experiments") == []
    assert not project.exists("Experiments")


@pytest.mark.parametrize("data", [b"", b"\x00\xff\n", b"x" * 3_000_000], ids=["empty", "raw", "3M"])
def test_what_is_written_is_read_back(project, data):
    project.make_directory("a")
    project.replace("a/file", data)
    assert project.read("a/file") == data
    assert project.exists("a/file")


def test_text_is_written_as_utf_8(project):
    project.make_directory("a")
    project.replace("a/file", "ü€😀\n")
    assert project.read("a/file") == "ü€😀\n".encode()


def test_a_replaced_file_has_the_new_content_and_leaves_nothing_beside_it(project):
    project.make_directory("a")
    project.replace("a/file", b"a long first content")
    project.replace("a/file", b"short")
    assert project.read("a/file") == b"short"
    assert project.listdir("a") == ["file"]


def test_reading_what_is_not_there_is_a_file_not_found_error(project):
    with pytest.raises(FileNotFoundError):
        project.read("a/nothing")


def test_making_a_directory_twice_is_fine(project):
    project.make_directory("a/b/c")
    project.make_directory("a/b/c")


def test_a_directory_lists_its_entries_by_name_sorted(project):
    project.make_directory("a/sub")
    for name in ("b", "a", ".hidden", "0001-x=1"):
        project.replace(f"a/{name}", b"")
    project.replace("a/sub/inner", b"")
    assert project.listdir("a") == [".hidden", "0001-x=1", "a", "b", "sub"]
    assert project.exists("a/sub")


def test_an_upload_copies_a_file_and_makes_its_directory(project, tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"\x00\x01" * 1000)
    project.upload(source, "a/b/target.bin")
    assert project.read("a/b/target.bin") == source.read_bytes()
    source.write_bytes(b"new")
    project.upload(source, "a/b/target.bin")
    assert project.read("a/b/target.bin") == b"new"
    assert source.exists()


def test_names_that_a_trial_may_have_are_kept(project):
    name = "0007-learning_rate=0.001-dropout=0.45"
    project.make_directory(name)
    project.replace(f"{name}/.outputs.json", "{}")
    assert project.listdir(name) == [".outputs.json"]


def test_a_pickled_project_leads_to_the_same_files(project):
    project.make_directory("a")
    project.replace("a/file", b"content")
    assert pickle.loads(pickle.dumps(project)).read("a/file") == b"content"
