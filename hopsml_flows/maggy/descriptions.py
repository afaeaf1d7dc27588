"""What a call of Maggy's ``lagom`` means, whichever of its styles it is written in: pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.ablation.study import AblationStudy
from hopsml_flows.execution.function import TrainingFunction
from hopsml_flows.maggy.early_stop_adapter import AbstractEarlyStop, AdaptedEarlyStop
from hopsml_flows.maggy.optimizers import AbstractOptimizer
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.search import Direction
from hopsml_flows.trials.early_stop.median import MedianStop

__all__ = [
    "AblationCall",
    "DistributedCall",
    "LagomCall",
    "SearchCall",
    "SingleCall",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LagomCall:
    """What all calls have. Each kind of experiment has a class.

    Args:
        train: The training function, as one that gets its hyperparameters by name. Where it is
            called in another way, it is wrapped in
            :class:`~hopsml_flows.maggy.named_arguments.NamedArguments`.
        name: Name of the experiment; None for the function's.
        description: Free text for the record, or None.
        options: Options of this package's verbs, as they were given.
    """

    train: TrainingFunction
    name: str | None
    description: str | None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SingleCall(LagomCall):
    """Train once, without hyperparameters.

    Args:
        optimization_key: Key of the metric, or None.
    """

    optimization_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchCall(LagomCall):
    """Search the best hyperparameters.

    Args:
        searchspace: The search space; empty if the function is only called ``num_trials`` times.
        optimizer: One of :data:`~hopsml_flows.maggy.configs.OPTIMIZERS`, or an optimizer of the
            user's, or its class.
        settings: Arguments of the named optimizer, as ``optimize`` takes them.
        num_trials: Number of trials. A grid search has as many as there are configurations.
        direction: Which way is better.
        optimization_key: Key of the metric.
        early_stop: One of :data:`~hopsml_flows.maggy.configs.EARLY_STOPS`, or a rule: an instance
            or a class of Maggy's AbstractEarlyStop or of
            :class:`~hopsml_flows.trials.early_stop.base.EarlyStop`.
        es_min: More trials than this must have finished before "median" or a rule of Maggy's stops
            one. Other rules have settings of their own.
        es_interval: They judge trials at the steps that this number divides.
    """

    searchspace: Searchspace
    optimizer: str | AbstractOptimizer | type[AbstractOptimizer]
    settings: Mapping[str, int]
    num_trials: int
    direction: Direction
    optimization_key: str
    early_stop: Any
    es_min: int
    es_interval: int

    @property
    def rule(self) -> Any:
        """The rule of early stopping, as ``early_stop_rule`` takes it."""
        if self.early_stop in ("median", MedianStop):
            return {"rule": "median", "min_finished": self.es_min, "interval": self.es_interval}
        match self.early_stop:
            case AbstractEarlyStop() as policy:
                return self._adapted(policy)
            case type() as policy if issubclass(policy, AbstractEarlyStop):
                return self._adapted(policy)
        return self.early_stop

    def _adapted(self, policy: AbstractEarlyStop | type[AbstractEarlyStop]) -> AdaptedEarlyStop:
        return AdaptedEarlyStop(
            policy, direction=self.direction, es_min=self.es_min, es_interval=self.es_interval
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AblationCall(LagomCall):
    """Leave out one part at a time.

    The function is the user's own: what it gets (``dataset_function``, ``model_function``) differs
    from trial to trial, and is up to the study.

    Args:
        study: What to leave out.
        ablator: "loco".
        direction: Which way is better.
        optimization_key: Key of the metric.
        given: What the configuration has as ``model`` and ``dataset``.
    """

    study: AblationStudy
    ablator: str
    direction: Direction
    optimization_key: str
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistributedCall(LagomCall):
    """Train one model in several processes, each of which calls the function without arguments.

    Args:
        framework: "torch" or "tensorflow".
        optimization_key: Key of the metric.
    """

    framework: str
    optimization_key: str
