"""What a wrapper of a training function adds to the outputs of the function. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Returned"]


@dataclass(frozen=True, slots=True)
class Returned:
    """A returned value, with outputs beside it.

    The value is judged as if it stood alone: a number stays the metric, and a dict with one key has
    its metric there.

    Args:
        value: What the training function returned.
        beside: Outputs that the trial has besides; those of the function come first.

    Example:
        >>> Returned(0.9, {"parameters": 650}).with_beside({"metric": 0.9})
        {'metric': 0.9, 'parameters': 650}
        >>> Returned(0.9, {"parameters": 650}).with_beside({"metric": 0.9, "parameters": 3})
        {'metric': 0.9, 'parameters': 3}
    """

    value: Any
    beside: Mapping[str, Any]

    def with_beside(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs of the trial.

        Args:
            outputs: Those of the function.
        """
        return {**outputs, **{k: v for k, v in self.beside.items() if k not in outputs}}
