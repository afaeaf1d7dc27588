"""Joins the descriptions of several experiments' hyperparameters and metrics. No I/O.

TensorBoard reads only one description, that of the first experiment it finds, and shows no column
that is missing there. So the view shows the joined description in place of the experiments' own.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any

from hopsml_flows.execution import event_records

__all__ = ["joined", "read_description"]

_HEADER = struct.Struct("<QI")
_CHECKSUM_BYTES = 4


def read_description(content: bytes) -> Any | None:
    """Return the description of an experiment in an event file.

    Args:
        content: The file's content.

    Returns:
        A message of TensorBoard's type ``Experiment``; None if the file has no description.
    """
    from tensorboard.compat.proto import event_pb2
    from tensorboard.plugins.hparams import metadata

    for record in _records(content):
        for value in event_pb2.Event.FromString(record).summary.value:
            if value.tag == metadata.EXPERIMENT_TAG:
                data = value.metadata.plugin_data.content
                return metadata.parse_experiment_plugin_data(data)
    return None


def joined(descriptions: Iterable[Any]) -> bytes:
    """Return the content of an event file that describes several experiments as one.

    The domain of a shared hyperparameter covers the domains of all: the smallest interval around
    them, or the values of all. If their types differ, the hyperparameter is text, without a domain.

    Args:
        descriptions: The experiments' descriptions.
    """
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    parameters: dict[str, Any] = {}
    metrics: dict[tuple[str, str], Any] = {}
    for description in descriptions:
        for info in description.hparam_infos:
            known = parameters.get(info.name)
            parameters[info.name] = info if known is None else _widened(known, info)
        for metric in description.metric_infos:
            metrics.setdefault((metric.name.group, metric.name.tag), metric)
    whole = api_pb2.Experiment(
        hparam_infos=parameters.values(), metric_infos=metrics.values(), time_created_secs=0
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=whole)
    value = summary_pb2.Summary.Value(
        tag=metadata.EXPERIMENT_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    now = time.time()
    return event_records.beginning(now) + event_records.record(
        summary_pb2.Summary(value=[value]), now
    )


def _widened(one: Any, other: Any) -> Any:
    from tensorboard.plugins.hparams import api_pb2

    whole = api_pb2.HParamInfo(name=one.name, display_name=one.display_name, type=one.type)
    if one.type != other.type:
        whole.type = api_pb2.DATA_TYPE_STRING
        return whole
    kinds = {info.WhichOneof("domain") for info in (one, other)}
    if kinds == {"domain_discrete"}:
        # A dict by text: messages cannot be hashed.
        values = {repr(v): v for info in (one, other) for v in info.domain_discrete.values}
        whole.domain_discrete.values.extend(values.values())
    elif kinds <= {"domain_discrete", "domain_interval"}:
        numbers = [number for info in (one, other) for number in _numbers(info)]
        whole.domain_interval.min_value = min(numbers)
        whole.domain_interval.max_value = max(numbers)
    return whole


def _numbers(info: Any) -> Iterator[float]:
    """Yield the ends of an interval, or the discrete values."""
    if info.WhichOneof("domain") == "domain_interval":
        yield from (info.domain_interval.min_value, info.domain_interval.max_value)
    else:
        yield from (value.number_value for value in info.domain_discrete.values)


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the records of an event file, without checking their checksums."""
    start = 0
    while start < len(content):
        if len(content) - start < _HEADER.size:
            return  # the record is still being written
        length, _ = _HEADER.unpack_from(content, start)
        start += _HEADER.size
        yield content[start : start + length]
        start += length + _CHECKSUM_BYTES
