"""Counts the parameters of a model. Pure.

Libraries are recognised by what their objects look like: none is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

__all__ = ["parameters_of"]

_FITTED = ("coef_", "intercept_", "coefs_", "intercepts_")
"""What scikit-learn's linear models and neural networks have learned."""


def parameters_of(model: Any) -> int | None:
    """Return how many parameters a model has.

    Args:
        model: A model of Keras 3 or tf-keras, a PyTorch module, or a linear model, a neural network
            or a pipeline of these of scikit-learn.

    Returns:
        None if it is not built or not fitted yet, or is a model of which nothing can be counted,
        such as a tree.

    Example:
        >>> parameters_of("no model") is None
        True
    """
    libraries = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    try:
        if libraries & {"keras", "tf_keras"}:
            return int(model.count_params()) if model.built else None
        if "torch" in libraries:
            return sum(int(one.numel()) for one in model.parameters())
        sizes = [_size(value) for value in _fitted(model)]
    except Exception:  # the library's code, or the user's: what is not built, or is lazy
        return None
    return sum(sizes) if sizes else None


def _fitted(model: Any) -> Iterator[Any]:
    if hasattr(model, "steps"):
        for _, step in model.steps:
            yield from _fitted(step)
        return
    for name in _FITTED:
        value = getattr(model, name, None)
        if value is not None:
            yield value


def _size(value: Any) -> int:
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    return math.prod(getattr(value, "shape", ()))
