"""The direction of a search: which metrics are better."""

from __future__ import annotations

import math
from enum import StrEnum

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["Direction"]


class Direction(StrEnum):
    """Whether the metric is to be maximised or minimised.

    A string enum, so that a direction may be given as HopsML's plain ``"max"`` or ``"MIN"``, in
    any case.

    Example:
        >>> Direction("max") is Direction.MAX
        True
        >>> Direction.MIN.better(0.1, than=0.2)
        True
    """

    MAX = "MAX"
    MIN = "MIN"

    @classmethod
    def parse(cls, value: object) -> Direction:
        """Return a direction, given as a ``Direction`` or a string in any case.

        Args:
            value: A member, ``"max"``, ``"MIN"``, …

        Raises:
            InvalidArgumentError: It is neither.
        """
        if isinstance(value, str):
            try:
                return cls(value.upper())
            except ValueError:
                pass
        raise InvalidArgumentError(
            "direction", value, "must be Direction.MAX or Direction.MIN ('max' or 'min')"
        )

    @classmethod
    def _missing_(cls, value: object) -> Direction | None:
        # Forms and JSON carry the case that the user typed.
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None

    def loss(self, metric: float) -> float:
        """Return the metric as a loss: the smaller, the better.

        Args:
            metric: The metric.
        """
        return -metric if self is Direction.MAX else metric

    def better(self, one: float, than: float | None) -> bool:
        """Whether ``one`` beats ``than``. A number that is not finite beats nothing.

        Args:
            one: The challenger.
            than: The best so far, or None if there is none yet.
        """
        if not math.isfinite(one):
            return False
        if than is None or not math.isfinite(than):
            return True
        return self.loss(one) < self.loss(than)
