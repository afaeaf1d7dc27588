"""The search and the rule of early stopping that ``optimize`` is called with, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import BUDGET, imported
from hopsml_flows.maggy.any_optimizer import is_maggys, make_optimizer
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.search import Direction, Optimizer, SearchSpace
from hopsml_flows.search.registry import gives_budgets
from hopsml_flows.trials import EarlyStop
from hopsml_flows.trials.early_stop.registry import early_stop_rule, rule_settings
from hopsml_flows.values.arguments import seconds, whole_number
from hopsml_flows.values.plain import IS_OBJECT, class_name, json_value

__all__ = ["AsynchronousSearch"]

_SEEDS = 5
"""Most configurations of an earlier experiment that a search without a number of trials takes."""


@dataclass(frozen=True, slots=True)
class AsynchronousSearch:
    """A search whose trials run as workers become free.

    Args:
        space: What is searched; None if nothing is.
        direction: Which way is better.
        num_trials: Number of trials, or None.
        max_seconds: Seconds after which no further trial begins, or None.
        named: The optimizer as the caller named it: a name, an import string, an object.
        arguments: The optimizer's arguments.
        meant: The optimizer that the name means.
        early_stop: The rule, as the caller named it.
        initial: Configurations to evaluate first.
        searchspace: The space as the caller wrote it, if that is Maggy's.
    """

    space: SearchSpace | None
    direction: Direction
    num_trials: int | None
    max_seconds: float | None
    named: object
    arguments: Mapping[str, Any]
    meant: object
    early_stop: object
    initial: tuple[Mapping[str, Any], ...]
    searchspace: Searchspace | None

    @classmethod
    def checked(
        cls,
        space: object,
        direction: Direction,
        *,
        num_trials: object,
        max_seconds: object,
        optimizer: object,
        early_stop: object,
        initial: Sequence[Mapping[str, Any]],
    ) -> AsynchronousSearch:
        """Judge the arguments of a call.

        Raises:
            InvalidArgumentError: One is wrong; the message names it.
        """
        count = None if num_trials is None else whole_number("num_trials", num_trials, least=1)
        limit = None if max_seconds is None else seconds("max_seconds", max_seconds)
        named, arguments = _parts(optimizer)
        is_import_string = isinstance(named, str) and ":" in named
        meant = imported("optimizer", str(named)) if is_import_string else named
        search = cls(
            None if space is None else SearchSpace(cast("Any", space), argument="space"),
            direction,
            count,
            limit,
            named,
            arguments,
            meant,
            early_stop,
            tuple(initial),
            space if isinstance(space, Searchspace) else None,
        )
        made = search.make(0)
        if made.total is None and count is None and limit is None:
            raise InvalidArgumentError(
                "num_trials", num_trials, "must be given, or else max_seconds"
            )
        search.rule()
        return search

    def make(self, seed: int | None, first: Sequence[Mapping[str, Any]] = ()) -> Optimizer:
        """Make a new optimizer.

        Args:
            seed: Its seed.
            first: Configurations of an earlier experiment, to evaluate after ``initial``.
        """
        return make_optimizer(
            self.meant,
            self.space,
            num_trials=self.num_trials,
            direction=self.direction,
            seed=seed,
            initial=[*self.initial, *first],
            settings=self.arguments,
            searchspace=self.searchspace,
        )

    def rule(self) -> EarlyStop | None:
        """Make a new rule of early stopping; None for no rule."""
        resolve = partial(imported, "early_stop")
        return early_stop_rule(self.early_stop, direction=self.direction, resolve=resolve)

    @property
    def adds_hyperparameters(self) -> bool:
        """Whether trials may get other hyperparameters than those of the space: of Maggy's."""
        return is_maggys(self.meant)

    @property
    def given(self) -> tuple[str, ...]:
        """Arguments of the training function that are no hyperparameters."""
        return (BUDGET,) if gives_budgets(self.make(0)) else ()

    @property
    def _types(self) -> dict[str, Any]:
        """Maggy's space for an optimizer of Maggy's: it sees types that the verb's space lacks."""
        if self.searchspace is None or not self.adds_hyperparameters:
            return {}
        return {"searchspace": json_value("space", self.searchspace.to_dict())}

    def most_seeds(self, total: int | None) -> int:
        """Most configurations of an earlier experiment to begin with.

        Args:
            total: Number of trials, or None.
        """
        return _SEEDS if total is None else max(1, total // 4)

    @property
    def settings(self) -> dict[str, Any]:
        """The search as JSON values, for the record; ``hopsml replay`` makes it again of them.

        An optimizer or a rule that was an object has ``is_object`` where they do not suffice.
        """
        name = self.named
        is_object = not isinstance(name, (str, type))
        if not isinstance(name, str):
            name = class_name(name)
        return {
            "optimizer": {
                "optimizer": name,
                **json_value("optimizer", dict(self.arguments)),
                **({IS_OBJECT: True} if is_object else {}),
            },
            **self._types,
            "early_stop": rule_settings(self.rule(), self.early_stop),
            "num_trials": self.num_trials,
            "max_seconds": self.max_seconds,
            "initial": [json_value("initial", dict(point)) for point in self.initial],
        }


def _parts(optimizer: object) -> tuple[object, dict[str, Any]]:
    """The optimizer that a caller names, and its arguments."""
    if not isinstance(optimizer, Mapping):
        return optimizer, {}
    if "optimizer" not in optimizer:
        raise InvalidArgumentError(
            "optimizer", dict(optimizer), "must name the optimizer as 'optimizer'"
        )
    arguments = {name: value for name, value in optimizer.items() if name != "optimizer"}
    return optimizer["optimizer"], arguments
