"""Reads a call of Maggy's ``lagom`` in any of its three styles, and says what it means.

- 0.x: arguments by name, ``lagom(train, searchspace=…, optimizer="randomsearch", num_trials=15)``;
- 1.0: a configuration, ``lagom(train, OptimizationConfig(…))``;
- 1.1: an optional configuration, ``lagom(train, HyperparameterOptConfig(…))``, and a training
  function with ``hparams``.

Arguments by name become a configuration, and each configuration a description. Nothing is started.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from hopsml_flows.errors import (
    InvalidArgumentError,
    InvalidFunctionError,
    InvalidSpaceError,
    UnknownArgumentError,
)
from hopsml_flows.execution.function import TrainingFunction
from hopsml_flows.execution.signature import (
    BUDGET,
    BUDGETS_ELSEWHERE,
    argument_order,
    check_names,
    takes_any_name,
)
from hopsml_flows.maggy.configs import (
    AblationConfig,
    BaseConfig,
    HyperparameterOptConfig,
    LagomConfig,
    OptimizationConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
    checked_key,
)
from hopsml_flows.maggy.descriptions import (
    AblationCall,
    DistributedCall,
    LagomCall,
    SearchCall,
    SingleCall,
)
from hopsml_flows.maggy.named_arguments import HPARAMS, KEY_OF_1_1, NamedArguments
from hopsml_flows.maggy.optimizers import (
    AbstractOptimizer,
    Asha,
    known_name,
    made_optimizer,
)
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.maggy.tensorflow_process import TensorFlowProcess
from hopsml_flows.maggy.torch_process import TorchProcess
from hopsml_flows.search import Direction
from hopsml_flows.user_warnings import warn

__all__ = ["described", "is_search"]

_TRAIN = ("train", "train_fn", "map_fun")
"""Names of the training function, in all releases."""

_SEARCH = (
    "searchspace",
    "optimizer",
    "num_trials",
    "es_policy",
    "es_interval",
    "es_min",
)
_STUDY = ("ablation_study", "ablator")
_BY_NAME = (
    "name",
    "description",
    "direction",
    "optimization_key",
    "hb_interval",
    "experiment_type",
    *_SEARCH,
    *_STUDY,
)

_FIRST_ORDER = (
    "searchspace",
    "optimizer",
    "direction",
    "num_trials",
    "name",
    "hb_interval",
    "es_policy",
    "es_interval",
    "es_min",
    "description",
)
"""Order of the arguments after the function up to 0.2, whose second one was the search space."""

_LATER_ORDER = (
    "name",
    "experiment_type",
    "searchspace",
    "optimizer",
    "direction",
    "num_trials",
    *_STUDY,
    "optimization_key",
    "hb_interval",
    "es_policy",
    "es_interval",
    "es_min",
    "description",
)
"""Their order up to 0.5."""

_OF_0_5 = "resource"
"""Argument of a trial's budget up to 0.5; later it is ``budget``."""

_BUDGETS_ELSEWHERE = {**BUDGETS_ELSEWHERE, _OF_0_5: BUDGETS_ELSEWHERE[BUDGET]}

_NO_NAME = "no-name"
"""Maggy's default name of an experiment."""

_A_CONFIG = (
    "must be an OptimizationConfig, HyperparameterOptConfig, AblationConfig, "
    "TorchDistributedConfig, TfDistributedConfig or BaseConfig"
)


def described(
    args: Sequence[Any], given: Mapping[str, Any], *, options: Collection[str] = ()
) -> LagomCall:
    """Say what a call means.

    Args:
        args: Its arguments by position.
        given: Its arguments by name.
        options: Names of further options that the verb takes, in all styles.

    Returns:
        A description, of the class for its kind of experiment.

    Raises:
        InvalidArgumentError: An argument is wrong, unknown, or of another style than the others.
        UnsupportedOperationError: It asks for something that does not exist here.

    Example:
        >>> def train(kernel, reporter):
        ...     return kernel
        >>> space = Searchspace(kernel=("INTEGER", [2, 8]))
        >>> call = described(
        ...     [train], {"searchspace": space, "optimizer": "randomsearch", "num_trials": 15}
        ... )
        >>> type(call).__name__, call.optimizer, call.num_trials, call.early_stop
        ('SearchCall', 'randomsearch', 15, 'median')
    """
    train, config, by_name, own = _sorted_arguments(args, given, options)
    if config is None:
        config = _configured(by_name)
        name = by_name.get("name")
    elif by_name:
        argument, value = next(iter(by_name.items()))
        raise InvalidArgumentError(
            argument,
            value,
            because="there is a config, too: give all of Maggy's arguments to it, or all by name",
        )
    else:
        name = config.name
    if config.hb_interval != 1:
        warn(
            f"hb_interval={config.hb_interval!r} of experiment.lagom has no effect: reports reach "
            "the driver as they come"
        )
    function = TrainingFunction(train)
    shared: dict[str, Any] = {
        "name": None if name == _NO_NAME else name,
        "description": config.description or None,
        "options": own,
    }
    match config:
        case OptimizationConfig():
            return _search(function, config, shared, _OF_0_5 if by_name else BUDGET)
        case AblationConfig():
            key = by_name.get("optimization_key", "metric")
            return _ablation(function, config, checked_key(key), shared)
        case TorchDistributedConfig() | TfDistributedConfig():
            return _distributed(function, config, shared)
        case BaseConfig():
            check_names(function.callable, (), argument="train")
            key = by_name.get("optimization_key")
            return SingleCall(train=function, optimization_key=key and checked_key(key), **shared)
    raise InvalidArgumentError("config", config, _A_CONFIG)


def is_search(args: Sequence[Any], given: Mapping[str, Any]) -> bool:
    """Whether a call of ``experiment.launch`` is one of Maggy 0.1, where ``lagom`` was called so.

    Args:
        args: Its arguments by position.
        given: Its arguments by name.

    Example:
        >>> is_search([], {"map_fun": print, "searchspace": Searchspace(), "num_trials": 15})
        True
        >>> is_search([], {"map_fun": print, "optimizer": "none", "num_trials": 3})
        True
    """
    if "searchspace" in given or any(isinstance(each, Searchspace) for each in args[1:2]):
        return True
    has_lists = len(args) > 1 or "args_dict" in given
    return not has_lists and any(name in given for name in ("optimizer", "num_trials"))


def _sorted_arguments(
    args: Sequence[Any], given: Mapping[str, Any], options: Collection[str]
) -> tuple[Any, LagomConfig | None, dict[str, Any], dict[str, Any]]:
    """Return the function, the configuration, Maggy's arguments by name, and the verb's options."""
    named = {**_by_position(args, given), **given}
    functions = [name for name in _TRAIN if name in named]
    if len(functions) != 1:
        raise InvalidFunctionError(
            "train", [named[name] for name in functions], "must be given, and once"
        )
    train = named.pop(functions[0])
    config = named.pop("config", None)
    if config is not None and not isinstance(config, LagomConfig):
        raise InvalidArgumentError("config", config, _A_CONFIG)
    by_name = {name: value for name, value in named.items() if name in _BY_NAME}
    own = {name: value for name, value in named.items() if name in options and name not in by_name}
    for name, value in named.items():
        if name not in by_name and name not in own:
            close = get_close_matches(name.lower(), [*_TRAIN, "config", *_BY_NAME, *options], n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UnknownArgumentError(
                name, value, because=f"experiment.lagom has no such argument{hint}"
            )
    return train, config, by_name, own


def _by_position(args: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    order: Sequence[str] = ("config",)
    match args[1:2]:
        case [Searchspace()]:
            order = _FIRST_ORDER
        case [str()]:
            order = _LATER_ORDER
    names = ("train", *order)
    if len(args) > len(names):
        raise InvalidArgumentError(
            "lagom", f"{len(args)} arguments", f"must have at most {len(names)} by position"
        )
    positional = dict(zip(names, args, strict=False))
    for name, value in positional.items():
        if name in given:
            raise InvalidArgumentError(name, value, because=f"there is another {name} by name")
    return positional


def _configured(by_name: Mapping[str, Any]) -> LagomConfig:
    """Return the configuration that arguments by name stand for."""
    kind = by_name.get("experiment_type", "optimization")
    if not isinstance(kind, str) or kind.lower() not in ("optimization", "ablation"):
        raise InvalidArgumentError("experiment_type", kind, 'must be "optimization" or "ablation"')
    is_ablation = kind.lower() == "ablation"
    for name in _SEARCH if is_ablation else _STUDY:
        if by_name.get(name) is not None:
            raise InvalidArgumentError(
                name, by_name[name], because=f'experiment_type="{kind.lower()}" has none'
            )
    words = {name: by_name[name] for name in ("description", "hb_interval") if name in by_name}
    if by_name.get("name") is not None:
        words["name"] = by_name["name"]
    if is_ablation:
        study: Any = by_name.get("ablation_study")
        return AblationConfig(
            study,
            by_name.get("ablator") or "loco",
            by_name.get("direction", "max"),
            **words,
        )
    rest = ("optimization_key", "direction", "es_policy", "es_interval", "es_min")
    optimizer, searchspace = by_name.get("optimizer"), by_name.get("searchspace")
    num_trials = by_name.get("num_trials", 1)
    if optimizer is None and searchspace is None and num_trials == 1:
        return BaseConfig(**words)
    return OptimizationConfig(
        num_trials,
        optimizer,
        searchspace,
        **{name: by_name[name] for name in rest if name in by_name},
        **words,
    )


def _search(
    function: TrainingFunction, config: OptimizationConfig, shared: Mapping[str, Any], budget: str
) -> SearchCall:
    optimizer, settings = _optimizer(config.optimizer)
    searchspace = Searchspace() if config.searchspace is None else config.searchspace
    if optimizer == "gridsearch":
        _check_grid(searchspace)
    policy = config.es_policy
    return SearchCall(
        train=_for_trials(function, config, searchspace, optimizer, budget),
        searchspace=searchspace,
        optimizer=optimizer,
        settings=settings,
        num_trials=config.num_trials,
        direction=Direction.parse(config.direction),
        optimization_key=config.optimization_key,
        early_stop=policy.lower() if isinstance(policy, str) else policy,
        es_min=config.es_min,
        es_interval=config.es_interval,
        **shared,
    )


def _for_trials(
    function: TrainingFunction,
    config: OptimizationConfig,
    searchspace: Searchspace,
    optimizer: str | AbstractOptimizer | type[AbstractOptimizer],
    usual: str,
) -> TrainingFunction:
    """Return the function as one that a trial calls with its hyperparameters by name."""
    names = searchspace.keys()
    budget = None
    if optimizer == "asha":
        budget = _budget_argument(function.callable, searchspace, usual)
    # Maggy's optimizers may add hyperparameters that are not in the space.
    open_ended = not isinstance(optimizer, str)
    takes_dict = HPARAMS in argument_order(function.callable) and HPARAMS not in names
    is_newest = isinstance(config, HyperparameterOptConfig)
    if not takes_dict and not is_newest and budget in (None, BUDGET):
        if not open_ended:
            given = () if budget is None else (budget,)
            check_names(
                function.callable,
                names,
                argument="searchspace",
                given=given,
                elsewhere=_BUDGETS_ELSEWHERE,
            )
        return function
    adapted = NamedArguments(
        function.callable,
        hyperparameters=None if open_ended else names,
        given={name: getattr(config, name, None) for name in ("model", "dataset")},
        budget=budget,
        key=config.optimization_key if is_newest else None,
    )
    if takes_dict or not open_ended:
        check_names(
            function.callable,
            adapted.arguments,
            argument="searchspace",
            elsewhere=_BUDGETS_ELSEWHERE,
        )
    return TrainingFunction(adapted)


def _optimizer(
    optimizer: Any,
) -> tuple[str | AbstractOptimizer | type[AbstractOptimizer], Mapping[str, int]]:
    """Return an optimizer's name, or what is given if it is the user's; and its settings."""
    made: Any = made_optimizer(optimizer)
    name = known_name(made)
    if name == "asha":
        return name, _budgets(made if isinstance(made, Asha) else Asha())
    return optimizer if name is None else name, {}


def _budgets(asha: Asha) -> dict[str, int]:
    """Return settings under the names that they have here."""
    return {
        "reduction_factor": asha.reduction_factor,
        "min_budget": asha.resource_min,
        "max_budget": asha.resource_max,
    }


def _check_grid(searchspace: Searchspace) -> None:
    for name, kind in searchspace.names().items():
        if kind in (Searchspace.DOUBLE, Searchspace.INTEGER):
            raise InvalidSpaceError(
                f"searchspace[{name!r}]",
                (kind, searchspace.get(name)),
                "must be DISCRETE or CATEGORICAL for a grid search",
            )


def _budget_argument(
    function: Callable[..., Any], searchspace: Searchspace, usual: str
) -> str | None:
    """Return the argument that a budget is passed as; None if there is none.

    A function that takes any argument gets it under the ``usual`` name of the call's style.
    """
    names = argument_order(function)
    for name in (BUDGET, _OF_0_5):
        if name in names and name not in searchspace:
            return name
    if takes_any_name(function) and usual not in searchspace:
        return usual
    return BUDGET if HPARAMS in names and BUDGET not in searchspace else None


def _ablation(
    function: TrainingFunction, config: AblationConfig, key: str, shared: Mapping[str, Any]
) -> AblationCall:
    return AblationCall(
        train=function,
        study=config.ablation_study,
        ablator=config.ablator.lower(),
        direction=Direction.parse(config.direction),
        optimization_key=key,
        given={"model": config.model, "dataset": config.dataset},
        **shared,
    )


def _distributed(
    function: TrainingFunction,
    config: TorchDistributedConfig | TfDistributedConfig,
    shared: Mapping[str, Any],
) -> DistributedCall:
    sets = {"train_set": config.train_set, "test_set": config.test_set, "dataset": config.dataset}
    shared_settings: dict[str, Any] = {
        "hyperparameters": (),
        "fixed": config.hparams,
        "key": KEY_OF_1_1,
    }
    adapted: NamedArguments
    if isinstance(config, TorchDistributedConfig):
        given = {**sets, "module": config.module}
        adapted = TorchProcess(function.callable, given=given, **shared_settings)
    else:
        adapted = TensorFlowProcess(
            function.callable,
            given={**sets, "model": config.model},
            process_data=config.process_data,
            **shared_settings,
        )
    check_names(function.callable, adapted.arguments, argument="train")
    return DistributedCall(
        train=TrainingFunction(adapted),
        framework="torch" if isinstance(config, TorchDistributedConfig) else "tensorflow",
        optimization_key=KEY_OF_1_1,
        **shared,
    )
