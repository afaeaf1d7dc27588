"""The parameters of a page's address: read with defaults, and written with changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

__all__ = ["Parameters", "segment"]

_LONGEST = 4000
"""Most characters of a parameter that count."""


def segment(text: str) -> str:
    """Return a text as one part of a path.

    Args:
        text: Any text.

    Example:
        >>> segment("a/b?c")
        'a%2Fb%3Fc'
    """
    return quote(text, safe="", errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of an address, in order.

    Args:
        pairs: Name and value of each.

    Example:
        >>> given = Parameters((("state", "FAILED"), ("state", "KILLED"), ("page", "3")))
        >>> given.all("state"), given.number("page", 1), given.one("sort", "start")
        (('FAILED', 'KILLED'), 3, 'start')
        >>> given.changed(page=None, sort="name")
        '?state=FAILED&state=KILLED&sort=name'
    """

    pairs: Sequence[tuple[str, str]] = ()

    def one(self, name: str, default: str = "", *, longest: int = _LONGEST) -> str:
        """Return the first value of a parameter that is not empty.

        Args:
            name: The parameter.
            default: What to return where there is none.
            longest: Most characters to return.
        """
        values = (value for key, value in self.pairs if key == name and value)
        return next(values, default)[:longest]

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that are not empty.

        Args:
            name: The parameter.
        """
        return tuple(value[:_LONGEST] for key, value in self.pairs if key == name and value)

    def number(self, name: str, default: int, *, most: int = 1_000_000) -> int:
        """Return a parameter as a whole number, from its default on.

        Args:
            name: The parameter.
            default: What to return where there is none, or where it is no number; the least.
            most: The largest number.
        """
        text = self.one(name)
        if text.isascii() and text.isdecimal() and len(text) < 19:
            return min(max(int(text), default), most)
        return default

    def changed(self, **changes: str | int | None) -> str:
        """Return the query of an address with some parameters changed; "" if none is left.

        Args:
            **changes: New values; None leaves a parameter out.
        """
        kept = [(key, value) for key, value in self.pairs if value and key not in changes]
        kept += [(key, str(value)) for key, value in changes.items() if value is not None]
        return f"?{urlencode(kept, errors='backslashreplace')}" if kept else ""
