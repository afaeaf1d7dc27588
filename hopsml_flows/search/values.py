"""Python values out of the scalars that numerical libraries hand around."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

__all__ = ["as_json", "configuration_key", "is_finite", "is_jsonable", "plain"]


def plain(value: Any) -> Any:
    """A NumPy, TensorFlow, PyTorch or JAX scalar as the Python number it holds.

    Args:
        value: Anything; what is no zero-dimensional array comes back as it is.
    """
    if getattr(value, "ndim", None) != 0:
        return value
    if not callable(getattr(value, "item", None)) and callable(getattr(value, "numpy", None)):
        value = value.numpy()  # a TensorFlow tensor has no item()
    item = getattr(value, "item", None)
    held = item() if callable(item) else value
    # NumPy's long double is the one real number that stays NumPy's own.
    return float(held) if getattr(getattr(held, "dtype", None), "kind", "") == "f" else held


def is_jsonable(value: Any) -> bool:
    """Whether JSON can hold a hyperparameter's value, arrays and paths turned into lists and text.

    Args:
        value: Anything.
    """
    value = plain(value)
    if value is None or isinstance(value, (bool, int, float, str, PathLike)):
        return True
    if isinstance(value, Mapping):
        return all(is_jsonable(item) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_jsonable(item) for item in value)
    return any(callable(getattr(value, name, None)) for name in ("tolist", "numpy"))


def as_json(value: Any) -> Any:
    """A hyperparameter's value as it comes back from JSON: tuples as lists, paths as text.

    Args:
        value: What :func:`is_jsonable` accepts.
    """
    value = plain(value)
    if isinstance(value, PathLike):
        return str(fspath(value))
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(item) for item in value]
    for method in ("tolist", "numpy"):
        convert = getattr(value, method, None)
        if callable(convert):
            return as_json(convert())
    return value


def configuration_key(params: Mapping[str, Any]) -> str:
    """A text that two configurations share only if they are the same; True, 1 and 1.0 are not.

    Args:
        params: Hyperparameter name to value, in the space's order.
    """
    return repr(list(params.items()))


def is_finite(number: float) -> bool:
    """Whether a number is finite and fits in a float.

    Args:
        number: An int of any size, or a float.
    """
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
