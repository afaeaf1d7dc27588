from __future__ import annotations

import itertools
import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.execution.output.streams import OutputLog

# What has no meaning of its own for a terminal.
text = st.text(st.characters(exclude_categories=("Cc", "Cs"))).map(str.rstrip)


def written(pieces):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "output.log"
        log = OutputLog(path)
        for source, piece in pieces:
            if isinstance(piece, bytes):
                log.write_bytes(source, piece)
            else:
                log.write(source, piece)
        log.close()
        return [
            re.sub(r"^[0-9T:.-]{23}Z ?", "", line, count=1)
            for line in path.read_bytes().decode().split("\n")
        ][:-1]


def cut(whole, places):
    bounds = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(bounds)]


@given(st.lists(text), st.lists(st.integers(0, 10**6), max_size=8))
def test_lines_come_out_as_they_went_in_however_they_are_cut(lines, places):
    whole = "".join(f"{line}\n" for line in lines)
    assert written([("stdout", piece) for piece in cut(whole, places)]) == lines
    assert written([("process", piece) for piece in cut(whole.encode(), places)]) == lines


@given(st.lists(text), st.lists(text), st.randoms(use_true_random=False))
def test_sources_keep_their_own_lines_and_order(one, other, random):
    pieces = [("a", f"A{line}\n") for line in one] + [("b", f"B{line}\n") for line in other]
    order = sorted(range(len(pieces)), key=lambda _: random.random())
    first = iter([piece for piece in pieces if piece[0] == "a"])
    second = iter([piece for piece in pieces if piece[0] == "b"])
    mixed = [next(first if pieces[i][0] == "a" else second) for i in order]
    lines = written(mixed)
    assert [line[1:] for line in lines if line[0] == "A"] == one
    assert [line[1:] for line in lines if line[0] == "B"] == other


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text() | st.binary())))
def test_any_output_whatever_is_taken_and_the_file_is_utf_8_with_a_time_on_every_line(pieces):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "output.log"
        log = OutputLog(path)
        for source, piece in pieces:
            if isinstance(piece, bytes):
                log.write_bytes(source, piece)
            else:
                log.write(source, piece)
        log.close()
        lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z( |$)", line) for line in lines)
