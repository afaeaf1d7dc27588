"""Maggy's optimizers: settings of this package's own, and the base of those that users write."""

from __future__ import annotations

import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hopsml_flows.errors import InvalidArgumentError, UnsupportedOperationError
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.maggy.trial import Trial
from hopsml_flows.values.arguments import whole_number

__all__ = [
    "AbstractOptimizer",
    "Asha",
    "GridSearch",
    "RandomSearch",
    "SingleRun",
    "Suggestion",
    "known_name",
    "made_optimizer",
]

_logger = logging.getLogger("hopsml_flows.optimizer")

Suggestion = Trial | Literal["IDLE"] | None


class AbstractOptimizer(ABC):
    """The base of optimizers that are written for Maggy.

    A subclass writes :meth:`initialize`, :meth:`get_suggestion` and :meth:`finalize_experiment`.
    Its constructor need not call this one: before :meth:`initialize`, an experiment sets the
    attributes below. What it draws from ``random`` and ``numpy.random`` comes from the
    experiment's seed.

    Args:
        num_trials: Number of trials of the experiment.
        searchspace: The search space.
        trial_buffer: Trials that wait to be suggested.
        pruner: Must be None: there are no brackets of budgets yet.
        pruner_kwargs: Arguments of the pruner.

    Raises:
        UnsupportedOperationError: A pruner is given.

    Example:
        >>> class Halving(AbstractOptimizer):
        ...     def initialize(self):
        ...         self.rates = [0.5**n for n in range(self.num_trials)]
        ...
        ...     def get_suggestion(self, trial=None):
        ...         return Trial({"lr": self.rates.pop()}) if self.rates else None
        ...
        ...     def finalize_experiment(self, trials):
        ...         print(len(trials), "trials")
    """

    def __init__(
        self,
        num_trials: int | None = None,
        searchspace: Searchspace | None = None,
        trial_buffer: list[Trial] | None = None,
        *,
        pruner: str | None = None,
        pruner_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if pruner is not None or pruner_kwargs is not None:
            raise UnsupportedOperationError(
                f"pruner={pruner!r} of {type(self).__name__} is not supported: there are no "
                'brackets of budgets, such as Hyperband\'s; optimizer="asha" gives trials budgets'
            )
        self.num_trials: Any = num_trials
        self.searchspace: Any = searchspace
        self.trial_buffer: list[Trial] = [] if trial_buffer is None else trial_buffer
        self.trial_store: dict[str, Trial] = {}
        """Running trials by identifier."""
        self.final_store: list[Trial] = []
        """Finished trials, in the order in which they ended."""
        self.direction: str | None = None
        """"max" or "min"."""
        self.pruner = None

    @abstractmethod
    def initialize(self) -> None:
        """Prepare the search. Called once, before the first suggestion."""

    @abstractmethod
    def get_suggestion(self, trial: Trial | None = None) -> Suggestion:
        """Return the next trial.

        Args:
            trial: A trial that has just finished, each once; None if there is none.

        Returns:
            A new trial; "IDLE" to be asked again when another trial has ended; None to end the
            search.
        """

    @abstractmethod
    def finalize_experiment(self, trials: list[Trial]) -> None:
        """Clean up. Called when the search has ended.

        Args:
            trials: The finished trials.
        """

    def name(self) -> str:
        """Return the name of the class."""
        return type(self).__name__

    def create_trial(
        self,
        hparams: Mapping[str, Any],
        sample_type: str = "random",
        run_budget: float = 0,
        model_budget: float | None = None,
    ) -> Trial:
        """Return a trial with a note of how it was sampled.

        Args:
            hparams: Hyperparameter name to value.
            sample_type: "random", "random_forced", "model", "promoted" or "grid".
            run_budget: Also passed to the training function, as ``budget``, if it is above 0.
            model_budget: The budget of the model that it was sampled from.
        """
        info = {"run_budget": run_budget, "sample_type": sample_type}
        if model_budget is not None:
            info["model_budget"] = model_budget
        budget = {"budget": run_budget} if run_budget > 0 else {}
        return Trial({**hparams, **budget}, info_dict=info)

    def get_hparams_dict(self, trial_ids: str | Iterable[str] = "all") -> dict[str, dict[str, Any]]:
        """Return the hyperparameters of finished trials, by identifier.

        Args:
            trial_ids: One identifier or several, or "all".
        """
        return {trial.trial_id: trial.params for trial in self._finished(trial_ids)}

    def get_metrics_dict(self, trial_ids: str | Iterable[str] = "all") -> dict[str, float]:
        """Return the metrics of finished trials, by identifier, as losses: the smaller, the better.

        Args:
            trial_ids: One identifier or several, or "all".
        """
        sign = -1 if self.direction == "max" else 1
        return {
            trial.trial_id: sign * trial.final_metric
            for trial in self._finished(trial_ids)
            if trial.final_metric is not None
        }

    def hparams_exist(self, trial: Trial) -> bool:
        """Whether a running or finished trial has the hyperparameters of this one.

        Args:
            trial: The trial; a budget in it does not count.
        """
        names = self.searchspace.keys()

        def searched(other: Trial) -> dict[str, Any]:
            return {name: other.params[name] for name in names if name in other.params}

        others = [*self.final_store, *self.trial_store.values()]
        return searched(trial) in map(searched, others)

    def _finished(self, trial_ids: str | Iterable[str]) -> list[Trial]:
        wanted = {trial_ids} if isinstance(trial_ids, str) else set(trial_ids)
        return [t for t in self.final_store if trial_ids == "all" or t.trial_id in wanted]

    def _log(self, msg: object) -> None:
        """Log a line, to the logger ``hopsml_flows.optimizer``; subclasses of Maggy's call this."""
        _logger.debug("%s", msg)


class _Buffered(AbstractOptimizer):
    """Suggests the trials of its buffer, last one first."""

    def get_suggestion(self, trial: Trial | None = None) -> Suggestion:  # noqa: ARG002 - of Maggy's
        """Return the next trial, or None after the last.

        Args:
            trial: Not used.
        """
        return self.trial_buffer.pop() if self.trial_buffer else None

    def finalize_experiment(self, trials: list[Trial]) -> None:
        """Do nothing.

        Args:
            trials: Not used.
        """


class RandomSearch(_Buffered):
    """Random search. ``lagom`` runs this package's own in its place.

    Args:
        num_trials: Number of trials.
        searchspace: The search space.
        trial_buffer: Trials that wait to be suggested.
        pruner: Must be None.
        pruner_kwargs: Must be None.

    Example:
        >>> search = RandomSearch(5, Searchspace(lr=("DOUBLE", [0, 1])), [])
        >>> search.initialize()
        >>> len(search.trial_buffer)
        5
    """

    def initialize(self) -> None:
        """Draw all trials.

        Raises:
            UnsupportedOperationError: There is nothing continuous to draw.
        """
        continuous = {Searchspace.DOUBLE, Searchspace.INTEGER}
        if continuous.isdisjoint(self.searchspace.names().values()):
            raise UnsupportedOperationError(
                "Searchspace needs at least one continuous parameter, DOUBLE or INTEGER, for "
                "RandomSearch; GridSearch takes all others"
            )
        drawn = self.searchspace.get_random_parameter_values(self.num_trials)
        self.trial_buffer += [Trial(params) for params in drawn]


class GridSearch(_Buffered):
    """All configurations of DISCRETE and CATEGORICAL hyperparameters.

    ``lagom`` runs this package's own grid search in its place.

    Example:
        >>> space = Searchspace(units=("DISCRETE", [8, 16]), opt=("CATEGORICAL", ["sgd", "adam"]))
        >>> GridSearch.get_num_trials(space)
        4
    """

    @classmethod
    def get_num_trials(cls, searchspace: Searchspace) -> int:
        """Return the number of configurations.

        Args:
            searchspace: The search space.

        Raises:
            UnsupportedOperationError: It has a DOUBLE or an INTEGER.
        """
        return len(_grid(searchspace))

    def initialize(self) -> None:
        """Enumerate all trials.

        Raises:
            UnsupportedOperationError: The search space has a DOUBLE or an INTEGER.
        """
        self.trial_buffer += [Trial(params) for params in _grid(self.searchspace)]


class SingleRun(_Buffered):
    """Trains ``num_trials`` times without hyperparameters."""

    def initialize(self) -> None:
        """Make all trials."""
        self.trial_buffer += [Trial({}) for _ in range(self.num_trials)]


@dataclass(frozen=True)
class Asha:
    """Settings of asynchronous successive halving (ASHA), which ``lagom`` runs.

    Args:
        reduction_factor: The best 1 / ``reduction_factor`` of the trials at a budget are promoted;
            each budget is so many times the one before.
        resource_min: The first budget.
        resource_max: No budget is above this one.

    Raises:
        InvalidArgumentError: One is out of range.

    Example:
        >>> Asha(3, 1, 9)
        Asha(reduction_factor=3, resource_min=1, resource_max=9)
    """

    reduction_factor: int = 2
    resource_min: int = 1
    resource_max: int = 4

    def __post_init__(self) -> None:
        whole_number("reduction_factor", self.reduction_factor, least=2)
        least = whole_number("resource_min", self.resource_min, least=1)
        whole_number("resource_max", self.resource_max, least=least + 1)


def known_name(optimizer: object) -> str | None:
    """Return the name of an optimizer in whose place ``lagom`` runs this package's own.

    Args:
        optimizer: A name, an object, or None.

    Returns:
        Its name in small letters; None if the optimizer is the user's.

    Example:
        >>> known_name("RandomSearch"), known_name(GridSearch()), known_name(None)
        ('randomsearch', 'gridsearch', 'none')
    """
    if optimizer is None:
        return "none"
    if isinstance(optimizer, str):
        return optimizer.lower()
    return _NAMES.get(type(optimizer))


def made_optimizer(optimizer: Any) -> Any:
    """Return an optimizer of Maggy's, which is made if it is given as a class.

    Args:
        optimizer: An instance, or a class without arguments that it needs.

    Raises:
        InvalidArgumentError: The class needs arguments, or is abstract.
    """
    if not isinstance(optimizer, type):
        return optimizer
    try:
        return optimizer()
    except TypeError as error:
        raise InvalidArgumentError(
            "optimizer", optimizer, because=f"making one without arguments raised {error}"
        ) from error


_NAMES: Mapping[type, str] = {
    Asha: "asha",
    GridSearch: "gridsearch",
    RandomSearch: "randomsearch",
    SingleRun: "none",
}


def _grid(searchspace: Searchspace) -> list[dict[str, Any]]:
    listed = {Searchspace.DISCRETE, Searchspace.CATEGORICAL}
    if others := [name for name, kind in searchspace.names().items() if kind not in listed]:
        raise UnsupportedOperationError(
            "Searchspace can only contain discrete or categorical hyperparameters for GridSearch, "
            f"not {', '.join(others)}: write ('DISCRETE', [values])"
        )
    lists = [values for _, values in searchspace.values()]
    return [searchspace.list_to_dict(list(values)) for values in itertools.product(*lists)]
