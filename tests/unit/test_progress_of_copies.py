from __future__ import annotations

import sys

import pytest

from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.hdfs import copy_progress
from hopsml_flows.hdfs.copy_progress import show_copy


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (64_000_000, "64.0 MB"), (5 * 10**13, "50.0 TB")],
)
def test_sizes_are_shown_for_people(size, text):
    assert size_text(size) == text


def test_a_small_copy_says_nothing(capsys):
    with show_copy("a to b", 1000) as progress:
        assert progress is None
    assert capsys.readouterr().out == ""


def test_a_large_copy_prints_lines_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(copy_progress, "_LINE_SECONDS", 0)
    with show_copy("a to b", 100 << 20) as progress:
        progress.of("one")(50 << 20, 60 << 20)
        progress.of("two")(30 << 20, 40 << 20)
        progress.of("two")(50 << 20, 40 << 20)  # it has grown
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Copying a to b (104.9 MB)"
    assert lines[1:4] == [" 50% of 104.9 MB", " 80% of 104.9 MB", "100% of 104.9 MB"]
    assert lines[4].startswith("Copied a to b in ")


def test_a_large_copy_shows_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with show_copy("a to b", 100 << 20) as progress:
        progress.of("one")(100 << 20, 100 << 20)
    out = capsys.readouterr().out
    assert "a to b" in out
    assert "104.9/104.9 MB" in out
