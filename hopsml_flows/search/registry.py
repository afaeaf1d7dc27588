"""The optimizers by name, and how each is made from what an experiment knows. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, InvalidSpaceError, UnknownArgumentError
from hopsml_flows.search.asha import Asha
from hopsml_flows.search.base import Optimizer
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.enumeration import GridSearch, ListSearch
from hopsml_flows.search.evolution.asynchronous import AsynchronousEvolution
from hopsml_flows.search.evolution.differential_evolution import DifferentialEvolution
from hopsml_flows.search.optuna_samplers import OptunaSearch
from hopsml_flows.search.random import EndlessRandomSearch, RandomSearch
from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.values.arguments import whole_number
from hopsml_flows.values.copies import copied

__all__ = ["OPTIMIZERS", "gives_budgets", "make_search"]

_MOST_GRID_VALUES = 1_000_000
"""Of one hyperparameter; a grid holds the list."""

_OTHER_NAMES = {
    # Maggy's
    "randomsearch": "random",
    "gridsearch": "grid",
}
_MEANT = {
    "bayesian": "gp",
    "bo": "gp",
    "cma-es": "cmaes",
    "de": "evolution",
    "differential_evolution": "evolution",
    "hyperband": "asha",
    "successive_halving": "asha",
}
"""What users of other libraries may write."""


_CLASS = "must be a class of optimizers"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an experiment wants of a search; see :func:`make_search`."""

    space: SearchSpace | None
    num_trials: int | None
    workers: int
    direction: Direction
    seed: int | None
    initial: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]

    @property
    def needed_space(self) -> SearchSpace:
        """The space, which must be there."""
        if self.space is None:
            raise InvalidSpaceError("space", None, "must name at least one hyperparameter")
        return self.space

    def judge_settings(self, name: str, known: Sequence[str]) -> None:
        """Refuse settings that an optimizer does not have."""
        for setting, value in self.settings.items():
            if setting not in known:
                near = get_close_matches(setting, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise UnknownArgumentError(
                    setting, value, because=f"the optimizer {name!r} has no such setting{hint}"
                )

    def judge_total(self, name: str, total: int | None) -> None:
        """Refuse another number of trials than that of an optimizer that has its own."""
        if self.num_trials not in (None, total):
            own = "no number of trials" if total is None else f"{total} trials"
            raise InvalidArgumentError(
                "num_trials",
                self.num_trials,
                because=f"the optimizer {name!r} has {own} of its own",
            )

    def judge_initial(self, name: str) -> None:
        """Refuse first configurations for an optimizer that takes none."""
        if self.initial:
            raise InvalidArgumentError(
                "initial", self.initial, because=f"the optimizer {name!r} begins with its own"
            )


def make_search(
    optimizer: object,
    space: SearchSpace | None,
    *,
    num_trials: int | None = None,
    workers: int = 1,
    direction: Direction | str = Direction.MAX,
    seed: int | None = None,
    initial: Sequence[Mapping[str, Any]] = (),
    settings: Mapping[str, Any] | None = None,
) -> Optimizer:
    """Make a search for an experiment whose trials start whenever a worker is free.

    Args:
        optimizer: One of :data:`OPTIMIZERS`, in any case; a class, which is called with those of
            ``space``, ``num_trials`` (or ``samples``), ``workers``, ``direction``, ``seed`` and
            ``initial`` that its signature has, and with the settings; or an optimizer, which is
            copied: it may be given to several experiments, and each begins with what it knows now.
        space: The search space; None for "none", which proposes empty configurations.
        num_trials: Number of trials; None for no end, or for the optimizer's own number.
        workers: How many trials run at once.
        direction: Which way is better.
        seed: Seed of the search; None draws one.
        initial: Configurations to evaluate first.
        settings: More arguments of the optimizer, such as ``max_budget`` of "asha".

    Raises:
        InvalidArgumentError: There is no such optimizer, it has no such setting, it cannot have an
            argument's value, or it cannot be copied.
        InvalidSpaceError: The optimizer cannot search the space.
        MissingPackageError: The optimizer needs a package that is not installed.

    Example:
        >>> space = SearchSpace({"rate": [0.1, 0.9]})
        >>> search = make_search("asha", space, num_trials=40, settings={"max_budget": 27})
        >>> search.total
        40
    """
    wanted = _Wanted(
        space,
        None if num_trials is None else whole_number("num_trials", num_trials, least=1),
        whole_number("workers", workers, least=1),
        Direction.parse(direction),
        seed,
        initial,
        copied("optimizer", dict(settings or {})),
    )
    if num_trials is not None and isinstance(initial, Sequence) and len(initial) > num_trials:
        raise InvalidArgumentError(
            "initial", f"{len(initial)} points", f"must be at most num_trials={num_trials} points"
        )
    if isinstance(optimizer, str):
        return _named(optimizer, wanted)
    if isinstance(optimizer, type):
        return _of_class(optimizer, wanted)
    return _ready(optimizer, wanted)


def gives_budgets(search: Optimizer) -> bool:
    """Whether the trials of a search may get budgets. A search of the user's may.

    Args:
        search: The search.

    Example:
        >>> space = SearchSpace({"rate": [0.1, 0.9]})
        >>> gives_budgets(make_search("asha", space)), gives_budgets(make_search("random", space))
        (True, False)
    """
    return type(search) not in _WITHOUT_BUDGETS


def _named(optimizer: str, wanted: _Wanted) -> Optimizer:
    name = optimizer.lower()
    name = _OTHER_NAMES.get(name, name)
    if name not in _MAKERS:
        near = get_close_matches(name, [*_MAKERS, *_OTHER_NAMES], n=1)
        meant = _MEANT.get(name) or next(iter(near), None)
        hint = "" if meant is None else f"; did you mean {meant!r}?"
        names = ", ".join(map(repr, OPTIMIZERS))
        raise InvalidArgumentError(
            "optimizer", optimizer, because=f"there is no such one among {names}{hint}"
        )
    return _MAKERS[name](name, wanted)


def _of_class(kind: type, wanted: _Wanted) -> Optimizer:
    if kind in _NAMES:
        return _named(_NAMES[kind], wanted)
    try:
        parameters = inspect.signature(kind).parameters
    except ValueError:  # some classes that are written in C have none
        raise InvalidArgumentError("optimizer", kind, _CLASS) from None
    offered = {
        "space": wanted.space,
        "num_trials": wanted.num_trials,
        "samples": wanted.num_trials,
        "workers": wanted.workers,
        "direction": wanted.direction,
        "seed": wanted.seed,
        "initial": wanted.initial,
    }
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        wanted.judge_settings(kind.__name__, [name for name in parameters if name not in offered])
    if "initial" not in parameters:
        wanted.judge_initial(kind.__name__)
    given = {name: value for name, value in offered.items() if name in parameters}
    try:
        made = kind(**given, **wanted.settings)
    except TypeError as error:
        raise InvalidArgumentError("optimizer", kind, because=str(error)) from error
    if not isinstance(made, Optimizer):
        raise InvalidArgumentError("optimizer", kind, _CLASS)
    if not {"num_trials", "samples"} & set(given):
        wanted.judge_total(kind.__name__, made.total)
    return made


def _ready(optimizer: object, wanted: _Wanted) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        names = ", ".join(map(repr, OPTIMIZERS))
        raise InvalidArgumentError(
            "optimizer", optimizer, f"must be one of {names}, a class of optimizers or an optimizer"
        )
    name = type(optimizer).__name__
    wanted.judge_settings(name, ())
    wanted.judge_initial(name)
    wanted.judge_total(name, optimizer.total)
    way = getattr(optimizer, "direction", wanted.direction)
    if way != wanted.direction:
        raise InvalidArgumentError(
            "direction", wanted.direction, f"must be the optimizer's, {way.value!r}"
        )
    return copied("optimizer", optimizer)


def _evolution(name: str, wanted: _Wanted) -> Optimizer:
    wanted.judge_settings(name, ("population",))
    return AsynchronousEvolution(
        wanted.needed_space,
        num_trials=wanted.num_trials,
        workers=wanted.workers,
        direction=wanted.direction,
        initial=wanted.initial,
        seed=wanted.seed,
        **wanted.settings,
    )


def _random(name: str, wanted: _Wanted) -> Optimizer:
    wanted.judge_settings(name, ())
    given: dict[str, Any] = {
        "direction": wanted.direction,
        "initial": wanted.initial,
        "seed": wanted.seed,
    }
    if wanted.num_trials is None:
        return EndlessRandomSearch(wanted.needed_space, **given)
    return RandomSearch(wanted.needed_space, samples=wanted.num_trials, **given)


def _grid(name: str, wanted: _Wanted) -> Optimizer:
    wanted.judge_settings(name, ())
    wanted.judge_initial(name)
    lists = {key: _values(key, domain) for key, domain in wanted.needed_space.items()}
    search = GridSearch(lists, direction=wanted.direction)
    wanted.judge_total(name, search.total)
    return search


def _values(key: str, domain: Domain) -> list[Any]:
    """Return the values of a hyperparameter on a grid."""
    cells = domain.cardinality
    if cells is None or cells > _MOST_GRID_VALUES:
        raise InvalidSpaceError(
            f"space[{key!r}]", domain, "must be a list of values or a short range in a grid"
        )
    match domain:
        case Categorical():
            return list(domain.choices)
        case Int():
            return list(range(domain.low, domain.high + 1))
        case Float():
            return [domain.low]


def _none(name: str, wanted: _Wanted) -> Optimizer:
    wanted.judge_settings(name, ())
    wanted.judge_initial(name)
    if wanted.space is not None:
        raise InvalidSpaceError("space", wanted.space, "must be None with the optimizer 'none'")
    if wanted.num_trials is None:
        raise InvalidArgumentError("num_trials", None, "must be given with the optimizer 'none'")
    return ListSearch([{}] * wanted.num_trials, direction=wanted.direction)


def _asha(name: str, wanted: _Wanted) -> Optimizer:
    wanted.judge_settings(name, ("reduction_factor", "min_budget", "max_budget", "on_reports"))
    return Asha(
        wanted.needed_space,
        num_trials=wanted.num_trials,
        direction=wanted.direction,
        initial=wanted.initial,
        seed=wanted.seed,
        **wanted.settings,
    )


def _optuna(name: str, wanted: _Wanted) -> Optimizer:
    wanted.judge_settings(name, ())
    return OptunaSearch(
        wanted.needed_space,
        sampler=name,
        num_trials=wanted.num_trials,
        direction=wanted.direction,
        initial=wanted.initial,
        seed=wanted.seed,
    )


_MAKERS: dict[str, Callable[[str, _Wanted], Optimizer]] = {
    "evolution": _evolution,
    "random": _random,
    "grid": _grid,
    "none": _none,
    "asha": _asha,
    "tpe": _optuna,
    "gp": _optuna,
    "cmaes": _optuna,
}
_NAMES: dict[type, str] = {GridSearch: "grid", RandomSearch: "random"}
"""Classes that are not made from a space and ``num_trials``."""

_WITHOUT_BUDGETS = (
    AsynchronousEvolution,
    DifferentialEvolution,
    EndlessRandomSearch,
    GridSearch,
    ListSearch,
    OptunaSearch,
    RandomSearch,
)

OPTIMIZERS = tuple(_MAKERS)
"""Names of the optimizers; the first is the default."""
