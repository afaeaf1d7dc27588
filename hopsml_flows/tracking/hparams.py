"""Make TensorBoard's HParams data without TensorFlow.

A trial's first event file has its hyperparameters, its last one its status. Values of the metric
are scalars under the tag that the experiment's event file names. TensorBoard keeps the first
description of each kind that it sees, so each is written once.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from hopsml_flows.execution import Job, event_records
from hopsml_flows.search import Categorical, Direction, Domain, Float, Int
from hopsml_flows.text import unicode_text
from hopsml_flows.trials import DEFAULT_KEY, State, Trial, TrialResult, output_tag
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import is_finite, text_of

__all__ = ["end_events", "experiment_events", "start_events", "text_parameters", "trial_events"]

_LARGEST = 2.0**128
"""The smallest number beyond single precision."""

_PLUGIN = "hparams"
_EXPERIMENT_TAG = "_hparams_/experiment"
_SESSION_START_INFO_TAG = "_hparams_/session_start_info"
_SESSION_END_INFO_TAG = "_hparams_/session_end_info"
_BUDGET_TAG = "trial/budget"
_STOPPED_TAG = "trial/stopped_at_step"

Values = Domain | Sequence[Any]
"""A hyperparameter's domain, or the values it will have."""


def experiment_events(
    values: Mapping[str, Values],
    metric: str | None,
    direction: Direction | None = None,
    *,
    budgets: bool = False,
    stops: bool = False,
) -> bytes:
    """Return an event file that tells TensorBoard the search space and the metric.

    Args:
        values: Hyperparameter name to its domain or its values. TensorBoard shows no others.
        metric: The optimization key, or None.
        direction: Which way is better, or None.
        budgets: Whether trials have budgets, which get a column.
        stops: Whether trials may be stopped early, which gets a column.
    """
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    metrics = []
    if metric is not None:
        name = api_pb2.MetricName(tag=output_tag(metric))
        # TensorBoard has no field for a goal; users read it in the description.
        goal = f"{direction.value.lower()}imized" if direction else ""
        metrics = [api_pb2.MetricInfo(name=name, display_name=metric, description=goal)]
    # A budget may grow while the trial runs, and TensorBoard keeps the first value that it reads of
    # a hyperparameter, but the last of a metric. It has no status for trials that were stopped.
    columns = ((_BUDGET_TAG, "budget", budgets), (_STOPPED_TAG, "stopped at step", stops))
    metrics += [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=shown)
        for tag, shown, wanted in columns
        if wanted
    ]
    experiment = api_pb2.Experiment(
        hparam_infos=[_info(name, known) for name, known in values.items()],
        metric_infos=metrics,
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    return _records([_summary(_EXPERIMENT_TAG, data)], time.time())


def text_parameters(values: Mapping[str, Values]) -> frozenset[str]:
    """Return the hyperparameters whose values TensorBoard shows as text, for want of a type.

    Args:
        values: Hyperparameter name to its domain or its values.
    """
    return frozenset(
        name
        for name, known in values.items()
        if not isinstance(known, (Float, Int)) and _common_type(_listed(known)) is str
    )


def start_events(trial: Trial, texts: Collection[str] = ()) -> bytes:
    """Return the event file that starts a trial's session and has its hyperparameters.

    Args:
        trial: The trial.
        texts: Hyperparameters whose values are shown as text.
    """
    from tensorboard.plugins.hparams import plugin_data_pb2

    now = time.time()
    # No group name: then each run has a line of its own in the table, under its own name. A group
    # name might merge trials of several experiments, or of equal hyperparameters, into one line.
    start = plugin_data_pb2.SessionStartInfo(start_time_secs=now)
    for name, value in trial.params.items():
        kind = str if name in texts else _type(value)
        if kind is bool:
            start.hparams[name].bool_value = value
        elif kind is float:
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = unicode_text(text_of(value))
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    begun = [_summary(_SESSION_START_INFO_TAG, data)]
    if trial.budget is not None:
        begun.append(_scalars({_BUDGET_TAG: trial.budget}))
    return _records(begun, now)


def trial_events(job: Job, trial: Trial) -> bytes:
    """Return the event file that a trial writes when it begins.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
    """
    start = start_events(trial, job.texts)
    if trial.directory:
        return start
    # The only trial lies in the experiment's directory, so its file also describes the experiment.
    return experiment_events({}, job.optimization_key or DEFAULT_KEY) + start


def end_events(result: TrialResult) -> bytes:
    """Return the event file that ends a trial's session: its status and its numeric outputs.

    Args:
        result: The trial's result.
    """
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    ended = result.ended or time.time()
    # TensorBoard stores single precision; larger numbers are in .outputs.json only.
    numbers = {
        output_tag(unicode_text(name)): float(value)
        for name, value in result.outputs.items()
        if is_number(value) and abs(value) < _LARGEST
    }
    if result.budget is not None:
        numbers[_BUDGET_TAG] = float(result.budget)
    if result.state is State.STOPPED:
        numbers[_STOPPED_TAG] = float(result.step or 0)
    status = api_pb2.STATUS_SUCCESS if result.succeeded else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    session = _summary(_SESSION_END_INFO_TAG, data)
    # The final value is the last point of the reported curve.
    final = [event_records.record(_scalars(numbers), ended, result.step or 0)] if numbers else []
    return b"".join([_records([session], ended), *final])


def _scalars(numbers: Mapping[str, float]) -> Any:
    """Return numbers by their tags as one summary."""
    from tensorboard.compat.proto import summary_pb2

    values = [
        summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()
    ]
    return summary_pb2.Summary(value=values)


def _summary(tag: str, data: Any) -> Any:
    from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

    # As the plugin's module `metadata` makes them. That one imports NumPy, boto3 and more, which
    # takes longer than most trials.
    plugin = summary_pb2.SummaryMetadata.PluginData(
        plugin_name=_PLUGIN, content=data.SerializeToString()
    )
    nothing = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=0)])
    value = summary_pb2.Summary.Value(
        tag=tag,
        metadata=summary_pb2.SummaryMetadata(plugin_data=plugin),
        tensor=tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=nothing),
    )
    return summary_pb2.Summary(value=[value])


def _records(summaries: Iterable[Any], wall_time: float) -> bytes:
    """Return summaries as the content of an event file."""
    written = [event_records.record(summary, wall_time) for summary in summaries]
    return b"".join([event_records.beginning(wall_time), *written])


def _info(name: str, known: Values) -> Any:
    """Return TensorBoard's description of a hyperparameter."""
    from tensorboard.plugins.hparams import api_pb2

    info = api_pb2.HParamInfo(name=name, differs=True)
    if isinstance(known, (Float, Int)) and known.cardinality == 1:
        known = [known.low]  # TensorBoard cannot draw a slider for one value
    if isinstance(known, (Float, Int)):
        info.type = api_pb2.DATA_TYPE_FLOAT64
        info.domain_interval.min_value = known.low
        info.domain_interval.max_value = known.high
        info.description = "log scale" if known.log else ""
        return info
    values = _listed(known)
    kind = _common_type(values)
    info.type = {
        bool: api_pb2.DATA_TYPE_BOOL,
        float: api_pb2.DATA_TYPE_FLOAT64,
        str: api_pb2.DATA_TYPE_STRING,
    }[kind]
    different = sorted({text_of(value) if kind is str else kind(value) for value in values})
    info.domain_discrete.extend(different)
    info.differs = len(different) > 1
    return info


def _listed(known: Categorical | Sequence[Any]) -> Sequence[Any]:
    return known.choices if isinstance(known, Categorical) else known


def _common_type(values: Iterable[Any]) -> type[bool | float | str]:
    """Return the one type that TensorBoard shows all values of a hyperparameter as."""
    kinds = {_type(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else str


def _type(value: Any) -> type[bool | float | str]:
    """Return the type that TensorBoard shows a value as."""
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, (int, float)) and is_finite(value) else str
