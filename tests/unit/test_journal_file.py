"""The file of a journal: how its lines get there, and what stays in memory."""

from __future__ import annotations

import gc
import threading
import weakref
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from hopsml_flows.driver.upkeep import Upkeep
from hopsml_flows.storage import ExperimentPaths, Project, retries
from hopsml_flows.storage.lease import take_lease
from hopsml_flows.tracking import Summary
from hopsml_flows.tracking.journal_file import JournalFile
from tests.waiting import wait_until

PATHS = ExperimentPaths("e-1")
HEAD = '{"event": "begin"}\n'


class Line(str):
    """A line that can be watched."""

    __slots__ = ("__weakref__",)


def lines(first, count, width=0):
    return [Line(f'{{"n": {n}, "pad": "{"x" * width}"}}\n') for n in range(first, first + count)]


def journal_on(project, head=HEAD, *, exists=False):
    project.make_directory(PATHS.root)
    return JournalFile(project, PATHS, head, exists=exists)


def content(project):
    return project.read(PATHS.journal).decode()


# On this machine's disk.


def test_on_a_local_disk_lines_are_in_the_file_at_once_and_not_in_memory(project):
    journal = journal_on(project)
    written = lines(0, 3)
    journal.add(written[0])
    assert journal.is_due
    journal.write_behind()
    for line in written[1:]:
        journal.add(line)
        assert not journal.is_due
    assert content(project) == HEAD + "".join(written)
    watched = [weakref.ref(line) for line in written]
    del line, written
    gc.collect()
    assert [found() for found in watched] == [None] * 3


def test_a_resumed_journal_goes_on_where_it_ended(project):
    begun = journal_on(project)
    begun.add("first\n")
    begun.write()
    journal = journal_on(project, content(project), exists=True)
    assert not journal.is_due
    journal.add("second\n")
    journal.write()
    assert content(project) == f"{HEAD}first\nsecond\n"


def test_a_line_that_was_cut_short_is_replaced(project):
    project.make_directory(PATHS.root)
    project.replace(PATHS.journal, f"{HEAD}cut sh")
    journal = journal_on(project)
    journal.add("second\n")
    journal.write_behind()
    assert content(project) == f"{HEAD}second\n"


def test_lines_that_a_full_disk_did_not_take_follow_the_others_later(full_disk):
    project = Project(full_disk.root / "project")
    journal = journal_on(project)
    before = lines(0, 100, 50)
    for line in before:
        journal.add(line)
        journal.write()
    full_disk.fill()
    refused = lines(100, 3, 1 << 13)
    journal.add(refused[0])
    # The block that the file had begun took a part of the line.
    part = content(project).removeprefix(HEAD + "".join(before))
    assert refused[0].startswith(part)
    assert 0 < len(part) < len(refused[0])
    for line in refused[1:]:
        journal.add(line)
    with pytest.raises(OSError, match="No space left"):
        journal.write(patience=0)
    full_disk.free()
    journal.write()
    more = lines(103, 2)
    for line in more:
        journal.add(line)
    assert content(project) == HEAD + "".join([*before, *refused, *more])


# Where files cannot grow.


class Slow(MemoryFileSystem):
    """A storage that takes files only while it is open."""

    protocol = "slow"
    cachable = False
    opened = threading.Event()
    error: Exception | None = None
    waiting = 0

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        if HEAD.encode() in value:
            Slow.waiting += 1
            Slow.opened.wait(60)
            Slow.waiting -= 1
            if Slow.error is not None:
                raise Slow.error
        return super().pipe_file(path, value, mode=mode, **kwargs)


@pytest.fixture
def slow(monkeypatch):
    fsspec.register_implementation("slow", Slow, clobber=True)
    monkeypatch.setattr(Slow, "opened", threading.Event())
    monkeypatch.setattr(Slow, "error", None)
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0.4)
    yield Project(f"slow://{uuid4().hex}/project")
    Slow.opened.set()


def test_a_slow_storage_is_not_waited_for_while_trials_run(slow):
    journal = journal_on(slow)
    journal.add("one\n")
    journal.write_behind()
    assert not journal.is_due
    wait_until(lambda: Slow.waiting, 30, "the upload")
    journal.add("two\n")
    journal.write_behind()  # one upload at a time
    assert not slow.exists(PATHS.journal)
    Slow.opened.set()
    wait_until(lambda: journal.is_due, 30, "the end of the upload")
    journal.write_behind()
    assert content(slow) == f"{HEAD}one\n"
    journal.write()
    assert content(slow) == f"{HEAD}one\ntwo\n"


def test_at_the_end_an_upload_that_runs_is_waited_for(slow):
    journal = journal_on(slow)
    journal.add("one\n")
    journal.write_behind()
    wait_until(lambda: Slow.waiting, 30, "the upload")
    journal.add("two\n")
    timer = threading.Timer(0.3, Slow.opened.set)
    timer.start()
    journal.write()
    timer.join()
    assert content(slow) == f"{HEAD}one\ntwo\n"
    assert not journal.is_due


def test_what_an_upload_could_not_bring_is_said_at_the_next_look_and_brought_later(slow):
    journal = journal_on(slow)
    journal.add("one\n")
    Slow.error = PermissionError("no")
    Slow.opened.set()
    journal.write_behind()
    wait_until(lambda: journal.is_due, 30, "the end of the upload")
    with pytest.raises(PermissionError, match="no"):
        journal.write_behind()
    with pytest.raises(PermissionError, match="no"):
        journal.write(patience=0)
    Slow.error = None
    journal.write(patience=0)
    assert content(slow) == f"{HEAD}one\n"


def test_the_drivers_look_at_storage_waits_for_no_journal_and_its_end_does(slow):
    journal = journal_on(slow)
    with take_lease(slow, PATHS, pytest.fail, new=True) as lease:
        upkeep = Upkeep("e-1", Summary(slow, PATHS), lease, pytest.fail, journal)
        journal.add("one\n")
        upkeep.look()  # it would wait for 60 s
        assert not Slow.opened.is_set()
        assert not upkeep.is_paused
        Slow.opened.set()
        upkeep.finish_files()
        assert content(slow) == f"{HEAD}one\n"


def test_a_journal_that_storage_refuses_pauses_the_driver_until_it_is_taken(slow):
    notes = []
    journal = journal_on(slow)
    with take_lease(slow, PATHS, pytest.fail, new=True) as lease:
        upkeep = Upkeep("e-1", Summary(slow, PATHS), lease, notes.append, journal)
        journal.add("one\n")
        Slow.error = PermissionError("no")
        Slow.opened.set()

        def is_paused():
            upkeep.look()
            return upkeep.is_paused

        wait_until(is_paused, 30, "the pause")
        Slow.error = None
        wait_until(lambda: not is_paused(), 30, "the end of the pause")
        assert content(slow) == f"{HEAD}one\n"
    assert len(notes) == 2
