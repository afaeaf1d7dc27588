"""Makes text safe to write: to a log, a terminal, the Prefect server, TensorBoard. Pure, but `say`.

Python's strings can hold characters that none of these accept. A *lone surrogate* stands for a byte
that is not UTF-8, as in the name of an old file, and no encoder accepts it. *Control sequences* set
colours, titles and links of a terminal, and are noise or worse elsewhere. These functions return
text that can be written everywhere. They never change the user's own values.
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
    "plural",
    "readable",
    "say",
    "shortened",
    "text_repr",
    "unicode_text",
    "value_text",
]

_SEQUENCE = re.compile(
    # ECMA-48, in 7 and 8 bits: CSI (colours, cursor); strings (OSC: titles, links; DCS and APC:
    # pictures), which end with BEL or ST; then all other sequences, also the beginning of those
    # that lack their end.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_AT_END = re.compile(r"\x08+(?=\n|$)")
_SPACE = re.compile(r"\s+")
_DOCSTRING_WIDTH = 96
_PLAINER = str.maketrans({"…": "...", "·": "-"})
"""The characters beyond ASCII in the project's own lines, and their replacements."""


def is_unicode(text: str) -> bool:
    r"""Whether UTF-8 can encode a text: it cannot if the text has a lone surrogate.

    Args:
        text: Any text.

    Example:
        >>> is_unicode("é"), is_unicode("\udce9")
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unicode_text(text: str) -> str:
    r"""Return a text that UTF-8 can encode, with lone surrogates written as ``\udce9``.

    Args:
        text: Any text.
    """
    return text if is_unicode(text) else text.encode(errors="backslashreplace").decode()


def readable(text: str) -> str:
    r"""Return the readable part of a text, with its lines.

    Control sequences of terminals are removed, and backspaces applied. Other invisible characters
    and lone surrogates are written as ``\x00`` and ``\udce9``.

    Args:
        text: Any text.

    Example:
        >>> readable("\x1b[31mred\x1b[0m")
        'red'
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
    r"""Return the readable part of a text, on one line.

    Args:
        text: Any text.

    Example:
        >>> one_line("two\n  lines")
        'two lines'
    """
    return _SPACE.sub(" ", readable(text)).strip()


def text_repr(value: object, most: int = 200) -> str:
    """Return the ``repr`` of a value as readable text, also if the value's ``repr`` raises.

    Args:
        value: Anything.
        most: Length, in characters, to which a longer text is cut.

    Example:
        >>> text_repr("a" * 20, most=5)
        "'aaa…"
    """
    try:
        text = readable(repr(value))
    except (
        Exception
    ) as error:  # from the value's code; also RecursionError of a deeply nested value
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shortened(text: str, most: int) -> str:
    """Return a text without its middle if it is too long: the end of a message often says most.

    Args:
        text: Any text.
        most: Length, in characters, to which a longer text is cut; at least 3.

    Example:
        >>> shortened("an error of a library: no room", most=20)
        'an err…rary: no room'
    """
    if len(text) <= most:
        return text
    head = (most - 1) // 3
    return f"{text[:head]}…{text[head + 1 - most :]}"


def number_text(number: float) -> str:
    """Format a number with up to six significant digits; zero has no sign.

    Args:
        number: The number.

    Example:
        >>> number_text(1 / 3), number_text(-0.0)
        ('0.333333', '0')
    """
    text = f"{number:.6g}"
    return "0" if text == "-0" else text


def plural(count: int, noun: str) -> str:
    """Return a count with its noun in the right number.

    Args:
        count: The count.
        noun: The noun, in the singular.

    Example:
        >>> plural(1, "trial"), plural(24, "trial")
        ('1 trial', '24 trials')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def value_text(value: Any, most: int | None = None) -> str:
    """Return a value on one line; floats have six significant digits.

    Args:
        value: Anything.
        most: Most characters; None for all of them.

    Example:
        >>> value_text(1 / 3), value_text("Adam, with restarts", most=6)
        ('0.333333', 'Adam,…')
    """
    text = number_text(value) if isinstance(value, float) else one_line(str(value))
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


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
    r"""Return a text that a stream's encoding can write.

    Other characters are replaced by ASCII where the project's own lines have them, and written as
    ``\u2026`` otherwise.

    Args:
        text: Any text.
        stream: The stream; None for the standard output.
    """
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAINER).encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:  # a stand-in for the stream names an unknown encoding
        return unicode_text(text)
    return text


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line for the user; if it cannot be printed, do nothing.

    So an experiment survives the end of its terminal, or of the process that reads its pipe.

    Args:
        text: One line or several.
        stream: The stream; None for the standard output.

    Example:
        >>> say("trial 3 of 10")
        trial 3 of 10
    """
    with suppress(OSError, ValueError):  # ValueError: the stream is closed
        print(fitting(text, stream), file=stream, flush=True)


def _without_backspaces(text: str) -> str:
    """Return a text as a terminal shows it at the end, ignoring the cursor's last position."""
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
