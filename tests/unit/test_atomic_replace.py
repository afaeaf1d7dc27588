from __future__ import annotations

import threading

import pytest


def test_a_reader_sees_the_old_content_or_the_new_and_never_a_mixture(project):
    project.make_directory("a")
    contents = {letter * 200_000 for letter in "abcd"}
    project.replace("a/file", "a" * 200_000)
    stop = threading.Event()
    seen = set()

    def read():
        while not stop.is_set():
            seen.add(project.read("a/file").decode())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(50):
            for content in sorted(contents):
                project.replace("a/file", content)
    finally:
        stop.set()
        reader.join()
    assert seen
    assert seen <= contents


def test_a_failed_replacement_leaves_the_old_file_and_nothing_beside_it(project):
    project.make_directory("a/file")  # a directory is in the way
    project.replace("a/other", "kept")
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the platform
        project.replace("a/file", "new")
    assert project.listdir("a") == ["file", "other"]


def test_replacing_in_a_directory_that_is_not_there_fails(project):
    with pytest.raises(FileNotFoundError):
        project.replace("nowhere/file", "new")


def test_uploading_a_file_onto_itself_keeps_it(project, tmp_path):
    project.make_directory("a")
    project.replace("a/file", "content")
    project.upload(project.local_root / "a" / "file", "a/file")
    assert project.read("a/file") == b"content"
