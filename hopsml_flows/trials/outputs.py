"""Judging what a training function returned.

Pure: files named in the outputs are recognised elsewhere. A number becomes ``{"metric": number}``
as in HopsML; the metric must be a finite number, or the trial has failed. Nothing else fails a
trial that has its metric: of an output that JSON cannot hold the text is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.text import one_line, text_repr
from hopsml_flows.values.plain import is_finite, json_value, plain, single_number

__all__ = ["DEFAULT_KEY", "LOG", "checked_outputs", "output_tag"]

DEFAULT_KEY = "metric"
"""Key of a returned number, and the default optimization key."""

LOG = "log"
"""Key of the path of a trial's log, which the project adds to the outputs, as HopsML did."""

RESERVED = "_commit"
"""Key that ``.outputs.json`` keeps for the project's own bookkeeping."""

_MOST_WARNINGS = 10
_MOST_LEVELS = 20
"""So deep a value is searched for what JSON cannot hold; below, its text is kept as a whole."""

_LONGEST = 1000
"""Characters of the text that is kept of a value."""

Warn = Callable[[str], None]


def output_tag(name: str) -> str:
    """The curve of an output in TensorBoard, apart from curves of the user's own.

    Args:
        name: The output's name, such as the optimization key.
    """
    return f"outputs/{name}"


def checked_outputs(
    returned: object,
    *,
    key: str | None,
    required: bool,
    warn: Warn = lambda _: None,
    otherwise: float | None = None,
) -> tuple[dict[str, Any], float | None]:
    """Turn a return value into outputs and a metric.

    Args:
        returned: What the training function returned.
        key: The optimization key; None where none was named.
        required: Whether there must be a metric (a search needs one, a single run does not).
        warn: Gets a line for each output that JSON cannot hold.
        otherwise: The metric of a function that returned nothing, or a dict without one; None if
            there is none.

    Returns:
        The outputs as JSON values, in which a number may be one that is not finite; and the
        metric or None. A function that returned nothing has the output None, as in HopsML.

    Raises:
        InvalidOutputError: There is no usable metric; the message says what was expected.
    """
    value = plain(returned)
    if value is None and otherwise is not None:
        return {key or DEFAULT_KEY: otherwise}, otherwise
    if value is None and not required:
        return {DEFAULT_KEY: None}, None
    if isinstance(value, Mapping):
        return _of_mapping(value, key, required, warn, otherwise)
    number = single_number(value)
    if number is not None:
        return {DEFAULT_KEY: number}, _finite(key or DEFAULT_KEY, number)
    if not required:
        kept = _Kept()
        outputs = {DEFAULT_KEY: kept.image("the returned value", value)}
        kept.tell(warn)
        return outputs, None
    raise InvalidOutputError(
        f"the training function returned {_kind(value)}; it must return a number, or a dict with "
        f"the key {key or DEFAULT_KEY!r}"
    )


def _of_mapping(
    returned: Mapping[Any, Any],
    key: str | None,
    required: bool,
    warn: Warn,
    otherwise: float | None,
) -> tuple[dict[str, Any], float | None]:
    name = _metric_key(returned, key)
    number = None if name is None else single_number(returned[name])
    kept = _Kept()
    # A metric in an array of one element is that number also among the outputs.
    outputs = kept.mapping("outputs", returned if number is None else {**returned, name: number})
    if RESERVED in outputs:
        own = kept.free(RESERVED, outputs)
        outputs = {own if name == RESERVED else name: item for name, item in outputs.items()}
        kept.warnings.append(f"output {RESERVED!r} is kept as {own!r}: that name is reserved")
    kept.tell(warn)
    if number is not None:
        return outputs, _finite(str(name), number)
    if name is not None and (required or key is not None):
        raise InvalidOutputError(f"the metric {name!r} is {_kind(returned[name])}; {_A_NUMBER}")
    if otherwise is not None:
        return {**outputs, key or DEFAULT_KEY: otherwise}, otherwise
    if not required and key is None:
        return outputs, None
    raise InvalidOutputError(
        f"the returned dict lacks the optimization key {key or DEFAULT_KEY!r}; "
        f"it has {sorted(outputs)}"
    )


def _metric_key(returned: Mapping[Any, Any], key: str | None) -> Any:
    """The key of the metric in a returned dict, or None where there is none."""
    if key is not None and key in returned:
        return key
    # HopsML refused every one-key dict whose key was not the default; there is no doubt there.
    if key in (None, DEFAULT_KEY) and len(returned) == 1:
        (only,) = returned
        if isinstance(only, str) and single_number(returned[only]) is not None:
            return only
    return None


class _Kept:
    """Images of outputs, with text in place of what JSON cannot hold."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def tell(self, warn: Warn) -> None:
        """Say what was replaced."""
        for text in self.warnings[:_MOST_WARNINGS]:
            warn(text)
        if (more := len(self.warnings) - _MOST_WARNINGS) > 0:
            warn(f"{more} more values of the outputs cannot be held by JSON: their text is kept")

    def image(self, where: str, value: Any, levels: int = _MOST_LEVELS) -> Any:
        """The image of a value.

        Args:
            where: What to call it.
            value: Anything.
            levels: So deep it is searched.
        """
        try:
            return json_value(where, value, floats=True)
        except InvalidOutputError as error:
            reason = str(error)
        except Exception as error:  # the value's own conversion is a library's, or the user's
            reason = f"{where} is {_kind(value)}, which cannot be converted ({_said(error)})"
        if levels and isinstance(value, Mapping):
            return self.mapping(where, value, levels - 1)
        if levels and isinstance(value, (list, tuple)):
            return [
                self.image(f"{where}[{place}]", item, levels - 1)
                for place, item in enumerate(value)
            ]
        self.warnings.append(f"{reason}; its text is kept instead")
        return text_repr(value, _LONGEST)

    def mapping(
        self, where: str, value: Mapping[Any, Any], levels: int = _MOST_LEVELS
    ) -> dict[str, Any]:
        """The image of a dict; keys that JSON writes alike are told apart."""
        found: dict[str, Any] = {}
        for name, item in value.items():
            text = _key(name)
            inside = f"{where}[{text_repr(name, 80)}]"
            if text in found:
                text = self.free(text, found)
                self.warnings.append(f"{inside} is kept as {text!r}: two keys are written alike")
            found[text] = self.image(inside, item, levels)
        return found

    @staticmethod
    def free(name: str, taken: Mapping[str, Any]) -> str:
        """A name like another one that is not taken."""
        while name in taken:
            name += "_"
        return name


_A_NUMBER = "it must be a number"


def _key(name: Any) -> str:
    try:
        return str.__str__(name) if isinstance(name, str) else str(name)
    except Exception:  # the key's own code
        return text_repr(name, 80)


def _finite(key: str, value: float) -> float:
    if not is_finite(value):
        # An integer beyond all floats has many digits.
        text = json_value(key, value) if isinstance(value, float) else "beyond all floats"
        raise InvalidOutputError(f"the metric {key!r} is {text}; it must be a finite number")
    return float(value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {one_line(text_repr(value, 81))}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(text_repr(error, 200))}"
