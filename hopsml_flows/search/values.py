"""Python values out of the scalars that numerical libraries hand around."""

from __future__ import annotations

from typing import Any

__all__ = ["plain"]


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
    return item() if callable(item) else value
