"""Reads hyperparameters that are given as data, in run forms, YAML and JSON.

An entry is ``{"type": "float", "low": 0.001, "high": 1.0, "log": true}``, the same with "int", or
``{"type": "categorical", "choices": [...]}``. In a list of entries each has its "name". This module
judges the fields; the domains judge the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.errors import InvalidSpaceError

__all__ = ["TYPES", "by_name", "domain_arguments"]

TYPES = ("float", "int", "categorical")
"""The types of an entry."""

_NUMERIC = ("low", "high", "log")
_FIELDS = ("type", *_NUMERIC, "choices")


def by_name(argument: str, listed: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return a list of entries as a dict.

    Args:
        argument: What to call the list in an error.
        listed: Entries with names.

    Returns:
        Name to entry without name, in the list's order.

    Raises:
        InvalidSpaceError: An entry is no dict, has no name, or has the name of another.
    """
    found: dict[str, dict[str, Any]] = {}
    for position, entry in enumerate(listed):
        where = f"{argument}[{position}]"
        if not isinstance(entry, Mapping):
            raise InvalidSpaceError(where, entry, "must be an entry with name, type and bounds")
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidSpaceError(f"{where}.name", name, "must be a hyperparameter's name")
        if name in found:
            raise InvalidSpaceError(f"{where}.name", name, "must be the name of one entry only")
        found[name] = {key: value for key, value in entry.items() if key != "name"}
    return found


def domain_arguments(argument: str, entry: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the type of an entry without name, and the arguments of its domain.

    Fields of another type may be there if they are empty: forms send them.

    Args:
        argument: What to call the entry in an error.
        entry: The entry.

    Returns:
        One of :data:`TYPES`, and arguments of the domain's class.

    Raises:
        InvalidSpaceError: The type is unknown, or a field is missing or of another type.
    """
    kind = entry.get("type")
    if kind not in TYPES:
        raise InvalidSpaceError(f"{argument}.type", kind, f"must be one of {', '.join(TYPES)}")
    needed, other = (("choices",), _NUMERIC) if kind == "categorical" else (_NUMERIC, ("choices",))
    for name in entry:
        strange = name not in _FIELDS
        if strange or (name in other and entry[name] not in (None, False, [], ())):
            raise InvalidSpaceError(
                argument, dict(entry), f"must not have {name!r} where the type is {kind!r}"
            )
    arguments = {name: entry[name] for name in needed if entry.get(name) is not None}
    for name in needed:
        if name not in arguments and name != "log":
            raise InvalidSpaceError(argument, dict(entry), f"must have {name!r}")
    if not isinstance(arguments.get("log", False), bool):
        raise InvalidSpaceError(f"{argument}.log", arguments["log"], "must be true or false")
    return str(kind), arguments
