"""Describes what a model takes: shapes and types of arrays, columns of frames. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, InvalidOutputError
from hopsml_flows.values.plain import json_value, plain

__all__ = ["input_signature"]


def input_signature(value: Any) -> Any:
    """Return a signature as JSON values.

    Args:
        value: JSON values, which are kept as they are; an example of the input: an array, a
            tensor or a data frame, of which shape and types are kept; a specification of a
            tensor; or a dict or list of these. None stays None.

    Raises:
        InvalidArgumentError: It has something else in it.

    Example:
        >>> import numpy as np
        >>> input_signature({"image": np.zeros((10, 8, 8), "float32")})
        {'image': {'shape': [None, 8, 8], 'dtype': 'float32'}}
    """
    try:
        return json_value("input_signature", _described(value))
    except InvalidOutputError as error:
        must = "must be an example of the input, or JSON values"
        raise InvalidArgumentError("input_signature", value, must) from error


def _described(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _described(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_described(item) for item in value]
    if hasattr(value, "dtypes") and hasattr(value, "columns"):  # a frame of pandas or polars
        kinds = zip(value.columns, value.dtypes, strict=True)
        return {"columns": {str(name): str(kind) for name, kind in kinds}}
    shape, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or kind is None or getattr(value, "ndim", None) == 0:
        return plain(value)
    sizes = [None if size is None else int(size) for size in shape]
    if sizes and hasattr(value, "__array__"):  # an example: it has any number of rows
        sizes[0] = None
    # PyTorch writes "torch.float32"; TensorFlow's types have a name.
    return {"shape": sizes, "dtype": str(getattr(kind, "name", kind)).removeprefix("torch.")}
