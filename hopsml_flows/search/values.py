"""Python values out of the scalars that numerical libraries hand around."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

__all__ = ["is_jsonable", "plain"]


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
