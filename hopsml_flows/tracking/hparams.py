"""TensorBoard's HParams data, written without TensorFlow.

One event file at the start of a trial and one at its end, beside whatever the training function
writes: TensorBoard reads the files of a directory in the order of their names and never returns
to an earlier one, so a file that grows after a later one appeared would be missed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from hopsml_flows.execution import events
from hopsml_flows.search import Categorical, Domain, Float, Int
from hopsml_flows.trials import Trial, TrialResult, output_tag

__all__ = ["end_events", "experiment_events", "start_events"]

_LARGEST = 2.0**128
"""The smallest number beyond single precision."""


def experiment_events(domains: Mapping[str, Domain], metric: str | None) -> bytes:
    """Content of the event file that tells TensorBoard the search space and the metric.

    Args:
        domains: Hyperparameter name to domain; empty where the space is not known.
        metric: The optimization key, or None.
    """
    from tensorboard.plugins.hparams import summary_v2

    hparams = [summary_v2.HParam(name, _domain(domain)) for name, domain in domains.items()]
    metrics = [summary_v2.Metric(output_tag(metric), display_name=metric)] if metric else []
    summary = summary_v2.hparams_config_pb(hparams=hparams, metrics=metrics)
    return _records([summary])


def start_events(trial: Trial) -> bytes:
    """Content of the event file that starts a trial's session: its hyperparameters.

    Args:
        trial: The trial.
    """
    from tensorboard.plugins.hparams import summary_v2

    params = {name: _hparam(value) for name, value in trial.params.items()}
    summary = summary_v2.hparams_pb(params, trial_id=trial.name)
    return _records([summary])


def end_events(result: TrialResult) -> bytes:
    """Content of the event file that ends a trial's session: its status, numbers of its outputs.

    Args:
        result: What came of it.
    """
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    # TensorBoard keeps single precision; what it cannot hold is left to .outputs.json.
    numbers = {
        name: float(value)
        for name, value in result.outputs.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST
    }
    scalars = summary_pb2.Summary(
        value=[
            summary_pb2.Summary.Value(tag=output_tag(name), simple_value=value)
            for name, value in numbers.items()
        ]
    )
    status = api_pb2.STATUS_SUCCESS if result.succeeded else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(
            status=status, end_time_secs=result.ended or time.time()
        )
    )
    session = summary_pb2.Summary(
        value=[
            summary_pb2.Summary.Value(
                tag=metadata.SESSION_END_INFO_TAG,
                metadata=metadata.create_summary_metadata(end),
                tensor=metadata.NULL_TENSOR,
            )
        ]
    )
    summaries = [scalars, session] if numbers else [session]
    return _records(summaries)


def _records(summaries: Iterable[Any]) -> bytes:
    """Summaries as the content of an event file."""
    now = time.time()
    return b"".join([events.beginning(now), *(events.record(one, now) for one in summaries)])


def _domain(domain: Domain) -> Any:
    from tensorboard.plugins.hparams import summary_v2

    match domain:
        case Float():
            return summary_v2.RealInterval(domain.low, domain.high)
        case Int():
            return summary_v2.IntInterval(domain.low, domain.high)
        case Categorical():
            values = [_hparam(choice) for choice in domain.choices]
            # TensorBoard wants the values of a domain to be of one type.
            kinds = {type(value) for value in values}
            if kinds == {int, float}:
                values = [float(value) for value in values]
            elif len(kinds) > 1:
                values = [str(value) for value in values]
            return summary_v2.Discrete(values)


def _hparam(value: Any) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
