from __future__ import annotations

import re

import pytest

from hopsml_flows.execution.output.streams import OutputLog

STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z( |$)")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "output.log"


def lines_of(path):
    """Texts of the log's lines, after checking that each has its time."""
    found = path.read_text().split("\n")
    assert found.pop() == ""
    assert all(STAMP.match(line) for line in found), found
    return [STAMP.sub("", line) for line in found]


def logged(path, *pieces):
    log = OutputLog(path)
    for piece in pieces:
        source, text = piece if isinstance(piece, tuple) else ("stdout", piece)
        log.write(source, text)
    log.close()
    return lines_of(path)


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["one\ntwo\n"], ["one", "two"]),
        (["o", "ne", "\n", "two\n"], ["one", "two"]),
        (["no end"], ["no end"]),
        (["\n\n"], ["", ""]),
        ([""], []),
        (["  indented\n"], ["  indented"]),
        (["windows\r\n"], ["windows"]),
        (["\x1b[1;31mred\x1b[0m\n"], ["red"]),
        (["\x1b]0;a title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n"], ["link"]),
        (["\x1b]8;;http", "://x\x07link\x1b]8;;\x07", "\n"], ["link"]),
        (["caf\udce9 nul \0\a\n"], ["caf\\udce9 nul \\x00"]),
        (["10%\b\b\b20%\b\b\b\n"], ["20%"]),
        (["\x1b[?25lhidden cursor\x1b[?25h\n"], ["hidden cursor"]),
        (["ü€😀\n"], ["ü€😀"]),
        (["lone \udcff\n"], ["lone \\udcff"]),
    ],
)
def test_text_becomes_stamped_lines(path, pieces, lines):
    assert logged(path, *pieces) == lines


def test_two_sources_never_share_a_line(path):
    assert logged(path, ("stdout", "out"), ("stderr", "err\n"), ("stdout", "put\n")) == [
        "err",
        "output",
    ]


def test_what_has_no_line_end_is_written_when_the_log_closes(path):
    assert sorted(logged(path, ("stdout", "a"), ("stderr", "b"))) == ["a", "b"]


def test_a_log_is_appended_to(path):
    logged(path, "first\n")
    assert logged(path, "second\n") == ["first", "second"]


def test_a_line_is_there_as_soon_as_it_ends(path):
    log = OutputLog(path)
    log.write("stdout", "one\ntw")
    assert lines_of(path) == ["one"]
    log.close()
    assert lines_of(path) == ["one", "tw"]


def test_closing_twice_is_fine_and_a_closed_log_says_so(path):
    log = OutputLog(path)
    assert not log.closed
    log.close()
    log.close()
    assert log.closed


@pytest.mark.parametrize(
    "pieces",
    [
        [f"\rstep {i}/100" for i in range(101)] + ["\n"],
        [f"step {i}/100\r" for i in range(101)] + ["\n"],
        [f"step {i}/100\r" for i in range(101)],
        ["".join(f"\rstep {i}/100" for i in range(101)) + "\n"],
        [piece for i in range(101) for piece in ("\r", f"step {i}/100")] + ["\n"],
        [f"step {i}/100" + "\b" * 9 + "\r" for i in range(101)] + ["\n"],
    ],
    ids=["before", "after", "no end", "at once", "in pieces", "backspaces"],
)
def test_a_progress_bar_leaves_few_lines_and_its_last_state(path, pieces):
    lines = logged(path, *pieces)
    assert [line for line in lines if line][-1] == "step 100/100"
    assert len(lines) < 20
    assert set(lines) <= {f"step {i}/100" for i in range(101)} | {""}


def test_a_line_after_a_progress_bar_is_whole(path):
    lines = logged(path, "\r 10%", "\r 20%", "\ndone\n")
    assert lines[-1] == "done"
    assert " 20%" in lines


def test_bytes_cut_anywhere_become_the_same_text(path):
    text = "aüb€c😀d\n"
    raw = text.encode()
    for cut in range(len(raw)):
        log = OutputLog(path)
        log.write_bytes("process", raw[:cut])
        log.write_bytes("process", raw[cut:])
        log.close()
    assert lines_of(path) == [text.rstrip()] * len(raw)


def test_bytes_that_are_no_text_are_shown_escaped(path):
    log = OutputLog(path)
    log.write_bytes("process", b"a\xff\xfeb\n")
    log.write_bytes("process", b"cut \xe2\x82")
    log.close()
    assert lines_of(path) == ["a\\xff\\xfeb", "cut \\xe2\\x82"]


def test_a_note_is_a_line_of_its_own(path):
    log = OutputLog(path)
    log.note("attempt 2")
    log.note("Traceback:\n  line\n")
    log.close()
    assert lines_of(path) == ["attempt 2", "Traceback:", "  line"]
