from __future__ import annotations

import io
import sys

import pytest

from hopsml_flows.errors import HopsmlError, InvalidArgumentError, NotFoundError, WorkerLostError
from hopsml_flows.text import (
    fitting,
    is_unicode,
    number_text,
    one_line,
    readable,
    say,
    text_repr,
    unicode_text,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, für 日本", "plain text, für 日本"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("windows\r\nlines", "windows\nlines"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38:2::255:0:0mred\x1b[m", "red"),
        ("\x1b[?25l\x1b[2K\x1b[1Gline", "line"),
        ("\x1b]0;a title\x07line", "line"),
        ("\x1b]0;a title\x1b\\line", "line"),
        ("\x1b]8;;http://x/y\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]8;id=1;http://x/y\x07link\x1b]8;;\x07", "link"),
        ("\x1b]1337;File=inline=1:AAAA\x07picture", "picture"),
        ("\x1bPq#0;2;0;0;0#0~~@@vv\x1b\\sixel", "sixel"),
        ("\x1b_Gf=24,s=10;AAAA\x1b\\kitty", "kitty"),
        ("\x1b^private\x1b\\\x1bXstring\x1b\\text", "text"),
        ("\x1b(B\x1b)0\x1b=\x1b>\x1b7\x1b8\x1bcreset", "reset"),
        ("\x9b31mred\x9b0m \x9d0;title\x9ctext", "red text"),
        ("no end \x1b]0;title\nnext", "no end 0;title\nnext"),
        ("cut \x1b[", "cut "),
        ("cut \x1b", r"cut \x1b"),
        ("bell\a", "bell"),
        ("10%\b\b\b20%", "20%"),
        ("10%\b\b\b", "10%"),
        ("\b\bnothing before\n\b\bline", "nothing before\nline"),
        ("nul \0, page \f, del \x7f", r"nul \x00, page \x0c, del \x7f"),
        ("caf\udce9", r"caf\udce9"),
        ("\ud83d alone", r"\ud83d alone"),
    ],
    ids=repr,
)
def test_what_is_readable_of_a_text(text, shown):
    assert readable(text) == shown
    assert readable(shown) == shown
    shown.encode()


def test_one_line_has_no_line_ends():
    assert one_line("  a\n\n b\t\x1b[1mc\x1b[0m\u2028d ") == "a b c d"


def test_lone_surrogates_are_known_and_escaped_and_nothing_else_is():
    assert is_unicode("für \x1b[0m")
    assert unicode_text("für \x1b[0m") == "für \x1b[0m"
    assert not is_unicode("\udce9")
    assert unicode_text("für \udce9\x1b") == "für \\udce9\x1b"


class Rude:
    def __repr__(self):
        raise RuntimeError("no")


def test_the_repr_of_anything_is_a_text_of_limited_length():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert text_repr("caf\udce9") == r"'caf\udce9'"
    assert text_repr(Rude()) == "<Rude, whose repr raised RuntimeError>"
    assert text_repr(deep) == "<list, whose repr raised RecursionError>"
    assert text_repr("x" * 500, 10) == "'xxxxxxxx…"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (-0.0, "0"),
        (0.0, "0"),
        (0, "0"),
        (-1e-320, "-9.99989e-321"),
        (1 / 3, "0.333333"),
        (-2.0, "-2"),
        (float("nan"), "nan"),
    ],
)
def test_zero_has_no_sign(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_stream_of_any_encoding_gets_all_of_a_text(encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    say("3/4 · best… für 日本 caf\udce9", stream)
    stream.seek(0)
    expected = {
        "ascii": "3/4 - best... f\\xfcr \\u65e5\\u672c caf\\udce9\n",
        "latin-1": "3/4 - best... für \\u65e5\\u672c caf\\udce9\n",
        "cp1252": "3/4 - best... für \\u65e5\\u672c caf\\udce9\n",
        "utf-8": "3/4 - best... für 日本 caf\\udce9\n",
    }
    assert stream.read() == expected[encoding]


def test_a_stand_in_for_a_stream_may_have_no_encoding_or_a_strange_one():
    class StandIn:
        encoding = None

    stand_in = StandIn()
    assert fitting("…\udce9", stand_in) == "...\\udce9"
    stand_in.encoding = "no such encoding"
    assert fitting("…\udce9", stand_in) == "…\\udce9"
    assert fitting("…", object()) == "…"


def test_what_cannot_be_printed_any_more_raises_nothing(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    say("text", Gone())
    closed = io.StringIO()
    closed.close()
    say("text", closed)
    monkeypatch.setattr(sys, "stdout", None)  # as under pythonw
    say("text")


@pytest.mark.parametrize(
    "error",
    [
        HopsmlError("caf\udce9 \x1b[31mred"),
        WorkerLostError("caf\udce9 \x1b[31mred"),
        InvalidArgumentError("x", 1, "caf\udce9 \x1b[31mred"),
        NotFoundError("x", 1, "caf\udce9 \x1b[31mred"),
    ],
)
def test_the_message_of_every_own_error_can_be_written_anywhere(error):
    assert r"caf\udce9 red" in str(error)
    assert str(error) == readable(str(error))
