"""``experiment.lagom``: Maggy's verb, in all styles of its programs."""

from __future__ import annotations

from typing import Any, ParamSpec, TypeVar

from hopsml_flows.flows.ablation import ablation
from hopsml_flows.flows.distributed import distributed
from hopsml_flows.flows.experiment_flow import ExperimentFlow
from hopsml_flows.flows.launch import launch
from hopsml_flows.flows.mirrored import mirrored
from hopsml_flows.flows.optimize import optimize
from hopsml_flows.maggy.calls import described
from hopsml_flows.maggy.descriptions import (
    AblationCall,
    DistributedCall,
    LagomCall,
    SearchCall,
    SingleCall,
)
from hopsml_flows.maggy.lagom_result import (
    LagomAblationResult,
    LagomListResult,
    LagomResult,
    LagomTrainingResult,
)
from hopsml_flows.plan.options import TrainingOptions, WarmOptions, declared
from hopsml_flows.trials import ExperimentResult
from hopsml_flows.user_tracebacks import brief_in_ipython, install
from hopsml_flows.user_warnings import warn

__all__ = ["lagom", "launched", "verb_of"]

P = ParamSpec("P")
S = TypeVar("S", bound=ExperimentResult)

Result = LagomResult | LagomTrainingResult | LagomListResult
"""What ``lagom`` returns: of a search or an ablation study, or of a training with PyTorch or
TensorFlow."""

_OPTIONS = frozenset(
    {
        *declared(WarmOptions),
        *declared(TrainingOptions),
        *("initial", "local_logdir", "max_seconds", "num_workers"),
        *("adapt", "interactions", "repeats", "sequential"),
    }
)
"""Options of this package's verbs, which a call may have besides Maggy's arguments."""

_TYPE = "MAGGY"
"""HopsML's type of experiments that Maggy ran."""


def _flow(verb: ExperimentFlow[P, Any], name: str, returns: type[S]) -> ExperimentFlow[P, S]:
    return verb.as_verb("lagom", returns, home=(__name__, name), experiment_type=_TYPE)


_search = _flow(optimize, "_search", LagomResult)
_ablation = _flow(ablation, "_ablation", LagomAblationResult)
_single = _flow(launch, "_single", LagomResult)
_of_torch = _flow(distributed, "_of_torch", LagomTrainingResult)
_of_tensorflow = _flow(mirrored, "_of_tensorflow", LagomListResult)


def lagom(*args: Any, **given: Any) -> Result:
    """Run an experiment as Maggy's ``lagom`` does; see the page about porting from Maggy.

    The three styles of Maggy's releases are ``lagom(train, searchspace=…, optimizer=…, …)``,
    ``lagom(train, OptimizationConfig(…))`` and ``lagom(train, HyperparameterOptConfig(…))``.
    Options of :func:`hopsml_flows.experiment.optimize` can be given besides. New programs call
    that verb.

    Args:
        *args: The training function, and Maggy's arguments in the order of its releases.
        **given: Maggy's arguments by name, and options of this package's verbs.

    Returns:
        Maggy's dict, which also is this package's result; its list for a TfDistributedConfig.

    Raises:
        InvalidArgumentError: An argument is wrong; nothing was started or written.
        UnsupportedOperationError: It asks for what does not exist here.
        ExperimentFailedError: All trials failed.

    Example:
        >>> from hopsml_flows import Searchspace, experiment
        >>> def train(kernel, reporter):
        ...     reporter.broadcast(kernel / 8)
        ...     return kernel / 8
        >>> space = Searchspace(kernel=("INTEGER", [2, 8]))
        >>> def search():
        ...     return experiment.lagom(
        ...         train, searchspace=space, optimizer="randomsearch", num_trials=5, name="kernels"
        ...     )
    """
    install()
    with brief_in_ipython():
        flow, arguments = verb_of(described(args, given, options=_OPTIONS))
    result: Result = flow(**arguments)
    return result


def launched(*args: Any, **given: Any) -> Result:
    """Run what Maggy 0.1 calls ``experiment.launch``: :func:`lagom` with an interval in seconds.

    Args:
        *args: As of :func:`lagom`.
        **given: As of :func:`lagom`.
    """
    interval = given.pop("es_interval", None)
    if interval is not None:
        warn(
            f"es_interval={interval!r} of Maggy 0.1 is in seconds, and has no effect: trials are "
            "judged at each report. experiment.lagom takes a number of steps"
        )
    return lagom(*args, **given)


def verb_of(call: LagomCall) -> tuple[ExperimentFlow[Any, Any], dict[str, Any]]:
    """Return the flow that carries a call out, and its arguments.

    Args:
        call: What the call means.
    """
    shared = {
        "train": call.train,
        "name": call.name,
        "description": call.description,
        **call.options,
    }
    match call:
        case SearchCall():
            return _search, {**shared, **_searched(call)}
        case DistributedCall():
            flow = _of_torch if call.framework == "torch" else _of_tensorflow
            return flow, {**shared, "metric_key": call.optimization_key}
        case SingleCall():
            return _single, {**shared, "metric_key": call.optimization_key}
        case AblationCall():
            return _ablation, {"repeats": 1, **shared, **_left_out(call)}
    raise AssertionError(call)  # there is no other kind


def _left_out(call: AblationCall) -> dict[str, Any]:
    return {
        "study": call.study.configured(call.given),
        "direction": call.direction,
        "optimization_key": call.optimization_key,
    }


def _searched(call: SearchCall) -> dict[str, Any]:
    optimizer: Any = call.optimizer
    if isinstance(optimizer, str):
        optimizer = {"optimizer": optimizer, **call.settings}
    return {
        "space": call.searchspace if len(call.searchspace) else None,
        "direction": call.direction,
        "num_trials": None if call.optimizer == "gridsearch" else call.num_trials,
        "optimizer": optimizer,
        "early_stop": call.rule,
        "optimization_key": call.optimization_key,
    }
