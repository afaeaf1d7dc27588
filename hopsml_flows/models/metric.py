"""The choice of the best version of a model by one of its metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.models.record import ModelRecord
from hopsml_flows.search import Direction
from hopsml_flows.values.arguments import python_number

__all__ = ["Metric", "best_record", "checked_metrics"]


class Metric(StrEnum):
    """Whether the largest or the smallest value of a metric is the best, as in ``hops.model``.

    Example:
        >>> Metric("max") is Metric.MAX, Metric.MIN == "MIN"
        (True, True)
    """

    MAX = "MAX"
    MIN = "MIN"

    @classmethod
    def parse(cls, value: object) -> Metric:
        """Return a member, given as such or as a string in any case.

        Args:
            value: A member, ``"max"``, ``"MIN"``, …

        Raises:
            InvalidArgumentError: It is neither.
        """
        found = cls._missing_(value)
        if found is None:
            must = "must be Metric.MAX or Metric.MIN ('max' or 'min')"
            raise InvalidArgumentError("direction", value, must)
        return found

    @classmethod
    def _missing_(cls, value: object) -> Metric | None:
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


def checked_metrics(metrics: Any) -> dict[str, int | float]:
    """Return metrics as numbers of Python's own.

    A number that is not finite passes: after a long training, the model is worth more than its
    metric. It is never the best.

    Args:
        metrics: A mapping of names to numbers, scalars of NumPy's, or tensors of one element; or
            None for no metrics.

    Raises:
        InvalidArgumentError: It is no mapping, a name is no text, or a value is no number.

    Example:
        >>> import numpy as np
        >>> checked_metrics({"accuracy": np.float32(0.5)})
        {'accuracy': 0.5}
    """
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise InvalidArgumentError("metrics", metrics, "must be a dict of names to numbers")
    for name in metrics:
        if not isinstance(name, str):
            raise InvalidArgumentError("metrics", name, "must have names that are texts")
    return {
        name: python_number(f"metrics[{name!r}]", value, finite=False)
        for name, value in metrics.items()
    }


def best_record(
    records: Iterable[ModelRecord], metric: str, direction: Metric
) -> ModelRecord | None:
    """Return the version whose metric is the best; of equal ones, the earliest.

    A corrected metric, from evaluations on fresh seeds, counts in place of the one that a search
    found.

    Args:
        records: Versions of a model.
        metric: The metric's name.
        direction: Whether the largest or the smallest value is the best.

    Returns:
        The best; None if none has a finite number for the metric.
    """
    better = Direction(direction.value).better
    best: ModelRecord | None = None
    for record in sorted(records, key=lambda record: record.version):
        value = record.value(metric)
        than = None if best is None else best.value(metric)
        if value is not None and better(value, than):
            best = record
    return best
