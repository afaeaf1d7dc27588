"""Searches with proposals that are known beforehand: a list, and a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hopsml_flows.errors import InvalidSpaceError
from hopsml_flows.search.base import BaseSearch, Proposal
from hopsml_flows.search.direction import Direction
from hopsml_flows.values.plain import check_name, check_value, plain

__all__ = ["GridSearch", "ListSearch", "value_lists", "zipped"]


class ListSearch(BaseSearch):
    """Evaluates given configurations in the given order.

    Args:
        configurations: Hyperparameter dicts.
        direction: Which way is better.
        budgets: The budget of each; None if there are none.

    Example:
        >>> [proposal.id for proposal in ListSearch([{"x": 1}, {"x": 4}]).ask()]
        [1, 2]
    """

    def __init__(
        self,
        configurations: Sequence[Mapping[str, Any]],
        *,
        direction: Direction | str = Direction.MAX,
        budgets: Sequence[float | None] | None = None,
    ) -> None:
        super().__init__(direction=direction)
        self._configurations = [dict(configuration) for configuration in configurations]
        self._budgets = budgets

    @property
    def total(self) -> int:
        """Number of configurations."""
        return len(self._configurations)

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Do nothing: the number of a proposal determines its parameters."""

    def _propose(self, number: int) -> dict[str, Any]:
        return dict(self._configurations[number - 1])

    def _described(self, proposal: Proposal) -> Proposal:
        if self._budgets is None:
            return proposal
        return replace(proposal, budget=self._budgets[proposal.id - 1])


class GridSearch(BaseSearch):
    """The cartesian product of value lists, in the dict's order, last key fastest.

    Configurations are computed from their number: a grid of millions costs no memory.

    Args:
        grid: Name to a non-empty list of values.
        direction: Which way is better.

    Raises:
        InvalidSpaceError: An empty grid, an empty list, or something that is not a list.

    Example:
        >>> search = GridSearch({"units": [8, 16], "activation": ["relu", "tanh"]})
        >>> [proposal.params for proposal in search.ask(2)]
        [{'units': 8, 'activation': 'relu'}, {'units': 8, 'activation': 'tanh'}]
    """

    def __init__(
        self, grid: Mapping[str, Sequence[Any]], *, direction: Direction | str = Direction.MAX
    ) -> None:
        super().__init__(direction=direction)
        self._grid = value_lists("grid_dict", grid)

    @property
    def grid(self) -> dict[str, list[Any]]:
        """Name to list of values, as Python values."""
        return {name: list(values) for name, values in self._grid.items()}

    @property
    def total(self) -> int:
        """Product of the lists' lengths."""
        return math.prod(len(values) for values in self._grid.values())

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Do nothing: the number of a proposal determines its parameters."""

    def _propose(self, number: int) -> dict[str, Any]:
        rest = number - 1
        params: dict[str, Any] = {}
        for name, values in reversed(self._grid.items()):
            rest, place = divmod(rest, len(values))
            params[name] = values[place]
        return {name: params[name] for name in self._grid}


def zipped(args_dict: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the configurations of ``launch``: the first values together, then the second ones.

    Args:
        args_dict: Name to a list of values, all of one length.

    Returns:
        One dict per position of the lists.

    Raises:
        InvalidSpaceError: Empty, not lists, or lists of unequal length.

    Example:
        >>> zipped({"lr": [0.1, 0.2], "units": [8, 16]})
        [{'lr': 0.1, 'units': 8}, {'lr': 0.2, 'units': 16}]
    """
    lists = value_lists("args_dict", args_dict)
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidSpaceError("args_dict", lengths, "must have lists of equal length")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def value_lists(argument: str, lists: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Return value lists as Python lists of Python values.

    Args:
        argument: Their name in an error.
        lists: Name to a list, tuple, range or array.

    Raises:
        InvalidSpaceError: Empty, not lists, or values that JSON cannot hold.

    Example:
        >>> value_lists("args_dict", {"units": range(8, 10)})
        {'units': [8, 9]}
    """
    if not isinstance(lists, Mapping):
        raise InvalidSpaceError(argument, lists, "must be a dict of name to list of values")
    if not lists:
        raise InvalidSpaceError(argument, lists, "must name at least one hyperparameter")
    checked: dict[str, list[Any]] = {}
    for name, values in lists.items():
        check_name(argument, name)
        tolist = getattr(values, "tolist", None)  # a NumPy array or a pandas column
        listed = tolist() if callable(tolist) else values
        if isinstance(listed, (range, tuple)):
            listed = list(listed)
        if not isinstance(listed, list):
            raise InvalidSpaceError(f"{argument}[{name!r}]", values, "must be a list of values")
        if not listed:
            raise InvalidSpaceError(f"{argument}[{name!r}]", values, "must not be empty")
        where = f"{argument}[{name!r}]"
        for value in listed:
            check_value(where, value)
        checked[name] = [plain(value) for value in listed]
    return checked
