"""What ``lagom`` returns: Maggy's dict or list that also is this package's result."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from hopsml_flows.ablation.result import ByArm
from hopsml_flows.maggy.trial import trial_id
from hopsml_flows.search import Direction
from hopsml_flows.trials import ExperimentResult, State, TrialResult

__all__ = ["LagomAblationResult", "LagomListResult", "LagomResult", "LagomTrainingResult"]

_TEST_RESULT = "test result"


class LagomResult(ExperimentResult, dict[str, Any]):
    """The result of ``lagom``.

    Besides the attributes of :class:`ExperimentResult` it has Maggy's keys: ``best_id``,
    ``best_val``, ``best_config`` and ``best_hp``, the same of the worst trial, ``avg``,
    ``metric_list`` (of the trials with a metric, in the order in which they ended), ``num_trials``
    and ``early_stopped``. A trial's identifier is Maggy's hash of its hyperparameters. Of a trial
    with a budget, ``best_config`` has it as ``budget``, ``best_hp`` as ``resource``. Without any
    metric, values are None.

    Example:
        >>> good = TrialResult(1, "0001-x=1", {"x": 1}, State.FINISHED, 0.75, ended=2.0)
        >>> bad = TrialResult(2, "0002-x=2", {"x": 2}, State.FINISHED, 0.25, ended=1.0)
        >>> result = LagomResult(
        ...     id="digits",
        ...     function="lagom",
        ...     path="/demo/digits",
        ...     state=State.FINISHED,
        ...     direction=Direction.MAX,
        ...     best=good,
        ...     trials=(good, bad),
        ...     duration=2.5,
        ... )
        >>> result["best_config"], result["best_val"], result["avg"], result["metric_list"]
        ({'x': 1}, 0.75, 0.5, [0.25, 0.75])
        >>> result.best_params
        {'x': 1}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dict.update(self, _entries(self))


class LagomAblationResult(ByArm, LagomResult):
    """The result of ``lagom`` for an ablation study: Maggy's dict, as of a search.

    Besides, it has ``metrics_by_arm``, as :class:`~hopsml_flows.experiment.AblationResult` has.
    """


class LagomTrainingResult(ExperimentResult, dict[str, Any]):
    """The result of ``lagom`` for a training with PyTorch in several processes.

    Besides the attributes of :class:`ExperimentResult` it has Maggy's key ``"test result"``: the
    metric, or None.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        metrics = [trial.metric for trial in self.trials]
        dict.update(self, {_TEST_RESULT: metrics[0] if metrics else None})


class LagomListResult(ExperimentResult, list[Any]):
    """The result of ``lagom`` for a training with TensorFlow in several processes.

    Besides the attributes of :class:`ExperimentResult` it is Maggy's list of metrics: that of the
    chief, since all processes have trained the same model; it is empty without a metric. The key
    ``"test result"`` of Maggy 1.0 gives the metric, or None.

    Example:
        >>> trial = TrialResult(1, "", {}, State.FINISHED, 0.75)
        >>> result = LagomListResult(
        ...     "iris", "lagom", "/demo/iris", State.FINISHED, None, trial, (trial,), 2.5
        ... )
        >>> list(result), result[0], result["test result"]
        ([0.75], 0.75, 0.75)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        list.extend(self, [one.metric for one in self.trials if one.metric is not None])

    def __getitem__(self, key: Any) -> Any:
        if key == _TEST_RESULT:
            return self[0] if self else None
        return list.__getitem__(self, key)


def _entries(result: ExperimentResult) -> dict[str, Any]:
    ended = sorted(result.trials, key=lambda trial: (trial.ended, trial.number))
    measured = [(trial.metric, trial) for trial in ended if trial.metric is not None]
    metrics = [metric for metric, _ in measured]
    direction = result.direction or Direction.MAX
    worst = max(measured, key=lambda pair: direction.loss(pair[0]), default=(None, None))[1]
    return {
        **_of_trial("best", result.best),
        **_of_trial("worst", worst),
        "avg": fmean(metrics) if metrics else None,
        "metric_list": metrics,
        "num_trials": len(metrics),
        "early_stopped": sum(trial.state is State.STOPPED for trial in result.trials),
    }


def _of_trial(which: str, trial: TrialResult | None) -> dict[str, Any]:
    config = None if trial is None else _with_budget(trial, "budget")
    return {
        f"{which}_id": None if config is None else trial_id(config),
        f"{which}_val": None if trial is None else trial.metric,
        f"{which}_config": config,
        f"{which}_hp": None if trial is None else _with_budget(trial, "resource"),
    }


def _with_budget(trial: TrialResult, name: str) -> dict[str, Any]:
    """Return a trial's hyperparameters; Maggy's ASHA adds the budget to them."""
    return trial.params if trial.budget is None else {name: trial.budget, **trial.params}
