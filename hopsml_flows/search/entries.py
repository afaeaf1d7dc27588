"""Hyperparameters as data: what run forms, YAML and JSON say of one, and how it is read.

An entry is ``{"type": "float", "low": 0.001, "high": 1.0, "log": true}``, with "int" instead, or
``{"type": "categorical", "choices": [...]}``; in a list of them each has its "name". Here entries
are taken apart and put together; what the bounds may be is the domains' business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.errors import InvalidSpaceError

__all__ = ["TYPES", "by_name", "domain_arguments"]

TYPES = ("float", "int", "categorical")
"""What an entry may be."""

_NUMERIC = ("low", "high", "log")
_FIELDS = ("type", *_NUMERIC, "choices")


def by_name(argument: str, listed: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """A list of entries as a dict.

    Args:
        argument: What to call the list in an error.
        listed: Entries with names.

    Returns:
        Name to entry without name, in the list's order.

    Raises:
        InvalidSpaceError: An entry is no dict, has no name, or one that another has.
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
            raise InvalidSpaceError(f"{where}.name", name, "must not be there twice")
        found[name] = {key: value for key, value in entry.items() if key != "name"}
    return found


def domain_arguments(argument: str, entry: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Which domain an entry without name means, and the arguments that make it.

    Fields that belong to another type may be there, if they are empty: forms send them.

    Args:
        argument: What to call the entry in an error.
        entry: The entry.

    Returns:
        One of :data:`TYPES`, and arguments of the domain's class.

    Raises:
        InvalidSpaceError: The type is none, or a field is missing or of another type.
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
