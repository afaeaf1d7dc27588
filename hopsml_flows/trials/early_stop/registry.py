"""The rules by name, and the rule that a caller's argument means. Pure.

Import strings are resolved by the caller: importing runs code, which is not done here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.direction import Direction
from hopsml_flows.trials.early_stop.base import EarlyStop
from hopsml_flows.trials.early_stop.halving import HalvingStop
from hopsml_flows.trials.early_stop.median import MedianStop
from hopsml_flows.values.copies import copied
from hopsml_flows.values.plain import IS_OBJECT, json_value

__all__ = ["RULES", "early_stop_rule", "rule_settings"]

_NONE = "none"

RULES: Mapping[str, type[EarlyStop]] = {"median": MedianStop, "halving": HalvingStop}
"""The rules by the names that callers give; ``"none"`` stands for no rule."""

_ARGUMENT = "early_stop"


def early_stop_rule(
    value: object,
    *,
    direction: Direction | str,
    resolve: Callable[[str], object] | None = None,
) -> EarlyStop | None:
    """Return the rule that an argument ``early_stop`` means.

    Args:
        value: One of

            - None or ``"none"``: no rule,
            - ``"median"`` or ``"halving"``, in any case,
            - an import string of a class or an instance, such as ``"package.module:Class"``,
            - a class, which is called with ``direction`` if it has such an argument,
            - a rule, which is copied: it may be given to several experiments, and each begins with
              what it knows now,
            - a mapping with one of the above but an instance as ``"rule"``, and arguments, such as
              ``{"rule": "median", "min_finished": 5}``.
        direction: The experiment's direction.
        resolve: Returns what an import string names; None if there can be none.

    Returns:
        A rule of its own, or None.

    Raises:
        InvalidArgumentError: It means no rule, or one for the other direction, or the arguments are
            wrong. What ``resolve`` and the rule's constructor raise is passed on.

    Example:
        >>> early_stop_rule("median", direction="min")
        MedianStop(min_finished=10, interval=1, direction='MIN')
        >>> early_stop_rule({"rule": "halving", "reduction_factor": 4}, direction="max")
        HalvingStop(min_reports=1, reduction_factor=4, direction='MAX')
        >>> print(early_stop_rule("none", direction="max"))
        None
    """
    wanted = Direction.parse(direction)
    meant, arguments = _parts(value)
    if isinstance(meant, str):
        meant = _named(meant, resolve)
    if arguments and not inspect.isclass(meant):
        raise InvalidArgumentError(
            _ARGUMENT, value, f"must have a rule that takes arguments; {meant!r} does not"
        )
    if meant is None:
        return None
    # A class has the methods, too.
    if not isinstance(meant, EarlyStop):
        raise InvalidArgumentError(_ARGUMENT, value, "must be a rule: have judge() and end()")
    rule = _made(meant, arguments, wanted) if inspect.isclass(meant) else copied(_ARGUMENT, meant)
    own = getattr(rule, "direction", None)
    if isinstance(own, str) and own.upper() != wanted:
        raise InvalidArgumentError(
            _ARGUMENT, value, f"must have the experiment's direction, {str(wanted)!r}"
        )
    return rule


def rule_settings(rule: EarlyStop | None, named: object = None) -> dict[str, Any]:
    """Return what an experiment's record says of its rule: name and arguments, as JSON values.

    With them, :func:`early_stop_rule` makes the same rule again, unless they say ``is_object``: an
    object without ``settings`` was given, whose class alone does not make it.

    Args:
        rule: The rule, or None.
        named: What the rule was made of. If that is an import string of its class, or of a rule
            without settings, the record has it: the class of a file has no other one that other
            processes can import. Arguments in it stand for the settings of a rule that has none.

    Raises:
        InvalidOutputError: The rule has ``settings`` that JSON cannot hold.

    Example:
        >>> rule_settings(MedianStop(min_finished=5))
        {'rule': 'median', 'min_finished': 5, 'interval': 1}
        >>> rule_settings(None)
        {'rule': 'none'}
    """
    if rule is None:
        return {"rule": _NONE}
    kind = type(rule)
    names = {known: name for name, known in RULES.items()}
    name = names.get(kind, f"{kind.__module__}:{kind.__qualname__}")
    text, arguments = _parts(named)
    own = getattr(rule, "settings", None)
    is_whole = own is not None and not getattr(rule, IS_OBJECT, False)
    if isinstance(text, str) and ":" in text:
        if text.endswith(f":{kind.__qualname__}"):
            name = text
        elif not is_whole:
            return {"rule": text}
    settings = json_value(f"{kind.__name__}.settings", arguments if own is None else dict(own))
    is_object = not is_whole and text is not None and not isinstance(text, (str, type))
    return {"rule": name, **settings, **({IS_OBJECT: True} if is_object else {})}


def _parts(value: object) -> tuple[object, dict[str, Any]]:
    if not isinstance(value, Mapping):
        return value, {}
    if "rule" not in value:
        raise InvalidArgumentError(_ARGUMENT, value, "must name the rule as 'rule'")
    return value["rule"], {name: given for name, given in value.items() if name != "rule"}


def _named(text: str, resolve: Callable[[str], object] | None) -> object:
    name = text.strip().lower()
    if name == _NONE:
        return None
    if name in RULES:
        return RULES[name]
    if ":" in text and resolve is not None:
        return resolve(text)
    known = [_NONE, *RULES]
    close = get_close_matches(name, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise InvalidArgumentError(
        _ARGUMENT,
        text,
        f"must be {', '.join(map(repr, known))}, 'package.module:Class', 'path/file.py:Class', "
        f"a rule, or its class{hint}",
    )


def _made(kind: type[EarlyStop], arguments: Mapping[str, Any], direction: Direction) -> EarlyStop:
    signature = inspect.signature(kind)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    if "direction" in signature.parameters or takes_any:
        arguments = {"direction": direction, **arguments}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise InvalidArgumentError(
            _ARGUMENT, kind, because=f"{kind.__name__}{signature}: {error}"
        ) from None
    return kind(**arguments)
