"""The part of the storage suite in which several threads or processes use one project."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from hopsml_flows.storage import Project

__all__ = ["ConcurrentStorageConformance"]


class ConcurrentStorageConformance:
    """Tests of :class:`StorageConformance` in which several threads or processes use a project."""

    @pytest.fixture
    def location(self) -> tuple[str, dict[str, Any]]:
        """Return the URL of a writable, empty project on the storage, and its storage options."""
        raise NotImplementedError("override the fixture location")

    @pytest.fixture
    def project(self, location: tuple[str, dict[str, Any]]) -> Project:
        """Return the project."""
        url, options = location
        return Project(url, options or None)

    @pytest.fixture
    def shared_project(self, project: Project) -> Project:
        """Return a project that other processes see too; by default ``project``."""
        return project

    @pytest.fixture
    def torn_reads(self) -> int:
        """Return how often a file is read while it is replaced."""
        return 300

    def test_of_several_that_create_a_file_at_once_one_succeeds(self, project: Project) -> None:
        project.make_directory("a")

        def create(number: int) -> str | None:
            try:
                project.create("a/file", str(number))
            except FileExistsError:
                return None
            return str(number)

        with ThreadPoolExecutor(6) as pool:
            created = [name for name in pool.map(create, range(6)) if name]
        assert len(created) == 1
        assert project.read("a/file") == created[0].encode()

    def test_of_many_threads_of_many_processes_one_creates_a_file(
        self, shared_project: Project
    ) -> None:
        """Create files as drivers on several machines do when they resume one experiment."""
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

    def test_200_files_are_written_in_parallel(self, project: Project) -> None:
        project.make_directory("a")
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: project.replace(f"a/{n:03d}", f"file {n}"), range(200)))
        assert project.listdir("a") == [f"{n:03d}" for n in range(200)]
        assert {file.size for file in project.walk_files("a")} == {6, 7, 8}
        assert project.read("a/199") == b"file 199"

    def test_a_writer_that_is_killed_leaves_a_whole_file(self, shared_project: Project) -> None:
        shared_project.make_directory("a")
        context = multiprocessing.get_context("spawn")
        for wait in (0.0, 0.05, 0.13):
            started = context.Event()
            writer = context.Process(target=_replace_forever, args=(shared_project, started))
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
            # Files that the killed writer left do not hinder the next one.
            shared_project.replace("a/file", b"new")
            assert shared_project.read("a/file") == b"new"

    def test_no_read_of_a_file_that_is_being_replaced_is_torn(
        self, project: Project, torn_reads: int
    ) -> None:
        assert _read_while_replaced(project, torn_reads) == []


def _create_in_turn(project: Project, name: str, start: Any, rounds: int, won: Any) -> None:
    start.wait(120)
    for number in range(rounds):
        with suppress(FileExistsError):
            project.create(f"a/{number}", name)
            won.put((number, name))


def _create_in_threads(
    project: Project, process: int, start: Any, rounds: int, won: Any, threads: int = 4
) -> None:
    with ThreadPoolExecutor(threads) as pool:
        names = [f"{process}-{thread}" for thread in range(threads)]
        list(pool.map(lambda name: _create_in_turn(project, name, start, rounds, won), names))


def _replace_forever(project: Project, started: Any) -> None:
    project.replace("a/file", b"a" * 2_000_000)
    started.set()
    letter = 0
    while True:
        letter = (letter + 1) % 26
        project.replace("a/file", bytes([97 + letter]) * 2_000_000)


def _read_while_replaced(project: Project, reads: int, readers: int = 3) -> list[str]:
    """Read a file while it is replaced; return descriptions of wrong reads."""
    project.make_directory("a")
    sizes = (1, 70_000, 300_000)
    project.replace("a/file", b"a" * sizes[0])
    stop = threading.Event()
    wrong: list[str] = []

    def replace() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            letter = bytes([97 + number % 26])
            project.replace("a/file", letter * sizes[number % 3])

    def read(_: int) -> None:
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
