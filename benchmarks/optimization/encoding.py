"""Parameters as numbers, for optimizers that know nothing but vectors."""

from __future__ import annotations

import math
from typing import Any

from hopsml_flows.search.space import Categorical, Domain, Int, SearchSpace


def from_unit(space: SearchSpace, vector: Any) -> dict[str, Any]:
    """A configuration from coordinates in [0, 1], logarithmic where the space says so.

    Integers and categories have cells of equal width (on their scale).
    """
    return {
        name: _from_unit(domain, float(u))
        for (name, domain), u in zip(space.items(), vector, strict=True)
    }


def _from_unit(domain: Domain, u: float) -> Any:
    if isinstance(domain, Categorical):
        return domain.choices[min(int(u * len(domain.choices)), len(domain.choices) - 1)]
    if isinstance(domain, Int):
        low, high = domain.low - 0.5, domain.high + 0.5
        value = round(low * (high / low) ** u if domain.log else low + u * (high - low))
    else:
        low, high = domain.low, domain.high
        value = low * (high / low) ** u if domain.log else low + u * (high - low)
    return min(max(value, domain.low), domain.high)


def integral_bounds(space: SearchSpace) -> tuple[list[tuple[float, float]], list[bool]]:
    """Bounds, and which numbers are integers: categories by their place in the list.

    Logarithmic parameters are reals in the logarithm, integers among them too: a step of one is
    not the same everywhere there.
    """
    bounds: list[tuple[float, float]] = []
    integral: list[bool] = []
    for domain in space.values():
        if isinstance(domain, Categorical):
            bounds.append((0, len(domain.choices) - 1))
        elif domain.log:
            half = 0.5 if isinstance(domain, Int) else 0.0
            bounds.append((math.log(domain.low - half), math.log(domain.high + half)))
        else:
            bounds.append((domain.low, domain.high))
        integral.append(
            isinstance(domain, Categorical) or (isinstance(domain, Int) and not domain.log)
        )
    return bounds, integral


def from_integral(space: SearchSpace, vector: Any) -> dict[str, Any]:
    """A configuration from numbers within :func:`integral_bounds`."""
    return {
        name: from_number(domain, float(x))
        for (name, domain), x in zip(space.items(), vector, strict=True)
    }


def from_number(domain: Domain, x: float) -> Any:
    """A value from a number within its bounds of :func:`integral_bounds`."""
    if isinstance(domain, Categorical):
        return domain.choices[round(x)]
    if domain.log:
        x = math.exp(x)
    value = round(x) if isinstance(domain, Int) else x
    return min(max(value, domain.low), domain.high)
