"""The configurations that Maggy's ``lagom`` takes as its second argument: values that are judged.

Those of both newer generations are here. Where their signatures differ, a class takes what either
takes. They compare by identity, since some of them hold arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from hopsml_flows.ablation.study import AblationStudy
from hopsml_flows.errors import (
    InvalidArgumentError,
    InvalidFunctionError,
    InvalidSpaceError,
    UnsupportedOperationError,
)
from hopsml_flows.maggy.early_stop_adapter import AbstractEarlyStop
from hopsml_flows.maggy.named_arguments import KEY_OF_1_1
from hopsml_flows.maggy.optimizers import AbstractOptimizer, Asha, known_name, made_optimizer
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.search import Direction
from hopsml_flows.trials.early_stop.base import EarlyStop
from hopsml_flows.values.arguments import whole_number

__all__ = [
    "EARLY_STOPS",
    "OPTIMIZERS",
    "AblationConfig",
    "BaseConfig",
    "HyperparameterOptConfig",
    "LagomConfig",
    "OptimizationConfig",
    "TfDistributedConfig",
    "TorchDistributedConfig",
    "checked_key",
]

OPTIMIZERS = ("randomsearch", "gridsearch", "asha", "tpe", "gp", "none")
"""Maggy's optimizers by name."""

EARLY_STOPS = ("median", "none")
"""Maggy's rules of early stopping by name."""


class LagomConfig:
    """The base of all configurations."""

    name: str
    description: str
    hb_interval: float


@dataclass(frozen=True, eq=False)
class BaseConfig(LagomConfig):
    """Trains once.

    Args:
        name: Name of the experiment.
        hb_interval: Has no effect: reports reach the driver as they come.
        description: Free text for the record.

    Raises:
        InvalidArgumentError: An argument is wrong.
    """

    name: str = "base"
    hb_interval: float = 1
    description: str = ""

    def __post_init__(self) -> None:
        _check_words(self)


@dataclass(frozen=True, eq=False)
class OptimizationConfig(LagomConfig):
    """Searches the best hyperparameters, which the training function gets by name.

    Args:
        num_trials: Number of trials. A grid search has as many as there are configurations.
        optimizer: "randomsearch", "gridsearch", "asha", "tpe", "gp" or "none", in any case; or
            Asha, or a subclass of AbstractOptimizer, as a class or an instance. None means "none".
        searchspace: The search space; None or an empty one with "none".
        optimization_key: Key of the metric in the returned dict.
        direction: "max" or "min".
        es_interval: Trials are judged at the steps that this number divides.
        es_min: More trials than this must have finished before one is stopped.
        es_policy: "median" or "none", in any case; or a subclass of AbstractEarlyStop, or an
            instance of one.
        name: Name of the experiment.
        description: Free text for the record.
        hb_interval: Has no effect: reports reach the driver as they come.

    Raises:
        InvalidArgumentError: An argument is wrong.

    Example:
        >>> space = Searchspace(lr=("DOUBLE", [0.001, 0.1]))
        >>> OptimizationConfig(4, "randomsearch", space, es_min=5).direction
        'max'
    """

    num_trials: int
    optimizer: str | AbstractOptimizer | Asha | type[AbstractOptimizer | Asha] | None
    searchspace: Searchspace | None
    optimization_key: str = "metric"
    direction: str = "max"
    es_interval: int = 1
    es_min: int = 10
    es_policy: Any = "median"
    name: str = "HPOptimization"
    description: str = ""
    hb_interval: float = 1

    def __post_init__(self) -> None:
        _check_words(self)
        whole_number("num_trials", self.num_trials, least=1)
        _check_space(self.optimizer, self.searchspace)
        Direction.parse(self.direction)
        checked_key(self.optimization_key)
        whole_number("es_interval", self.es_interval, least=1)
        whole_number("es_min", self.es_min, least=0)
        _check_early_stop(self.es_policy)


@dataclass(frozen=True, eq=False)
class HyperparameterOptConfig(OptimizationConfig):
    """Searches the best hyperparameters, which the training function gets as the dict ``hparams``.

    The function gets those of ``hparams``, ``model``, ``dataset`` and ``reporter`` that its
    signature names. If it returns a list, the first value is the metric. So it is of a dict that
    lacks "Metric", where that is the optimization key.

    Args:
        num_trials: Number of trials. A grid search has as many as there are configurations.
        optimizer: As of OptimizationConfig.
        searchspace: The search space.
        optimization_key: Key of the metric in the returned dict.
        direction: "max" or "min".
        es_interval: Trials are judged at the steps that this number divides.
        es_min: More trials than this must have finished before one is stopped.
        es_policy: As of OptimizationConfig.
        name: Name of the experiment.
        description: Free text for the record.
        hb_interval: Has no effect.
        model: What the function gets as ``model``, or as ``module``.
        dataset: What the function gets as ``dataset``. Two in a list are also ``train_set`` and
            ``test_set``.

    Raises:
        InvalidArgumentError: An argument is wrong.
    """

    optimization_key: str = KEY_OF_1_1
    model: Any = None
    dataset: Sequence[Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_dataset(self.dataset)


@dataclass(frozen=True, eq=False)
class AblationConfig(LagomConfig):
    """Leaves out one part of a model or of its data at a time, to see what each contributes.

    Args:
        ablation_study: What to leave out: an AblationStudy.
        ablator: "loco".
        direction: "max" or "min".
        name: Name of the experiment.
        description: Free text for the record.
        hb_interval: Has no effect.
        model: A class or a function that makes the base model, if the study has none.
        dataset: A list of datasets, which the function gets as ``dataset`` without the feature of
            its trial. Two are also ``train_set`` and ``test_set``.

    Raises:
        InvalidArgumentError: An argument is wrong.
    """

    ablation_study: AblationStudy
    ablator: Any = "loco"
    direction: str = "max"
    name: str = "ablationStudy"
    description: str = ""
    hb_interval: float = 1
    model: Any = None
    dataset: Sequence[Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_words(self)
        if not isinstance(self.ablation_study, AblationStudy):
            raise InvalidArgumentError(
                "ablation_study", self.ablation_study, "must be an AblationStudy"
            )
        if not isinstance(self.ablator, str) or self.ablator.lower() != "loco":
            raise InvalidArgumentError("ablator", self.ablator, 'must be "loco"')
        Direction.parse(self.direction)
        _check_dataset(self.dataset)


@dataclass(frozen=True, eq=False)
class TorchDistributedConfig(LagomConfig):
    """Trains a PyTorch module in several processes.

    The function gets those of ``module``, ``hparams``, ``train_set``, ``test_set``, ``dataset`` and
    ``reporter`` that its signature names.

    Args:
        module: A class or a function that makes the module, or a list of them.
        train_set: What the function gets as ``train_set``.
        test_set: What the function gets as ``test_set``.
        hparams: What the function gets as ``hparams``; None for an empty dict.
        backend: "torch".
        mixed_precision: Must be False.
        zero_lvl: Must be 0.
        deepspeed_config: Must be None.
        name: Name of the experiment.
        hb_interval: Has no effect.
        description: Free text for the record.
        dataset: What the function gets as ``dataset``, in place of the two sets.

    Raises:
        InvalidArgumentError: An argument is wrong.
        UnsupportedOperationError: It asks for DeepSpeed, ZeRO or mixed precision.
    """

    module: Any
    train_set: Any = field(default=None, repr=False)
    test_set: Any = field(default=None, repr=False)
    hparams: Mapping[str, Any] | None = None
    backend: str = "torch"
    mixed_precision: bool = False
    zero_lvl: int = 0
    deepspeed_config: Mapping[str, Any] | None = None
    name: str = "torchDist"
    hb_interval: float = 1
    description: str = ""
    dataset: Sequence[Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_words(self)
        modules = self.module if isinstance(self.module, (list, tuple)) else [self.module]
        if not modules or not all(map(callable, modules)):
            raise InvalidFunctionError(
                "module", self.module, "must be a class or a function that makes the module"
            )
        if self.backend not in ("torch", "deepspeed"):
            raise InvalidArgumentError("backend", self.backend, 'must be "torch"')
        if self.backend == "deepspeed" or self.deepspeed_config is not None:
            raise _unsupported("DeepSpeed", 'leave backend="torch" and deepspeed_config=None')
        if self.zero_lvl != 0:
            raise _unsupported(f"zero_lvl={self.zero_lvl!r}, ZeRO's sharding,", "write zero_lvl=0")
        if self.mixed_precision:
            raise _unsupported("mixed_precision=True", "use torch.autocast in the function")
        _check_hparams(self.hparams)
        _check_sets(self.dataset, self.train_set, self.test_set)


@dataclass(frozen=True, eq=False)
class TfDistributedConfig(LagomConfig):
    """Trains a Keras model in several processes.

    The function gets those of ``model``, ``hparams``, ``train_set``, ``test_set``, ``dataset`` and
    ``reporter`` that its signature names.

    Args:
        model: A class or a function that makes the model, or a list of them.
        train_set: What the function gets as ``train_set``.
        test_set: What the function gets as ``test_set``.
        process_data: If both sets are paths, it is called with them, in each process, and returns
            what the function gets.
        mixed_precision: Must be False.
        name: Name of the experiment.
        hb_interval: Has no effect.
        description: Free text for the record.
        hparams: What the function gets as ``hparams``; None for an empty dict.
        dataset: What the function gets as ``dataset``, in place of the two sets.

    Raises:
        InvalidArgumentError: An argument is wrong.
        UnsupportedOperationError: It asks for mixed precision.
    """

    model: Any = None
    train_set: Any = field(default=None, repr=False)
    test_set: Any = field(default=None, repr=False)
    process_data: Callable[[Any, Any], tuple[Any, Any]] | None = None
    mixed_precision: bool = False
    name: str = "tfDist"
    hb_interval: float = 1
    description: str = ""
    hparams: Mapping[str, Any] | None = None
    dataset: Sequence[Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_words(self)
        if self.process_data is not None and not callable(self.process_data):
            raise InvalidFunctionError("process_data", self.process_data, "must be a function")
        if self.mixed_precision:
            raise _unsupported(
                "mixed_precision=True",
                'call keras.mixed_precision.set_global_policy("mixed_float16") in the function',
            )
        _check_hparams(self.hparams)
        _check_sets(self.dataset, self.train_set, self.test_set)
        sets = (self.train_set, self.test_set)
        if self.process_data is None and all(isinstance(one, str) for one in sets):
            raise InvalidArgumentError(
                "process_data", None, f"must be a function that reads the paths {sets}"
            )


def _check_words(config: LagomConfig) -> None:
    if not isinstance(config.name, str) or not config.name.strip():
        raise InvalidArgumentError("name", config.name, "must be a string that is not empty")
    if not isinstance(config.description, str):
        raise InvalidArgumentError("description", config.description, "must be a string")


def checked_key(key: object) -> str:
    """Return an optimization key, judged.

    Args:
        key: The key.

    Raises:
        InvalidArgumentError: It is not a string, or empty.
    """
    if not isinstance(key, str) or not key:
        raise InvalidArgumentError("optimization_key", key, "must be a string that is not empty")
    return key


def _check_space(optimizer: object, searchspace: object) -> None:
    """Judge an optimizer, and the search space that is given with it."""
    if isinstance(optimizer, type) and issubclass(optimizer, (AbstractOptimizer, Asha)):
        optimizer = made_optimizer(optimizer)
    if optimizer is not None and not isinstance(optimizer, (str, AbstractOptimizer, Asha)):
        raise InvalidArgumentError(
            "optimizer", optimizer, f"must be {_one_of(OPTIMIZERS)}, or an AbstractOptimizer"
        )
    if isinstance(optimizer, str) and optimizer.lower() not in OPTIMIZERS:
        raise InvalidArgumentError(
            "optimizer", optimizer, f"must be {_one_of(OPTIMIZERS)}{_hint(optimizer, OPTIMIZERS)}"
        )
    if searchspace is not None and not isinstance(searchspace, Searchspace):
        raise InvalidSpaceError("searchspace", searchspace, "must be a Searchspace, or None")
    searched = searchspace is not None and len(searchspace) > 0
    name = known_name(optimizer)
    if name == "none":
        if searched:
            raise InvalidArgumentError(
                "optimizer", optimizer, f"must be one that searches {searchspace}"
            )
    elif name is not None and not searched:
        raise InvalidSpaceError(
            "searchspace", searchspace, f"must have hyperparameters for {optimizer!r}"
        )


def _check_early_stop(policy: object) -> None:
    rules = (AbstractEarlyStop, EarlyStop)
    is_rule = issubclass(policy, rules) if isinstance(policy, type) else isinstance(policy, rules)
    if not is_rule and not (isinstance(policy, str) and policy.lower() in EARLY_STOPS):
        raise InvalidArgumentError(
            "es_policy",
            policy,
            f"must be {_one_of(EARLY_STOPS)}, or an AbstractEarlyStop{_hint(policy, EARLY_STOPS)}",
        )


def _check_hparams(hparams: object) -> None:
    if hparams is not None and not isinstance(hparams, Mapping):
        raise InvalidArgumentError("hparams", hparams, "must be a dict, or None")


def _check_dataset(dataset: object) -> None:
    if dataset is not None and not isinstance(dataset, (list, tuple)):
        raise InvalidArgumentError("dataset", dataset, "must be a list of datasets, or None")


def _check_sets(dataset: object, *sets: object) -> None:
    _check_dataset(dataset)
    if dataset is not None and any(one is not None for one in sets):
        raise InvalidArgumentError(
            "dataset", dataset, because="it stands in place of train_set and test_set"
        )


def _unsupported(what: str, instead: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(f"{what} is not supported: {instead}")


def _one_of(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _hint(name: object, known: Sequence[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1) if isinstance(name, str) else []
    return f"; did you mean {close[0]}?" if close else ""
