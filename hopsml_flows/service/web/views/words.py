"""Numbers, times and values in the form in which pages show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hopsml_flows.text import number_text, readable, unicode_text
from hopsml_flows.values.plain import is_finite

__all__ = ["age", "cell_text", "clock_time", "iso_time", "long_text", "second_time", "size", "took"]

_DASH = "—"
_LONGEST_CELL = 80
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def took(seconds: float | None) -> str:
    """Return a duration in at most two units.

    Args:
        seconds: The duration; None if it is not known.

    Example:
        >>> took(0.25), took(75), took(90000), took(None)
        ('0.25 s', '1 min 15 s', '1 d 1 h', '—')
    """
    if seconds is None or not is_finite(seconds):
        return _DASH
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds < 59.95 else "1 min"
    for place, (length, unit) in enumerate(_UNITS):
        whole, rest = divmod(round(seconds), length)
        if whole:
            smaller, name = _UNITS[place + 1] if place + 1 < len(_UNITS) else (1, "s")
            more = rest // smaller
            return f"{whole} {unit} {more} {name}" if more else f"{whole} {unit}"
    return f"{seconds:.3g} s"


def age(then: float, now: float) -> str:
    """Return how long ago something was.

    Args:
        then: The time, in seconds since 1970.
        now: The present time.

    Example:
        >>> age(0, 30), age(0, 3700), age(0, 200_000)
        ('just now', '1 h ago', '2 d ago')
    """
    passed = now - then
    for length, unit in _UNITS:
        if passed >= length:
            return f"{int(passed // length)} {unit} ago"
    return "just now"


def clock_time(seconds: float | None) -> str:
    """Return a time of this machine's zone, to the minute; a dash if there is none.

    Args:
        seconds: Seconds since 1970, or None.
    """
    return _local_text(seconds, "%Y-%m-%d %H:%M")


def second_time(seconds: float | None) -> str:
    """Return a time of this machine's zone, to the second; a dash if there is none.

    Args:
        seconds: Seconds since 1970, or None.
    """
    return _local_text(seconds, "%Y-%m-%d %H:%M:%S")


def iso_time(seconds: float | None) -> str:
    """Return a time in ISO 8601 and UTC, as machines read it; "" if there is none.

    Args:
        seconds: Seconds since 1970, or None.

    Example:
        >>> iso_time(0.5), iso_time(1e300)
        ('1970-01-01T00:00:00Z', '')
    """
    moment = _moment(seconds)
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it.

    Args:
        count: The number of bytes.

    Example:
        >>> size(999), size(1_500_000)
        ('999 B', '1.5 MB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def cell_text(value: Any) -> str:
    """Return a value as a cell of a table shows it: on one line, and not too long.

    Args:
        value: A value as JSON has it, or None.

    Example:
        >>> cell_text(1 / 3), cell_text(None), cell_text([1, 2]), cell_text(True)
        ('0.333333', '—', '[1, 2]', 'true')
    """
    text = " ".join(long_text(value, indent=None).split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def long_text(value: Any, indent: int | None = 2) -> str:
    """Return a value whole.

    Args:
        value: A value as JSON has it, or None.
        indent: Spaces by which inner values are indented; None for one line.
    """
    if value is None:
        return _DASH
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, int):
        return _integer_text(value)
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping | Sequence):
        try:
            return unicode_text(json.dumps(value, indent=indent, ensure_ascii=False))
        except (TypeError, ValueError, RecursionError):
            return unicode_text(repr(value))
    return unicode_text(str(value))


def _integer_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write more than some thousands of digits
        return f"an integer of {value.bit_length()} bits"


def _local_text(seconds: float | None, form: str) -> str:
    moment = _moment(seconds)
    if moment is None:
        return _DASH
    with suppress(OverflowError, ValueError, OSError):  # a time zone may lead out of all years
        moment = moment.astimezone()
    return moment.strftime(form)


def _moment(seconds: float | None) -> datetime | None:
    if seconds is None or not is_finite(seconds):
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
