"""Sizes and names of files as readable text."""

from __future__ import annotations

import os
import re

__all__ = ["files_text", "name_text", "size_of", "size_text"]

_UNITS = {
    unit: factor
    for power, letter in enumerate("kmgtp", 1)
    for unit, factor in (
        (letter, 1000**power),
        (f"{letter}b", 1000**power),
        (f"{letter}ib", 1024**power),
    )
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def size_text(size: int) -> str:
    """A number of bytes, such as "1.5 MB"."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 999.95 or unit == "TB":
            break
        value /= 1000
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def files_text(count: int) -> str:
    """A number of files, such as "1 file"."""
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def size_of(text: str) -> int | None:
    """Parse a size such as "20GiB", "1.5 MB" or "4096" into bytes; None if it is invalid."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    unit = found[2].lower()
    factor = 1 if unit in ("", "b") else _UNITS.get(unit)
    return None if factor is None else int(float(found[1]) * factor)


def name_text(name: str) -> str:
    """A file's name for a log, with invalid UTF-8 and unprintable characters escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
