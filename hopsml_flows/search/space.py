"""Search spaces: the values that each hyperparameter may take.

Pure: no I/O, no clock, and no randomness but the ``numpy.random.Generator`` passed in. Every
value that leaves this module is a Python int, float, str or bool, or another JSON value that the
user put into a ``Categorical``; never a NumPy scalar.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from hopsml_flows.errors import InvalidSpaceError
from hopsml_flows.search.entries import by_name, domain_arguments
from hopsml_flows.search.quoted_numbers import YAML, number_in, text_choice_complaint
from hopsml_flows.user_warnings import warn
from hopsml_flows.values.arguments import is_number, is_whole
from hopsml_flows.values.plain import (
    check_name,
    check_value,
    image_key,
    is_jsonable,
    json_value,
    plain,
    typed_key,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Categorical", "Domain", "Float", "Int", "SearchSpace", "Spanning"]

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Float:
    """A real interval ``[low, high]``.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Draw uniformly in the logarithm; needs ``low > 0``.

    Equal bounds fix the value: the parameter is passed, and not searched.

    Raises:
        InvalidSpaceError: Bounds are not finite numbers, are further apart than a float can hold,
            or are not positive with ``log``. Reversed bounds are sorted, with a warning.

    Example:
        >>> rate = Float(1e-4, 1e-1, log=True)
        >>> 0.01 in rate, 1.0 in rate
        (True, False)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        low, high = _ordered(_real("low", self.low), _real("high", self.high))
        if low == high and plain(self.low) != plain(self.high):
            raise InvalidSpaceError(
                "bounds", [self.low, self.high], "must differ as floats, or be equal to fix a value"
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if not math.isfinite(high - low):
            raise InvalidSpaceError("bounds", [low, high], "must be a finite distance apart")
        if self.log and self.low <= 0:
            raise InvalidSpaceError("low", self.low, "must be positive on a log scale")

    @property
    def cardinality(self) -> int | None:
        """Number of different values: 1 of a fixed one, None of a continuum."""
        return 1 if self.low == self.high else None

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value uniformly (in the logarithm, if ``log``)."""
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = float(rng.uniform(self.low, self.high))
        return min(max(value, self.low), self.high)

    def __contains__(self, value: object) -> bool:
        number = plain(value)
        return is_number(number) and self.low <= number <= self.high

    def describe(self) -> dict[str, Any]:
        """The domain as JSON values, for the record."""
        return {"type": "float", "low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True, slots=True)
class Int:
    """The integers from ``low`` to ``high``, both included.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Draw so that all octaves are equally likely; needs ``low >= 1``.

    Equal bounds fix the value: the parameter is passed, and not searched.

    Raises:
        InvalidSpaceError: Bounds are not integers of 64 bits, or not positive with ``log``.
            Reversed bounds are sorted, with a warning.

    Example:
        >>> Int(8, 64).cardinality
        57
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        low, high = _ordered(_integer("low", self.low), _integer("high", self.high))
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if self.log and self.low < 1:
            raise InvalidSpaceError("low", self.low, "must be at least 1 on a log scale")

    @property
    def cardinality(self) -> int | None:
        """Number of different values."""
        return self.high - self.low + 1

    def sample(self, rng: np.random.Generator) -> int:
        """Draw one value; all integers have equally wide cells on the scale."""
        if not self.log:
            return int(rng.integers(self.low, self.high, endpoint=True))
        # Cells [k - 1/2, k + 1/2) in the logarithm: the end points have whole cells too.
        value = math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
        return min(max(round(value), self.low), self.high)

    def __contains__(self, value: object) -> bool:
        number = plain(value)
        return is_whole(number) and self.low <= number <= self.high

    def describe(self) -> dict[str, Any]:
        """The domain as JSON values, for the record."""
        return {"type": "int", "low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of a list of values without order.

    Args:
        choices: Different values, of any type that JSON has; a single one is a fixed value.

    Raises:
        InvalidSpaceError: It is no list, has no values, has a value twice, or has one that JSON or
            UTF-8 cannot hold.

    Example:
        >>> Categorical(["relu", "tanh"]).index("tanh")
        1
    """

    choices: tuple[Any, ...]

    def __init__(self, choices: Sequence[Any]) -> None:
        if isinstance(choices, (str, bytes)) or not isinstance(choices, Sequence):
            raise InvalidSpaceError("choices", choices, "must be a list of values")
        values = tuple(plain(choice) for choice in choices)
        for value in values:
            check_value("choices", value)
        if not values:
            raise InvalidSpaceError("choices", choices, "must hold at least one value")
        # True == 1 == 1.0, but they are different choices.
        if len({typed_key(value) for value in values}) < len(values):
            raise InvalidSpaceError(
                "choices", choices, "must be different values (a single one fixes it)"
            )
        # A tuple and a list of the same values look alike in the record.
        if len({image_key(value) for value in values}) < len(values):
            raise InvalidSpaceError("choices", choices, "must be different values in JSON too")
        object.__setattr__(self, "choices", values)

    @property
    def cardinality(self) -> int | None:
        """Number of different values."""
        return len(self.choices)

    def sample(self, rng: np.random.Generator) -> Any:
        """Draw one value; all are equally likely."""
        return self.choices[int(rng.integers(len(self.choices)))]

    def __contains__(self, value: object) -> bool:
        return is_jsonable(value) and typed_key(value) in map(typed_key, self.choices)

    def index(self, value: object) -> int:
        """Return the position of a choice; True, 1 and 1.0 are different choices.

        Raises:
            ValueError: The value is none of the choices.
        """
        key = typed_key(value)
        for position, choice in enumerate(self.choices):
            if choice is value or typed_key(choice) == key:
                return position
        raise ValueError(f"{value!r} is not one of {self.choices!r}")

    def describe(self) -> dict[str, Any]:
        """The domain as JSON values, for the record."""
        return {"type": "categorical", "choices": list(self.choices)}


Domain = Float | Int | Categorical
"""The domain of one hyperparameter."""


@runtime_checkable
class Spanning(Protocol):
    """A space of another kind, which says what domains it has."""

    def __domains__(self) -> Mapping[str, Domain]:
        """Return each hyperparameter's domain, by name."""
        ...


class SearchSpace(Mapping[str, Domain]):
    """An ordered mapping from hyperparameter name to :data:`Domain`.

    Args:
        domains: Name to a domain, or to bounds as HopsML writes them: two ints are an inclusive
            integer range, two numbers with a float among them a real interval, a list of strings
            or booleans a choice. A list of one value, and equal bounds, fix the value. Forms and
            YAML give data: entries such as
            ``{"type": "float", "low": 0.001, "high": 1.0, "log": True}``, by name or as a list
            with a "name" in each. A space of another kind has a method ``__domains__`` that returns
            name to domain; Maggy's has.

    Raises:
        InvalidSpaceError: There are no hyperparameters, or a domain is none of these; the message
            names the hyperparameter.

    Example:
        >>> space = SearchSpace({"units": [8, 64], "activation": ["relu", "tanh"]})
        >>> space["units"]
        Int(low=8, high=64, log=False)
        >>> space.cardinality
        114
    """

    __slots__ = ("_domains",)

    def __init__(
        self,
        domains: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Spanning,
        *,
        argument: str = "boundary_dict",
    ) -> None:
        if isinstance(domains, Spanning):
            domains = domains.__domains__()
        if isinstance(domains, (list, tuple)):
            domains = by_name(argument, domains)
        if not isinstance(domains, Mapping):
            raise InvalidSpaceError(argument, domains, "must be a dict of name to bounds")
        if not domains:
            raise InvalidSpaceError(argument, domains, "must name at least one hyperparameter")
        self._domains: dict[str, Domain] = {}
        for name, bounds in domains.items():
            check_name(argument, name)
            self._domains[name] = _domain(f"{argument}[{name!r}]", bounds)

    def __getitem__(self, name: str) -> Domain:
        return self._domains[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._domains)

    def __len__(self) -> int:
        return len(self._domains)

    def __repr__(self) -> str:
        return f"SearchSpace({self._domains!r})"

    @property
    def cardinality(self) -> int | None:
        """Number of different configurations; None if one parameter is a continuum."""
        product = 1
        for domain in self._domains.values():
            if domain.cardinality is None:
                return None
            product *= domain.cardinality
        return product

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one configuration, each parameter independently."""
        return {name: domain.sample(rng) for name, domain in self._domains.items()}

    def restored(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a configuration that was read from JSON, with the space's own values.

        Args:
            params: Hyperparameter name to JSON value.

        Returns:
            None if it is not in the space.
        """
        if set(params) != set(self):
            return None
        found: dict[str, Any] = {}
        for name, domain in self.items():
            value = params[name]
            if isinstance(domain, Categorical):
                if not is_jsonable(value):
                    return None
                keys = [image_key(choice) for choice in domain.choices]
                key = image_key(value)
                if key not in keys:
                    return None
                value = domain.choices[keys.index(key)]
            elif value not in domain:
                return None
            # A float without a fraction may have been written as an integer.
            found[name] = float(value) if isinstance(domain, Float) else value
        return found

    def describe(self) -> dict[str, Any]:
        """The space as JSON values, for the record."""
        return {name: domain.describe() for name, domain in self._domains.items()}

    def entries(self) -> list[dict[str, Any]]:
        """The space as a list of entries, of JSON values only; a form shows each as fields."""
        described = self.describe()
        return [{"name": name, **json_value(name, domain)} for name, domain in described.items()]


def _domain(argument: str, bounds: object) -> Domain:
    if isinstance(bounds, (Float, Int, Categorical)):
        return bounds
    if isinstance(bounds, Mapping):
        kind, arguments = domain_arguments(argument, bounds)
        return _renamed(argument, lambda: _KINDS[kind](**arguments))
    tolist = getattr(bounds, "tolist", None)  # a NumPy array
    bounds = tolist() if callable(tolist) else bounds
    if isinstance(bounds, (str, bytes)) or not isinstance(bounds, Sequence):
        raise InvalidSpaceError(
            argument,
            bounds,
            "must be [low, high], a list of strings, Float, Int or Categorical; "
            "to fix a value, write a list of that one value",
        )
    values = [plain(value) for value in bounds]
    if all(isinstance(value, (str, bool)) for value in values) and values:
        return _renamed(argument, lambda: _texts(values))
    if not all(map(is_number, values)):
        raise InvalidSpaceError(
            argument, bounds, "must be two numbers [low, high], or a list of strings"
        )
    if len(values) not in (1, 2):
        raise InvalidSpaceError(
            argument,
            bounds,
            "must have exactly two bounds, [low, high], or one value to fix it "
            "(or be Categorical([…]))",
        )
    low, high = values[0], values[-1]
    if isinstance(low, int) and isinstance(high, int):
        return _renamed(argument, lambda: Int(low, high))
    return _renamed(argument, lambda: Float(low, high))


def _texts(values: list[Any]) -> Categorical:
    """Return a choice of texts; warn if all of them are numbers in quotes."""
    if (complaint := text_choice_complaint(values)) is not None:
        warn(complaint)
    return Categorical(values)


_catching = threading.Lock()


_KINDS: dict[str, type[Domain]] = {"float": Float, "int": Int, "categorical": Categorical}


def _renamed(argument: str, build: Any) -> Domain:
    """Build a domain; its errors and warnings name the hyperparameter, not the field."""
    # One thread at a time: each restores the filters of warnings that it found.
    with _catching, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            domain: Domain = build()
        except InvalidSpaceError as error:
            raise error.renamed(argument, InvalidSpaceError) from None
    for warning in caught:
        warn(f"{argument}: {warning.message}")
    return domain


def _real(argument: str, value: object) -> float:
    value = plain(value)
    if not is_number(value):
        raise InvalidSpaceError(argument, value, f"must be a number{_unquoted(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidSpaceError(argument, value, "must be finite")
    return number


def _integer(argument: str, value: object) -> int:
    value = plain(value)
    if not is_whole(value):
        raise InvalidSpaceError(argument, value, f"must be an integer{_unquoted(value)}")
    if not -(2**63) <= value < 2**63:  # what the generator can draw
        raise InvalidSpaceError(argument, value, "must fit in 64 bits")
    return value


def _unquoted(value: object) -> str:
    number = number_in(value)
    return "" if number is None else f", such as {number!r} without quotes {YAML}"


def _ordered(low: N, high: N) -> tuple[N, N]:
    if low > high:
        warn(f"reversed bounds [{low}, {high}] were sorted to [{high}, {low}]")
        return high, low
    return low, high
