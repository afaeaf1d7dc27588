"""Makes an optimizer of an experiment, also where it was written for Maggy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, UnknownArgumentError
from hopsml_flows.maggy.optimizer_adapter import AdaptedOptimizer
from hopsml_flows.maggy.optimizers import AbstractOptimizer, made_optimizer
from hopsml_flows.maggy.searchspace import Searchspace, from_space
from hopsml_flows.search import Direction, Optimizer, SearchSpace
from hopsml_flows.search.registry import make_search

__all__ = ["is_maggys", "make_optimizer"]


def make_optimizer(
    optimizer: object,
    space: SearchSpace | None,
    *,
    num_trials: int | None = None,
    direction: Direction | str = Direction.MAX,
    seed: int | None = None,
    initial: Sequence[Mapping[str, Any]] = (),
    settings: Mapping[str, Any] | None = None,
    searchspace: Searchspace | None = None,
) -> Optimizer:
    """Make an optimizer: as :func:`~hopsml_flows.search.make_search` does, or one of Maggy's.

    Args:
        optimizer: What ``make_search`` takes, or a subclass of :class:`AbstractOptimizer`, or an
            instance of one.
        space: The search space, or None.
        num_trials: Number of trials, or None.
        direction: Which way is better.
        seed: Seed of the search.
        initial: Configurations to evaluate first.
        settings: More arguments of the optimizer.
        searchspace: The space as an optimizer of Maggy's gets it; None makes it from ``space``.

    Raises:
        InvalidArgumentError: As of ``make_search``; or an optimizer of Maggy's cannot have an
            argument's value.

    Example:
        >>> from hopsml_flows.maggy.optimizers import SingleRun
        >>> search = make_optimizer(SingleRun, None, num_trials=2)
        >>> [proposal.params for proposal in search.ask()]
        [{}, {}]
    """
    if not is_maggys(optimizer):
        return make_search(
            optimizer,
            space,
            num_trials=num_trials,
            direction=direction,
            seed=seed,
            initial=initial,
            settings=settings,
        )
    own = made_optimizer(optimizer)
    name = type(own).__name__
    for setting, value in (settings or {}).items():
        raise UnknownArgumentError(
            setting, value, because=f"{name} gets none: give it to its constructor"
        )
    if initial:
        raise InvalidArgumentError(
            "initial", initial, because=f"the optimizer {name!r} begins with its own"
        )
    if num_trials is None:
        raise InvalidArgumentError("num_trials", None, f"must be given for {name}")
    if searchspace is None:
        searchspace = Searchspace() if space is None else from_space(space)
    return AdaptedOptimizer(own, searchspace, num_trials=num_trials, direction=direction, seed=seed)


def is_maggys(optimizer: object) -> bool:
    """Whether an optimizer is one that was written for Maggy.

    Args:
        optimizer: Anything: a name, an optimizer, a class.
    """
    if isinstance(optimizer, type):
        return issubclass(optimizer, AbstractOptimizer)
    return isinstance(optimizer, AbstractOptimizer)
