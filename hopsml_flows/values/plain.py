"""Converts scalars of numerical libraries to Python values, and values to JSON.

A value's *image* is its form in JSON. It is strict (a number that is not finite is text) and
canonical (a set is a sorted list), so two processes write equal values alike. An image says less
than the value: a tuple and a list have one image. So no value is made from an image alone. A search
has its own values, and finds by an image which of them is meant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Real
from os import PathLike, fspath
from typing import Any

from hopsml_flows.errors import InvalidOutputError, InvalidSpaceError
from hopsml_flows.text import is_unicode, one_line, text_repr

__all__ = [
    "FILE_LEVELS",
    "IS_OBJECT",
    "NOT_FINITE",
    "WRITABLE",
    "check_name",
    "check_value",
    "class_name",
    "configuration_key",
    "image_key",
    "is_finite",
    "is_jsonable",
    "is_writable",
    "json_value",
    "lost_type",
    "plain",
    "single_number",
    "text_of",
    "typed_key",
    "with_floats",
    "without_floats",
]

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The numbers that JSON lacks, by the text that stands for each."""

WRITABLE = "text that UTF-8 can hold, without lone surrogates"
"""What text for the Prefect server must be, as the end of a sentence."""

_SCALARS = frozenset({type(None), bool, int, float, str})
_MOST_BITS = 14_000
"""Of a longer integer, Python may refuse to read the digits back."""

_MOST_LEVELS = 100
"""Not every reader of JSON reads deeper values back. A list may hold itself."""

FILE_LEVELS = 2 * _MOST_LEVELS
"""The limit for content of files, which nests the user's values."""


def plain(value: Any) -> Any:
    """Return the Python number in a NumPy, TensorFlow, PyTorch or JAX scalar.

    Args:
        value: Anything. All but zero-dimensional arrays are returned as they are, and so are
            masked ones.
    """
    if getattr(value, "ndim", None) != 0 or _is_masked(value):
        return value
    if not callable(getattr(value, "item", None)) and callable(getattr(value, "numpy", None)):
        value = value.numpy()  # a TensorFlow tensor has no item()
    item = getattr(value, "item", None)
    held = item() if callable(item) else value
    # NumPy's item() returns a long double as NumPy's own type.
    return float(held) if getattr(getattr(held, "dtype", None), "kind", "") == "f" else held


def single_number(value: Any) -> int | float | None:
    """Return the one number that a value is or holds, or None.

    Args:
        value: A number, a scalar or an array of one element of any numerical library. None is
            returned for a bool, for no or several numbers, and for a list of any length.
    """
    held = _held(value)
    if isinstance(held, bool):
        return None
    if isinstance(held, int):
        return int.__int__(held)
    if not isinstance(held, (Real, Decimal)):
        return None
    try:
        return float(held)
    except OverflowError:  # a fraction beyond all floats
        return None


def _held(value: Any) -> Any:
    """Return the element of an array or a tensor of one; anything else as it is."""
    try:
        held = plain(value)
        if isinstance(value, type) or isinstance(held, (str, Real)) or _is_masked(held):
            return held
        if not callable(getattr(held, "item", None)) and callable(getattr(held, "numpy", None)):
            held = held.numpy()  # TensorFlow's
        item = getattr(held, "item", None)
        return plain(item()) if callable(item) else held
    except Exception:  # several elements or none; each library raises its own error
        return value


def _is_masked(value: Any) -> bool:
    """Whether a value is a masked array of NumPy's with a missing value."""
    mask: Any = getattr(value, "mask", None)
    return getattr(mask, "dtype", None) is not None and bool(mask.any())


def is_jsonable(value: Any) -> bool:
    """Whether JSON can hold a hyperparameter's value, with arrays as lists and paths as text.

    Args:
        value: Anything.
    """
    try:
        json_value("value", value)
    except Exception:  # a library or the user wrote the value's conversion
        return False
    return True


def is_writable(value: Any) -> bool:
    """Whether UTF-8 can hold all texts in a value, as the Prefect server and TensorBoard need.

    Args:
        value: JSON values, or what :func:`is_jsonable` accepts.
    """
    return is_unicode(json.dumps(json_value("value", value), ensure_ascii=False))


def check_value(argument: str, value: Any) -> None:
    """Judge a value of a hyperparameter.

    Args:
        argument: Its name in an error.
        value: Anything.

    Raises:
        InvalidSpaceError: JSON or UTF-8 cannot hold it.
    """
    if not is_jsonable(value):
        raise InvalidSpaceError(argument, value, "must hold only values that JSON can represent")
    if not is_writable(value):
        raise InvalidSpaceError(argument, value, f"must hold {WRITABLE}")


def check_name(argument: str, name: object) -> None:
    """Judge the name of a hyperparameter.

    Args:
        argument: The argument that contains the name.
        name: Anything.

    Raises:
        InvalidSpaceError: It is no string, or UTF-8 cannot hold it.
    """
    if not isinstance(name, str):
        raise InvalidSpaceError(argument, name, "must name hyperparameters by strings")
    if not is_unicode(name):
        raise InvalidSpaceError(argument, name, f"must name hyperparameters by {WRITABLE}")


def json_value(
    where: str, value: object, *, floats: bool = False, levels: int = _MOST_LEVELS
) -> Any:
    """Return the image of a value: scalars and arrays unwrapped, paths as text, sets sorted.

    Numbers that are not finite, which JSON lacks, become "NaN", "Infinity" or "-Infinity".

    Args:
        where: The value's name in an error.
        value: Anything.
        floats: Whether numbers that are not finite stay as they are.
        levels: How deep it may be nested.

    Raises:
        InvalidOutputError: JSON cannot hold it.
    """
    return _image(where, value, floats, levels)


def _image(where: str, value: Any, floats: bool, levels: int) -> Any:
    value = plain(value)
    if levels == 0:
        raise InvalidOutputError(f"{where[:80]}… is nested too deep")
    if value is None or isinstance(value, (bool, int, float, str)):
        return _scalar(where, value, floats)
    if isinstance(value, PathLike):
        return str(fspath(value))
    if isinstance(value, Mapping):
        return _object(where, value, floats, levels)
    if isinstance(value, (list, tuple)):
        return [_image(f"{where}[{i}]", v, floats, levels - 1) for i, v in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return _sorted(_image(where, item, floats, levels - 1) for item in value)
    # Arrays, and tensors on any device. TensorFlow's have no tolist.
    for method in ("tolist", "numpy"):
        convert = getattr(value, method, None)
        if callable(convert) and not isinstance(value, type):
            return _image(where, convert(), floats, levels - 1)
    raise InvalidOutputError(
        f"{where} is {_kind(value)}; it must be a number, a string, a list, a dict, or the path of "
        "a file"
    )


def _scalar(where: str, value: Any, floats: bool) -> Any:
    """Return a scalar of a built-in type; of an enumeration's member, its value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__int__(value)
        if number.bit_length() > _MOST_BITS:
            raise InvalidOutputError(
                f"{where} is an integer of {number.bit_length()} bits; it must have at most "
                f"{_MOST_BITS}"
            )
        return number
    real = float.__float__(value)
    return real if floats or math.isfinite(real) else _text_of(real)


def _object(where: str, value: Mapping[Any, Any], floats: bool, levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in value.items():
        text = str.__str__(name) if isinstance(name, str) else str(name)
        if text in found:
            raise InvalidOutputError(
                f"{where} has two keys that JSON writes as {text!r}; their texts must differ"
            )
        found[text] = _image(f"{where}[{name!r}]", item, floats, levels - 1)
    return found


def _sorted(images: Iterable[Any]) -> list[Any]:
    """Return images in an order without hashes: numbers first, by size, then the rest."""

    def order(image: Any) -> tuple[int, Any, str]:
        number = isinstance(image, (int, float)) and is_finite(image)
        return (0, image, "") if number else (1, 0, image_key(image))

    return sorted(images, key=order)


def _text_of(number: float) -> str:
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def without_floats(value: Any) -> tuple[Any, list[list[str | int]]]:
    """Return JSON values with text for numbers that are not finite, and the paths to these.

    Args:
        value: JSON values, with numbers that are not finite among them.

    Returns:
        Strict JSON values, and paths: keys and places from the outside in.
    """
    paths: list[list[str | int]] = []

    def strict(inner: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(inner, float) and not math.isfinite(inner):
            paths.append(list(path))
            return _text_of(inner)
        if isinstance(inner, dict):
            return {name: strict(item, (*path, name)) for name, item in inner.items()}
        if isinstance(inner, list):
            return [strict(item, (*path, place)) for place, item in enumerate(inner)]
        return inner

    return strict(value, ()), paths


def with_floats(value: Any, paths: Iterable[Iterable[Any]]) -> Any:
    """Undo :func:`without_floats`.

    Args:
        value: The strict JSON values; they are changed in place.
        paths: The paths.

    Raises:
        ValueError: A path does not lead to the text of such a number.
    """
    for path in paths:
        *way, last = path
        holder = value
        for step in way:
            holder = _inside(holder, step)
        text = _inside(holder, last)
        if not isinstance(text, str) or text not in NOT_FINITE:
            raise ValueError(f"{text!r} is not NaN or an infinity")
        holder[last] = NOT_FINITE[text]
    return value


def _inside(holder: Any, step: Any) -> Any:
    if isinstance(holder, dict) and isinstance(step, str) and step in holder:
        return holder[step]
    if isinstance(holder, list) and type(step) is int and 0 <= step < len(holder):
        return holder[step]
    raise ValueError(f"there is no {step!r}")


def image_key(value: Any) -> str:
    """Return a text that values share only if their images are equal; True, 1 and 1.0 differ.

    Args:
        value: What :func:`is_jsonable` accepts, or its image.
    """
    return json.dumps(json_value("value", value), sort_keys=True)


def typed_key(value: Any) -> str:
    """Return a text that values share only if they and their types are equal, at all depths.

    Args:
        value: What :func:`is_jsonable` accepts.
    """
    return repr(_typed(value))


def _typed(value: Any) -> Any:
    """Return built-in scalars and lists that tell a value and its type."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, Mapping):
        return [name, sorted(([_typed(k), _typed(item)] for k, item in value.items()), key=repr)]
    if isinstance(value, (list, tuple)):
        return [name, [_typed(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return [name, sorted((_typed(item) for item in value), key=repr)]
    dtype = getattr(value, "dtype", None)
    return [name, *([] if dtype is None else [str(dtype)]), json_value("value", value, floats=True)]


def lost_type(value: Any) -> str | None:
    """Return the type that a value, or one in it, does not have any more in its image.

    Args:
        value: What :func:`is_jsonable` accepts.

    Returns:
        The type's name; None if only numbers that are not finite differ, and scalars of
        numerical libraries.

    Example:
        >>> lost_type([1, {"size": (2, 3)}]), lost_type({1: 2}), lost_type([None, "a", 0.5])
        ('tuple', 'int', None)
    """
    value = plain(value)
    kind = type(value)
    inner: Iterable[Any]
    if kind is dict:
        inner = [*value, *value.values()]
    elif kind is list:
        inner = value
    else:
        return None if kind in _SCALARS else kind.__name__
    strange = (type(key).__name__ for key in value if kind is dict and type(key) is not str)
    return next(strange, None) or next(filter(None, map(lost_type, inner)), None)


def text_of(value: Any) -> str:
    """Return a value as text for people, the same in every process.

    ``str`` writes a set in the order of its hashes, which differ between processes.

    Args:
        value: Anything.
    """
    return str(json_value("value", value) if is_jsonable(value) and _has_set(value) else value)


def _has_set(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_set(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_set(item) for item in value)
    return isinstance(value, (set, frozenset))


def configuration_key(params: Mapping[str, Any]) -> str:
    """Return a text that only equal configurations share; True, 1 and 1.0 differ.

    Args:
        params: Hyperparameter name to value, in the space's order.
    """
    return repr([(name, _typed(value)) for name, value in params.items()])


def is_finite(number: float) -> bool:
    """Whether a number is finite and fits in a float.

    Args:
        number: An int of any size, or a float.
    """
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _kind(value: object) -> str:
    return f"{type(value).__name__} {one_line(text_repr(value, 81))}"


IS_OBJECT = "is_object"
"""In what a record says of an optimizer or a rule: it was an object, and its class and settings do
not make it again."""


def class_name(value: object) -> str:
    """Return the import string of a class, or of an object's class.

    Args:
        value: The class or the object.

    Example:
        >>> import fractions
        >>> class_name(fractions.Fraction), class_name(fractions.Fraction(1))
        ('fractions:Fraction', 'fractions:Fraction')
    """
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}:{kind.__qualname__}"
