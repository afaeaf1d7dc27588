"""Writes the small part of TOML that a lock file needs. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["toml_text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(document: Mapping[str, Any]) -> str:
    """Return a document as TOML.

    A list of tables becomes an array of tables. What lies deeper than that is written inline.

    Args:
        document: Key to a text, a number, a truth value, a time, or lists and tables of these.

    Example:
        >>> print(toml_text({"a": 1, "b": [{"c": "x"}], "d": {"e": {"f": True}}}), end="")
        a = 1
        <BLANKLINE>
        [[b]]
        c = "x"
        <BLANKLINE>
        [d.e]
        f = true
    """
    plain = {key: value for key, value in document.items() if not _is_section(value)}
    parts = ["\n".join(_lines(plain))] if plain else []
    for key, value in document.items():
        if not _is_section(value):
            continue
        if isinstance(value, Mapping):
            nested = all(isinstance(inner, Mapping) for inner in value.values())
            tables = {f"{_key(key)}.{_key(name)}": inner for name, inner in value.items()}
            for heading, table in (tables if nested else {_key(key): value}).items():
                parts.append("\n".join([f"[{heading}]", *_lines(table)]))
        else:
            parts += ["\n".join([f"[[{_key(key)}]]", *_lines(table)]) for table in value]
    return "\n\n".join(parts) + "\n"


def _is_section(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(_lines(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    # The escapes of JSON are escapes of TOML. TOML forbids one more character to stand for itself,
    # and half a surrogate pair.
    readable = text.encode(errors="replace").decode()
    return json.dumps(readable, ensure_ascii=False).replace("\x7f", "\\u007f")
