from __future__ import annotations

import pytest

from hopsml_flows.service.logs import reader as log_reader
from hopsml_flows.service.logs.reader import LogReader

LOG = "output.log"


@pytest.fixture(params=["local", "memory"])
def project(request, tmp_path):
    found = request.getfixturevalue("project" if request.param == "local" else "memory_project")
    found.make_directory("")
    return found


@pytest.fixture(params=[None, 100])
def chunk(request, monkeypatch):
    """Logs that are read at once, and such that are read in many pieces."""
    if request.param is not None:
        monkeypatch.setattr(log_reader, "CHUNK", request.param)
        monkeypatch.setattr(log_reader, "_FIRST_STEP", 7)


def read(reader, size=None):
    return b"".join(reader.read(size))


def lines(first, last):
    return b"".join(b"2024-03-01T12:00:00.%03dZ line %d\n" % (n, n) for n in range(first, last))


def test_what_is_added_is_read_once(project, chunk):
    reader = LogReader(project, LOG)
    assert read(reader) == b""  # there is none yet
    project.replace(LOG, b"")
    assert read(reader) == b""
    project.replace(LOG, lines(0, 5))
    assert read(reader) == lines(0, 5)
    assert read(reader) == b""
    project.append(LOG, lines(5, 9))
    project.append(LOG, lines(9, 20))
    assert read(reader) == lines(5, 20)
    assert reader.rest() == b""
    assert reader.restarts == 0


def test_a_line_is_read_when_it_is_whole(project, chunk):
    text = "zwölf €uro 😀\n".encode()
    for cut in range(len(text)):
        reader = LogReader(project, LOG)
        project.replace(LOG, text + text[:cut])
        assert read(reader) == text
        project.append(LOG, text[cut:])
        assert read(reader) == text


def test_the_rest_is_a_line_without_an_end(project):
    project.replace(LOG, b"one\ntw")
    reader = LogReader(project, LOG)
    assert read(reader) == b"one\n"
    assert reader.rest() == b"tw\n"
    assert reader.rest() == b""


def test_no_more_is_read_than_the_size_that_was_seen(project):
    project.replace(LOG, lines(0, 9))
    reader = LogReader(project, LOG)
    assert read(reader, size=len(lines(0, 4))) == lines(0, 4)
    assert read(reader) == lines(4, 9)


def test_a_log_that_was_cut_or_written_anew_is_read_from_its_beginning(project, chunk):
    project.replace(LOG, lines(0, 9))
    reader = LogReader(project, LOG)
    read(reader)
    project.replace(LOG, lines(0, 2))  # shorter
    assert (read(reader), reader.restarts) == (lines(0, 2), 1)
    project.replace(LOG, lines(100, 150))  # longer, and another
    assert (read(reader), reader.restarts) == (lines(100, 150), 2)
    project.append(LOG, lines(150, 151))
    assert (read(reader), reader.restarts) == (lines(150, 151), 2)


def test_a_log_that_is_removed_and_comes_back_goes_on(project):
    project.replace(LOG, lines(0, 3))
    reader = LogReader(project, LOG)
    read(reader)
    project.remove(LOG)
    assert read(reader) == b""
    project.replace(LOG, lines(0, 5))
    assert (read(reader), reader.restarts) == (lines(3, 5), 0)


@pytest.mark.parametrize("count", [0, 1, 2, 19, 20, 21, 1000])
@pytest.mark.parametrize("partial", [b"", b"part"])
def test_the_last_lines_are_what_is_read_first(project, chunk, count, partial):
    project.replace(LOG, lines(0, 20) + partial)
    reader = LogReader(project, LOG, lines=count)
    whole = count - 1 if partial and count else count  # a line that has no end yet counts
    assert read(reader) == lines(max(0, 20 - whole), 20)
    project.append(LOG, b"ial\n" + lines(30, 33))
    assert read(reader) == (partial + b"ial\n" + lines(30, 33))


def test_the_last_lines_of_an_empty_log_are_none_and_what_comes_is_read_whole(project):
    project.replace(LOG, b"")
    reader = LogReader(project, LOG, lines=1)
    assert read(reader) == b""
    project.replace(LOG, lines(0, 9))
    assert read(reader) == lines(0, 9)


def test_empty_lines_count(project, chunk):
    project.replace(LOG, b"one\n\n\n")
    assert read(LogReader(project, LOG, lines=2)) == b"\n\n"
    project.replace(LOG, b"\n")
    assert read(LogReader(project, LOG, lines=5)) == b"\n"


def test_what_is_skipped_is_not_read(project):
    project.replace(LOG, lines(0, 5))
    reader = LogReader(project, LOG, lines=1)
    reader.skip_to(len(lines(0, 5)))
    assert read(reader) == b""
    project.append(LOG, lines(5, 6))
    assert read(reader) == lines(5, 6)


def test_a_line_that_never_ends_is_not_held_for_ever(project, monkeypatch):
    monkeypatch.setattr(log_reader, "CHUNK", 100)
    project.replace(LOG, b"x" * 1000)
    pieces = list(LogReader(project, LOG).read())
    assert b"".join(pieces).replace(b"\n", b"").startswith(b"x" * 800)
    assert max(map(len, pieces)) <= 202


def test_a_log_that_is_being_replaced_is_read_at_the_next_time(project, monkeypatch):
    project.replace(LOG, lines(0, 3))
    reader = LogReader(project, LOG)
    read(reader)
    grown = len(lines(0, 5))
    assert read(reader, size=grown) == b""  # the size is that of a version that is not there yet
    project.replace(LOG, lines(0, 5))
    assert (read(reader, size=grown), reader.restarts) == (lines(3, 5), 0)
