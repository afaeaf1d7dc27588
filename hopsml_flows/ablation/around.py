"""From the winner of a search to an ablation of its hyperparameters. Pure.

Each hyperparameter that was searched is left out in turn: an arm gives it the value that it would
have without the search, and keeps all others. That value is the function's own default. Where
there is none, or one that JSON cannot hold, or the winner has just it, it is the middle of the
range:

- of numbers, the mean of the bounds; on a log scale the geometric mean; of integers rounded, down
  on a linear scale;
- of choices that are all numbers, the lower median, or if the winner has that, the next larger one;
- of other choices, which have no middle, the first one that the winner does not have.

A hyperparameter that was fixed, or whose winning value is also its default and the middle, has
nothing to be set back to, and no arm.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopsml_flows.ablation.components import FEATURE, LAYER
from hopsml_flows.errors import InvalidArgumentError, InvalidSpaceError
from hopsml_flows.search import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.text import value_text
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import image_key, is_jsonable

__all__ = ["Around", "SetBack", "around_winner"]

_LONGEST = 24
"""Most characters of a value in the name of an arm."""

_ARGUMENT = "around"


@dataclass(frozen=True, slots=True)
class SetBack:
    """An arm: the winner with one hyperparameter set back.

    Args:
        parameter: The hyperparameter.
        tuned: Its value of the winner.
        value: Its value in this arm.
        is_default: Whether that is the function's default; otherwise it is the middle of the range.
    """

    parameter: str
    tuned: Any
    value: Any
    is_default: bool

    @property
    def name(self) -> str:
        """The arm's name.

        Example:
            >>> SetBack("lr", 0.03, 0.1, is_default=True).name
            'lr=0.1 (default)'
        """
        source = "default" if self.is_default else "middle"
        return f"{self.parameter}={value_text(self.value, _LONGEST)} ({source})"


@dataclass(frozen=True, slots=True)
class Around:
    """The arms around a search's winner.

    Args:
        experiment: Identifier of the search.
        winner: The winner's hyperparameters: those of the base.
        arms: The arms, in the order of the search space.
        unchanged: Hyperparameters without an arm, because there is nothing to set them back to.
        budget: The winner's budget, which all arms get; None if the search gave none.
    """

    experiment: str
    winner: Mapping[str, Any]
    arms: tuple[SetBack, ...]
    unchanged: tuple[str, ...]
    budget: float | None = None

    def params(self, arm: SetBack | None = None) -> dict[str, Any]:
        """Return the hyperparameters of an arm.

        Args:
            arm: The arm; None for the base.
        """
        return {**self.winner, **({} if arm is None else {arm.parameter: arm.value})}


def around_winner(
    record: Mapping[str, Any],
    winner: Mapping[str, Any] | None,
    signature: inspect.Signature,
    *,
    function: str,
    budget: float | None = None,
) -> Around:
    """Return the arms that set the hyperparameters of a search's winner back, one by one.

    Args:
        record: The search's record, as JSON has it: ``id``, ``train`` and ``search_space``.
        winner: Hyperparameters of its best trial; None if it has none.
        signature: Signature of the function that is to be trained.
        function: Import string of that function.
        budget: The budget that the best trial had, or None.

    Raises:
        InvalidArgumentError: The search was of another function, has no winner or no search space,
            or no hyperparameter can be set back.

    Example:
        >>> def train(lr=0.1, units=32, activation="relu"):
        ...     return lr
        >>> search = {
        ...     "id": "digits-1",
        ...     "train": "digits:train",
        ...     "search_space": {
        ...         "lr": {"type": "float", "low": 0.0001, "high": 1.0, "log": True},
        ...         "units": {"type": "int", "low": 8, "high": 64, "log": False},
        ...         "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
        ...     },
        ... }
        >>> winner = {"lr": 0.03, "units": 32, "activation": "tanh"}
        >>> found = around_winner(
        ...     search, winner, inspect.signature(train), function="digits:train"
        ... )
        >>> [arm.name for arm in found.arms]
        ['lr=0.1 (default)', 'units=36 (middle)', 'activation=relu (default)']
        >>> found.params(found.arms[0])
        {'lr': 0.1, 'units': 32, 'activation': 'tanh'}
    """
    experiment = str(record.get("id", ""))
    of = str(record.get("train", ""))
    if not _same_function(of, function):
        raise InvalidArgumentError(
            _ARGUMENT, experiment, because=f"it is an experiment of {of}, not of {function}"
        )
    space = record.get("search_space") or {}
    if not space:
        raise InvalidArgumentError(_ARGUMENT, experiment, because="it searched no hyperparameters")
    if set(space) == {FEATURE, LAYER}:
        because = "it is an ablation study, which searched no hyperparameters"
        raise InvalidArgumentError(_ARGUMENT, experiment, because=because)
    if winner is None:
        raise InvalidArgumentError(
            _ARGUMENT, experiment, because="it has no best trial: none has a metric to compare"
        )
    _check_names(experiment, space, winner, signature)
    arms, unchanged = [], []
    for name, described in space.items():
        arm = _set_back(name, winner[name], _domain(experiment, name, described), signature)
        if arm is None:
            unchanged.append(name)
        else:
            arms.append(arm)
    if not arms:
        because = "each hyperparameter of its best trial has the only value that it can have"
        raise InvalidArgumentError(_ARGUMENT, experiment, because=because)
    return Around(experiment, dict(winner), tuple(arms), tuple(unchanged), budget)


def _same_function(one: str, other: str) -> bool:
    """Whether two import strings name one function; a script may be named from elsewhere."""

    def parts(text: str) -> tuple[str, str]:
        place, _, name = text.rpartition(":")
        last = place.replace("\\", "/").rpartition("/")[2]
        return last.removesuffix(".py").rpartition(".")[2], name

    return parts(one) == parts(other)


def _check_names(
    experiment: str,
    space: Mapping[str, Any],
    winner: Mapping[str, Any],
    signature: inspect.Signature,
) -> None:
    if missing := [name for name in space if name not in winner]:
        because = f"its best trial has no value of {', '.join(missing)}"
        raise InvalidArgumentError(_ARGUMENT, experiment, because=because)
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return
    if unknown := [name for name in winner if name not in signature.parameters]:
        because = f"the function has no argument {', '.join(unknown)} any more"
        raise InvalidArgumentError(_ARGUMENT, experiment, because=because)


def _domain(experiment: str, name: str, described: Any) -> Domain:
    """The domain that a record describes; a list of values, as of a grid, is a choice."""
    try:
        if isinstance(described, Mapping):
            return SearchSpace({name: described}, argument="search_space")[name]
        values = described if isinstance(described, Sequence) else [described]
        return Categorical(list({image_key(value): value for value in values}.values()))
    except InvalidSpaceError as error:
        because = f"the search space of its record cannot be read ({error})"
        raise InvalidArgumentError(_ARGUMENT, experiment, because=because) from error


def _set_back(
    name: str, tuned: Any, domain: Domain, signature: inspect.Signature
) -> SetBack | None:
    if domain.cardinality == 1:
        return None
    parameter = signature.parameters.get(name)
    if parameter is not None and parameter.default is not inspect.Parameter.empty:
        default = parameter.default
        if is_jsonable(default) and not _alike(default, tuned):
            return SetBack(name, tuned, default, is_default=True)
    middle = _middle(domain, tuned)
    return None if _alike(middle, tuned) else SetBack(name, tuned, middle, is_default=False)


def _alike(one: Any, other: Any) -> bool:
    if is_number(one) and is_number(other):
        return one == other
    if is_jsonable(one) and is_jsonable(other):
        return image_key(one) == image_key(other)
    return one is other


def _middle(domain: Domain, tuned: Any) -> Any:
    if isinstance(domain, Categorical):
        return _middle_choice(domain.choices, tuned)
    if domain.log:
        middle = math.sqrt(domain.low) * math.sqrt(domain.high)
    elif isinstance(domain, Int):
        middle = (domain.low + domain.high) // 2
    else:
        middle = domain.low / 2 + domain.high / 2
    number = middle if isinstance(domain, Float) else round(middle)
    return min(max(number, domain.low), domain.high)


def _middle_choice(choices: Sequence[Any], tuned: Any) -> Any:
    if all(map(is_number, choices)):
        ordered = sorted(choices)
        middle = (len(ordered) - 1) // 2
        return ordered[middle + 1] if _alike(ordered[middle], tuned) else ordered[middle]
    return next(choice for choice in choices if not _alike(choice, tuned))
