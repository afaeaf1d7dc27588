"""Judges the configurations that the user wants to be evaluated first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.space import Float, SearchSpace
from hopsml_flows.values.plain import plain

__all__ = ["checked_points"]


def checked_points(
    space: SearchSpace, initial: Sequence[Mapping[str, Any]], *, most: int, limit: str
) -> list[dict[str, Any]]:
    """Return configurations to evaluate first, judged.

    Args:
        space: The space that they must be in.
        initial: The configurations.
        most: The most configurations.
        limit: The argument that sets this limit.

    Returns:
        The configurations, as the space has them.

    Raises:
        InvalidArgumentError: They are no list or too many, or one of them is not in the space.
    """
    if isinstance(initial, (str, bytes, Mapping)) or not isinstance(initial, Sequence):
        raise InvalidArgumentError("initial", initial, "must be a list of dicts")
    if len(initial) > most:
        raise InvalidArgumentError(
            "initial", f"{len(initial)} points", f"must be at most {limit}={most} points"
        )
    return [_point(space, f"initial[{i}]", point) for i, point in enumerate(initial)]


def _point(space: SearchSpace, argument: str, point: Any) -> dict[str, Any]:
    if not isinstance(point, Mapping) or set(point) != set(space):
        raise InvalidArgumentError(
            argument, point, f"must be a dict with exactly the names {', '.join(space)}"
        )
    checked: dict[str, Any] = {}
    for name, domain in space.items():
        value = plain(point[name])
        if value not in domain:
            raise InvalidArgumentError(f"{argument}[{name!r}]", value, f"must be inside {domain}")
        checked[name] = float(value) if isinstance(domain, Float) else value
    return checked
