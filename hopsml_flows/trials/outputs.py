"""Judging what a training function returned.

Pure: files named in the outputs are recognised elsewhere. A number becomes ``{"metric": number}``
as in HopsML; the metric must be a finite number, or the trial has failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.search.values import as_json, is_finite, json_value, plain

__all__ = ["DEFAULT_KEY", "checked_outputs", "json_value", "output_tag"]

DEFAULT_KEY = "metric"
"""Key of a returned number, and the default optimization key."""

RESERVED = "_commit"
"""Key that ``.outputs.json`` keeps for the project's own bookkeeping."""


def output_tag(name: str) -> str:
    """The curve of an output in TensorBoard, apart from curves of the user's own.

    Args:
        name: The output's name, such as the optimization key.
    """
    return f"outputs/{name}"


def checked_outputs(
    returned: object, *, key: str | None, required: bool
) -> tuple[dict[str, Any], float | None]:
    """Turn a return value into outputs and a metric.

    Args:
        returned: What the training function returned.
        key: The optimization key; None where none was named.
        required: Whether there must be a metric (a search needs one, a single run does not).

    Returns:
        The outputs as JSON values, in which a number may be one that is not finite; and the
        metric or None.

    Raises:
        InvalidOutputError: Nothing usable was returned; the message says what was expected.
    """
    value = plain(returned)
    if value is None and not required:
        return {}, None
    if isinstance(value, Mapping):
        outputs = json_value("outputs", value, floats=True)
        if RESERVED in outputs:
            raise InvalidOutputError(
                f"the key {RESERVED!r} is reserved; return it under another name"
            )
        return outputs, _metric_of(outputs, key, required=required)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {DEFAULT_KEY: value}, _finite(DEFAULT_KEY, value)
    if not required:
        return {DEFAULT_KEY: json_value("the returned value", value, floats=True)}, None
    raise InvalidOutputError(
        f"the training function returned {_kind(value)}; it must return a number, or a dict with "
        f"the key {key or DEFAULT_KEY!r}"
    )


def _metric_of(outputs: Mapping[str, Any], key: str | None, *, required: bool) -> float | None:
    if key is not None and key in outputs:
        return _finite(key, outputs[key])
    # HopsML refused every one-key dict whose key was not the default; there is no doubt there.
    if key in (None, DEFAULT_KEY) and len(outputs) == 1:
        (only,) = outputs.items()
        if isinstance(only[1], (int, float)) and not isinstance(only[1], bool):
            return _finite(*only)
    if not required and key is None:
        return None
    raise InvalidOutputError(
        f"the returned dict lacks the optimization key {key or DEFAULT_KEY!r}; "
        f"it has {sorted(outputs)}"
    )


def _finite(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidOutputError(f"the metric {key!r} is {_kind(value)}; it must be a number")
    if not is_finite(value):
        # An integer beyond all floats has many digits.
        text = as_json(value) if isinstance(value, float) else "beyond all floats"
        raise InvalidOutputError(f"the metric {key!r} is {text}; it must be a finite number")
    return float(value)


def _kind(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:80] + '…'}"
