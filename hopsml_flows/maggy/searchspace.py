"""Maggy's search space, and the way from :class:`~hopsml_flows.search.SearchSpace` to it.

Its error messages contain, in parentheses, the words that programs and tests of Maggy look for.
Pure, but for the global generator of ``random``, from which Maggy's programs draw.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, InvalidBoundsError, InvalidSpaceError
from hopsml_flows.search import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.values.arguments import is_number, is_whole, whole_number
from hopsml_flows.values.plain import check_name, json_value, plain

__all__ = ["Searchspace", "from_space"]

_TYPES = ("DOUBLE", "INTEGER", "DISCRETE", "CATEGORICAL")


class Searchspace:
    """The values that each hyperparameter may take, as Maggy's programs write them.

    Each hyperparameter is an attribute with its list of values; so it cannot have the name of a
    method. :class:`~hopsml_flows.search.SearchSpace` and the verbs that search take it as bounds.

    Args:
        **hyperparameters: Name to ``(type, values)``. Types, in any case, are DOUBLE and INTEGER,
            with ``[low, high]`` as values, both included; and DISCRETE and CATEGORICAL, with a list
            of values.

    Raises:
        InvalidSpaceError: A name, a type or a list of values is wrong; the message names the
            hyperparameter.

    Example:
        >>> space = Searchspace(kernel=("INTEGER", [2, 8]))
        >>> space.add("dropout", ("double", [0.01, 0.99]))
        >>> space.kernel, space.names()
        ([2, 8], {'kernel': 'INTEGER', 'dropout': 'DOUBLE'})
        >>> SearchSpace(space)["kernel"]
        Int(low=2, high=8, log=False)
    """

    DOUBLE = "DOUBLE"
    INTEGER = "INTEGER"
    DISCRETE = "DISCRETE"
    CATEGORICAL = "CATEGORICAL"

    def __init__(self, /, **hyperparameters: tuple[str, Sequence[Any]]) -> None:
        self._types: dict[str, str] = {}
        self._lists: dict[str, list[Any]] = {}
        self._domains: dict[str, Domain] = {}
        for name, value in hyperparameters.items():
            self.add(name, value)

    def add(self, name: str, value: tuple[str, Sequence[Any]]) -> None:
        """Add a hyperparameter.

        Args:
            name: Its name.
            value: ``(type, values)``.

        Raises:
            InvalidSpaceError: One of them is wrong.
        """
        check_name("name", name)
        if hasattr(self, name):
            raise InvalidSpaceError(
                "name", name, "must be another one (Hyperparameter name is reserved)"
            )
        kind, values = _pair(name, value)
        self._domains[name] = _domain(name, kind, values)
        self._lists[name] = values
        self._types[name] = kind

    def names(self) -> dict[str, str]:
        """Return each hyperparameter's type, by name."""
        return dict(self._types)

    def keys(self) -> list[str]:
        """Return the names, in the order in which they were added."""
        return list(self._types)

    def values(self) -> list[tuple[str, list[Any]]]:
        """Return type and values of each hyperparameter, in the same order."""
        return list(self.to_dict().values())

    def items(self) -> list[dict[str, Any]]:
        """Return a dict with ``name``, ``type`` and ``values`` of each hyperparameter."""
        return list(self)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a hyperparameter's list of values.

        Args:
            name: Its name.
            default: What to return if there is none of that name.
        """
        return list(self._lists[name]) if name in self._lists else default

    def to_dict(self) -> dict[str, tuple[str, list[Any]]]:
        """Return ``(type, values)`` by name: the arguments that make this space again."""
        return {name: (kind, self.get(name)) for name, kind in self._types.items()}

    def json(self) -> str:
        """Return :meth:`to_dict` as JSON with sorted keys."""
        return json.dumps(json_value("searchspace", self.to_dict()), sort_keys=True)

    def get_random_parameter_values(self, num: int) -> list[dict[str, Any]]:
        """Draw configurations, from the global generator of ``random``, as Maggy does.

        Args:
            num: How many.

        Raises:
            InvalidArgumentError: ``num`` is no integer of at least 0.

        Example:
            >>> Searchspace(units=("DISCRETE", [8])).get_random_parameter_values(2)
            [{'units': 8}, {'units': 8}]
        """
        return [
            {name: _drawn(domain) for name, domain in self._domains.items()}
            for _ in range(whole_number("num", num, least=0))
        ]

    def transform(
        self, hparams: Mapping[str, Any] | Sequence[Any], normalize_categorical: bool = False
    ) -> list[float]:
        """Return a configuration as numbers, for algorithms that do arithmetic.

        Args:
            hparams: Name to value, or the values in the order of :meth:`keys`.
            normalize_categorical: Whether choices, too, become numbers from 0 to 1.

        Returns:
            In the order of :meth:`keys`: the place between the bounds, from 0 to 1, of a DOUBLE or
            an INTEGER; the position of the value in the list of others.

        Raises:
            InvalidArgumentError: It is no configuration of this space.

        Example:
            >>> space = Searchspace(rate=("DOUBLE", [0, 10]), opt=("CATEGORICAL", ["sgd", "adam"]))
            >>> space.transform([5, "adam"])
            [0.5, 1.0]
        """
        values = self.dict_to_list(hparams) if isinstance(hparams, Mapping) else list(hparams)
        self._check_length("hparams", values)
        return [
            _place(name, domain, value, normalize_categorical)
            for (name, domain), value in zip(self._domains.items(), values, strict=True)
        ]

    def inverse_transform(
        self, transformed: Sequence[float], normalize_categorical: bool = False
    ) -> list[Any]:
        """Return the configuration that :meth:`transform` made numbers of.

        Args:
            transformed: The numbers; those that are out of range count as the nearest in range.
            normalize_categorical: As for :meth:`transform`.

        Returns:
            The values, in the order of :meth:`keys`.

        Raises:
            InvalidArgumentError: They are not as many numbers as there are hyperparameters.

        Example:
            >>> space = Searchspace(rate=("DOUBLE", [0, 10]), opt=("CATEGORICAL", ["sgd", "adam"]))
            >>> space.inverse_transform([0.5, 1.0])
            [5.0, 'adam']
        """
        places = [plain(place) for place in transformed]
        self._check_length("transformed", places)
        for place in places:
            if not is_number(place) or place != place:  # NaN
                raise InvalidArgumentError("transformed", transformed, "must be numbers")
        return [
            _at(domain, place, normalize_categorical)
            for domain, place in zip(self._domains.values(), places, strict=True)
        ]

    def dict_to_list(self, hparams: Mapping[str, Any]) -> list[Any]:
        """Return the values of a configuration, in the order of :meth:`keys`.

        Args:
            hparams: Name to value; others than this space's are left out.

        Raises:
            InvalidArgumentError: It lacks a hyperparameter.
        """
        if missing := [name for name in self._types if name not in hparams]:
            raise InvalidArgumentError("hparams", hparams, f"must have {', '.join(missing)}")
        return [hparams[name] for name in self._types]

    def list_to_dict(self, hparams: Sequence[Any]) -> dict[str, Any]:
        """Return a configuration as name to value.

        Args:
            hparams: The values, in the order of :meth:`keys`.

        Raises:
            InvalidArgumentError: There are more or fewer than hyperparameters.
        """
        self._check_length("hparams", hparams)
        return dict(zip(self._types, hparams, strict=True))

    def __domains__(self) -> dict[str, Domain]:
        return dict(self._domains)

    def __getattr__(self, name: str) -> list[Any]:
        # Also while it is unpickled, without any attribute.
        lists: dict[str, list[Any]] = self.__dict__.get("_lists", {})
        if name not in lists:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return list(lists[name])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for name, kind in self._types.items():
            yield {"name": name, "type": kind, "values": self.get(name)}

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def __len__(self) -> int:
        return len(self._types)

    def __str__(self) -> str:
        return self.json()

    def __repr__(self) -> str:
        return f"Searchspace({', '.join(f'{n}={v!r}' for n, v in self.to_dict().items())})"

    def _check_length(self, argument: str, values: Sequence[Any]) -> None:
        if len(values) != len(self):
            names = ", ".join(self._types)
            raise InvalidArgumentError(argument, values, f"must have a value for each of {names}")


def from_space(space: SearchSpace) -> Searchspace:
    """Return a search space as Maggy's, for an optimizer that was written for Maggy.

    Maggy's has no logarithmic scale and no fixed numbers: the scale is lost, and a number that is
    fixed becomes the one value of a DISCRETE list.

    Args:
        space: The search space.

    Raises:
        InvalidSpaceError: A hyperparameter has the name of a method of Maggy's.

    Example:
        >>> from_space(SearchSpace({"lr": Float(1e-4, 1, log=True), "units": [8, 8]}))
        Searchspace(lr=('DOUBLE', [0.0001, 1.0]), units=('DISCRETE', [8]))
    """
    searchspace = Searchspace()
    for name, domain in space.items():
        match domain:
            case Categorical():
                searchspace.add(name, (Searchspace.CATEGORICAL, domain.choices))
            case Float() | Int() if domain.cardinality == 1:
                searchspace.add(name, (Searchspace.DISCRETE, [domain.low]))
            case Float():
                searchspace.add(name, (Searchspace.DOUBLE, [domain.low, domain.high]))
            case Int():
                searchspace.add(name, (Searchspace.INTEGER, [domain.low, domain.high]))
    return searchspace


def _pair(name: str, value: Any) -> tuple[str, list[Any]]:
    """Return the type in capitals, and the values as a list of Python values."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InvalidSpaceError(
            name, value, "must be (type, values) (Hyperparameter tuple has to be of length two)"
        )
    kind, values = value
    if not isinstance(kind, str) or kind.upper() not in _TYPES:
        known = f"{', '.join(_TYPES[:-1])} or {_TYPES[-1]}"
        raise InvalidSpaceError(
            name, kind, f"must have a known type (Hyperparameter type is not of type {known})"
        )
    tolist = getattr(values, "tolist", None)  # a NumPy array
    listed = tolist() if callable(tolist) else values
    if isinstance(listed, (str, bytes)) or not isinstance(listed, Sequence):
        raise InvalidSpaceError(name, values, "must have a list of values")
    if not listed:
        raise InvalidSpaceError(
            name, values, "must have values (Hyperparameter feasible region list cannot be empty)"
        )
    return kind.upper(), [plain(item) for item in listed]


def _domain(name: str, kind: str, values: list[Any]) -> Domain:
    try:
        if kind in (Searchspace.DISCRETE, Searchspace.CATEGORICAL):
            return Categorical(values)
        low, high = _bounds(name, kind, values)
        return Int(low, high) if kind == Searchspace.INTEGER else Float(low, high)
    except InvalidBoundsError:
        raise
    except InvalidSpaceError as error:
        raise error.renamed(name) from None


def _bounds(name: str, kind: str, values: list[Any]) -> tuple[Any, Any]:
    if len(values) != 2:
        raise InvalidBoundsError(
            name, values, "must be [low, high] (For DOUBLE or INTEGER there are two bounds)"
        )
    if kind == Searchspace.INTEGER and not all(map(is_whole, values)):
        raise InvalidSpaceError(
            name, values, "must be whole (bounds of type INTEGER need to be integer: 2)"
        )
    if not all(map(is_number, values)):
        raise InvalidSpaceError(
            name, values, "must be numbers (bounds of type DOUBLE need to be integer or float: 0.5)"
        )
    low, high = values
    if not low < high:
        raise InvalidBoundsError(
            name, values, "must be [low, high] (Lower bound has to be less than upper bound)"
        )
    return low, high


def _drawn(domain: Domain) -> Any:
    match domain:
        case Categorical():
            return random.choice(domain.choices)
        case Int():
            return random.randint(domain.low, domain.high)
        case Float():
            return min(max(random.uniform(domain.low, domain.high), domain.low), domain.high)


def _place(name: str, domain: Domain, value: Any, normalized: bool) -> float:
    number: Any = plain(value)
    if number not in domain:
        raise InvalidArgumentError(f"hparams[{name!r}]", value, f"must be inside {domain}")
    place: float
    if isinstance(domain, Categorical):
        place = domain.index(number) / (_last(domain) if normalized else 1)
    else:
        place = (number - domain.low) / (domain.high - domain.low)
    return place


def _at(domain: Domain, place: float, normalized: bool) -> Any:
    match domain:
        case Categorical():
            position = place * (_last(domain) if normalized else 1)
            return domain.choices[round(min(max(position, 0), len(domain.choices) - 1))]
        case Int():
            whole = round(domain.low + _inside(place) * (domain.high - domain.low))
            return min(max(whole, domain.low), domain.high)
        case Float():
            value = domain.low + _inside(place) * (domain.high - domain.low)
            return min(max(value, domain.low), domain.high)


def _last(domain: Categorical) -> int:
    """The last position in the list of choices, but at least 1, to divide by."""
    return max(len(domain.choices) - 1, 1)


def _inside(place: float) -> float:
    return min(max(place, 0.0), 1.0)
