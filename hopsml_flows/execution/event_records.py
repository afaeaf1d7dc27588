"""Make records of TensorBoard's event files without TensorFlow. No I/O."""

from __future__ import annotations

import struct
from typing import Any

import google_crc32c

from hopsml_flows.text import unicode_text

__all__ = ["beginning", "record", "restart", "scalar"]


def beginning(wall_time: float) -> bytes:
    """The record that every event file begins with.

    Args:
        wall_time: Seconds since the epoch.
    """
    from tensorboard.compat.proto import event_pb2

    return _framed(event_pb2.Event(wall_time=wall_time, file_version="brain.Event:2"))


def restart(wall_time: float) -> bytes:
    """The record that says that an attempt begins.

    TensorBoard then drops the points of the trial's earlier attempts.

    Args:
        wall_time: Seconds since the epoch.
    """
    from tensorboard.compat.proto import event_pb2

    # TensorBoard drops points from this step on. Hyperparameters are at step 0, so they stay.
    started = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    return _framed(event_pb2.Event(wall_time=wall_time, step=1, session_log=started))


def record(summary: Any, wall_time: float, step: int = 0) -> bytes:
    """A summary as a record.

    Args:
        summary: TensorBoard's ``Summary``.
        wall_time: Seconds since the epoch.
        step: Its step.
    """
    from tensorboard.compat.proto import event_pb2

    return _framed(event_pb2.Event(wall_time=wall_time, step=step, summary=summary))


def scalar(tag: str, value: float, wall_time: float, step: int) -> bytes:
    """A point of a curve as a record.

    Args:
        tag: The curve's name.
        value: The number; kept in single precision.
        wall_time: Seconds since the epoch.
        step: Its step.
    """
    from tensorboard.compat.proto import summary_pb2

    point = summary_pb2.Summary.Value(tag=unicode_text(tag), simple_value=value)
    return record(summary_pb2.Summary(value=[point]), wall_time, step)


def _framed(event: Any) -> bytes:
    # TensorBoard's own writer imports boto3 and more, which takes longer than most trials.
    data: bytes = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join([length, _checksum(length), data, _checksum(data)])


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C of TensorFlow's records."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
