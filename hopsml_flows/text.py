"""Text on its way out of the process: to a log, a terminal, the Prefect server, TensorBoard. Pure.

Python's strings hold what none of these take. A *lone surrogate* stands for a byte that is no
UTF-8, as in the name of an old file, and no encoder accepts it. *Control sequences* set colours,
titles and links of a terminal, and are noise or worse anywhere else. Here such text becomes text
that can be written everywhere. What the user's own values are is never changed.
"""

from __future__ import annotations

import re
import sys
import textwrap
from contextlib import suppress
from typing import Any, TextIO

__all__ = [
    "argument_entry",
    "fitting",
    "is_unicode",
    "number_text",
    "one_line",
    "readable",
    "say",
    "text_repr",
    "unicode_text",
]

_SEQUENCE = re.compile(
    # ECMA-48, in 7 and in 8 bits: CSI (colours, cursor); strings (OSC: titles, links, and the
    # pictures of DCS and APC), which end with BEL or ST; then all others, of which those that
    # lack their end lose the beginning.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_AT_END = re.compile(r"\x08+(?=\n|$)")
_SPACE = re.compile(r"\s+")
_DOCSTRING_WIDTH = 96
_PLAINER = str.maketrans({"…": "...", "·": "-"})
"""What the project's own lines have beyond ASCII."""


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold a text: one with a lone surrogate it cannot.

    Args:
        text: Any text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unicode_text(text: str) -> str:
    r"""A text that UTF-8 can hold: lone surrogates are written as ``\udce9``.

    Args:
        text: Any text.
    """
    return text if is_unicode(text) else text.encode(errors="backslashreplace").decode()


def readable(text: str) -> str:
    r"""What is to be read of a text, on as many lines as it has.

    Control sequences of terminals are removed, backspaces done. Other characters that are not
    seen, and lone surrogates, are written as ``\x00`` and ``\udce9``.

    Args:
        text: Any text.
    """
    if text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    text = _SEQUENCE.sub("", text).replace("\a", "")
    if "\b" in text:
        text = _without_backspaces(text)
    return _UNSEEN.sub(_escaped, text)


def one_line(text: str) -> str:
    """What is to be read of a text, on one line.

    Args:
        text: Any text.
    """
    return _SPACE.sub(" ", readable(text)).strip()


def text_repr(value: object, most: int = 200) -> str:
    """The ``repr`` of a value as readable text, whatever the value does; cut where it is long.

    Args:
        value: Anything.
        most: So many characters.
    """
    try:
        text = readable(repr(value))
    except Exception as error:  # the value's own code; also RecursionError of what is nested deep
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def number_text(number: float) -> str:
    """A number with up to six digits; zero has no sign.

    Args:
        number: The number.
    """
    text = f"{number:.6g}"
    return "0" if text == "-0" else text


def argument_entry(name: str, words: str) -> str:
    """The lines of one argument in the ``Args:`` part of a docstring.

    Args:
        name: The argument.
        words: Its description.
    """
    return textwrap.fill(
        f"{name}: {words}",
        _DOCSTRING_WIDTH,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )


def fitting(text: str, stream: Any = None) -> str:
    r"""A text as the encoding of a stream can write it: the rest is written as ``\u2026``.

    Args:
        text: Any text.
        stream: Where it goes; None for the standard output.
    """
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAINER).encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:  # a stand-in's own idea
        return unicode_text(text)
    return text


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line for whoever watches; where it cannot be printed, nothing happens.

    A terminal that is gone, or a pipe that nothing reads from any more, ends no experiment.

    Args:
        text: The line, or several.
        stream: Where to; None for the standard output.
    """
    with suppress(OSError, ValueError):  # ValueError: the stream is closed
        print(fitting(text, stream), file=stream, flush=True)


def _without_backspaces(text: str) -> str:
    """A text as it looks at the end; where the cursor stands then does not matter."""
    kept: list[str] = []
    for character in _AT_END.sub("", text):
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
